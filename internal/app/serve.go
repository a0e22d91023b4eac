package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Role is which half of the program a process runs.
type Role string

const (
	RoleAll    Role = "all"
	RoleWeb    Role = "web"
	RoleWorker Role = "worker"
)

// Serve runs until ctx ends, then drains: it stops accepting, lets requests and
// jobs finish, and leaves nothing half done. started is called with the address
// once it answers.
func (a *App) Serve(ctx context.Context, role Role, started func(addr string)) error {
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.Cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with CRM_ADDR", a.Cfg.Addr, err)
	}
	g, gctx := errgroup.WithContext(ctx)
	if role != RoleWeb {
		// Jobs get a context of their own: they are stopped by Stop, not cut off.
		if err := a.Jobs.Start(context.WithoutCancel(ctx), a.cluster != nil && a.cluster.Owned()); err != nil {
			return errors.Join(fmt.Errorf("start jobs: %w", err), lis.Close())
		}
	}
	a.startBackground(gctx, g, role)
	srv := &http.Server{
		Handler: a.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	srv.RegisterOnShutdown(a.live.Close) // streams would hold the shutdown up
	g.Go(func() error { return serveUntil(a.drained(ctx, gctx), srv, lis) })
	g.Go(func() error { return a.serveMetrics(gctx) })
	g.Go(func() error { return a.watchCluster(gctx) })
	started(lis.Addr().String())
	err = g.Wait()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if role != RoleWeb {
		err = errors.Join(err, a.Jobs.Stop(stop))
	}
	return err
}

// drained ends some time after asked does, during which requests are answered and
// readiness is not: time for a balancer to notice. After a failure, when only failed
// has ended, there is nothing to wait for.
func (a *App) drained(asked, failed context.Context) context.Context {
	ctx, end := context.WithCancel(context.WithoutCancel(failed))
	go func() {
		defer end()
		<-failed.Done()
		a.draining.Store(true)
		if asked.Err() != nil {
			time.Sleep(a.drain)
		}
	}()
	return ctx
}

func serveUntil(ctx context.Context, srv *http.Server, lis net.Listener) error {
	done := make(chan error, 1)
	go func() { done <- srv.Serve(lis) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}

// serveMetrics answers on an address of its own, never on the public one.
func (a *App) serveMetrics(ctx context.Context) error {
	if a.Cfg.MetricsAddr == "" || a.Cfg.MetricsAddr == "-" {
		return nil
	}
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.Cfg.MetricsAddr)
	if err != nil {
		a.Log.WarnContext(ctx, "no metrics: the address is taken; choose another with CRM_METRICS_ADDR", "addr", a.Cfg.MetricsAddr)
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.Metrics.Handler())
	return serveUntil(ctx, &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, lis)
}

// watchCluster ends the program when the embedded database is lost for good.
func (a *App) watchCluster(ctx context.Context) error {
	if a.cluster == nil || !a.cluster.Owned() {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-a.cluster.Done():
		return fmt.Errorf("the embedded database ended: %w", a.cluster.Err())
	}
}

// startBackground starts what runs beside requests and jobs.
func (a *App) startBackground(ctx context.Context, g *errgroup.Group, role Role) {
	g.Go(func() error { return a.caches.Listen(ctx) })
	if role != RoleWeb {
		g.Go(func() error { return a.Kernel.RunSubscribers(ctx, a.Identity.TenantIDs) })
		g.Go(func() error { return a.Messaging.Run(ctx) })
	}
}
