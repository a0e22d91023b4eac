package app

import (
	"context"
	"fmt"

	"crm/internal/identity"
	"crm/internal/platform/jobs"
)

// services are the contexts, in the order they are built.
type services struct {
	registry *jobs.Registry
}

// build makes the contexts one after the other; what one needs of another is
// connected in ports.go.
func (a *App) build(works bool) error {
	a.registry = jobs.NewRegistry()
	var err error
	if a.Identity, err = identity.New(identity.Deps{Kernel: a.Kernel, Shared: a.shared, Now: a.now, Log: a.Log}); err != nil {
		return fmt.Errorf("build identity: %w", err)
	}
	a.registerJobs()
	if a.Jobs, err = jobs.New(a.registry, jobs.Options{Pool: a.db.Pool(), Log: a.Log, Works: works}); err != nil {
		return err
	}
	return nil
}

func (a *App) closeServices() {}

// trainDemo trains the first model of the demo tenant.
func (a *App) trainDemo(context.Context) error { return nil }
