package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"crm/internal/app"
	"crm/internal/platform/config"
	"crm/internal/platform/observe"
)

// serveProfiled is crm serve with a CPU profile over its whole life, which the product itself does not offer. What is
// set up around it (settings, log) is the product's.
func serveProfiled(ctx context.Context, path string) (err error) {
	cfg, err := config.Load(os.Environ(), "")
	if err != nil {
		return err
	}
	log, err := observe.Logger(os.Stderr, cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("make the profile: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	a, err := app.Open(ctx, cfg, log, app.Serve, true)
	if err != nil {
		return err
	}
	defer a.Close(context.WithoutCancel(ctx))
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("start the profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return a.Serve(ctx, app.RoleAll, func(string) {})
}
