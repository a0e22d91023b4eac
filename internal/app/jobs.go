package app

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/jobs"
	"crm/internal/platform/rest"
	"crm/internal/record/exporting"
	"crm/internal/record/importing"
	"crm/internal/record/undoing"
)

// upkeep is the installation's own housekeeping, for all tenants.
type upkeep struct{}

func (upkeep) Kind() string      { return "app.upkeep" }
func (upkeep) Tenant() uuid.UUID { return uuid.Nil }

// registerJobs adds what the contexts can work, and the periodic table.
func (a *App) registerJobs() {
	identity.Register(a.registry, func() *identity.Service { return a.Identity })
	a.Scoring.Register(a.registry)
	a.Messaging.Register(a.registry)
	importing.Work(a.registry, func() *importing.Service { return a.Imports })
	exporting.Work(a.registry, func() *exporting.Service { return a.Exports })
	undoing.Work(a.registry, func() *undoing.Service { return a.Undos })
	jobs.Work(a.registry, func(ctx context.Context, _ *river.Job[upkeep]) error { return a.upkeep(ctx) })
	jobs.Work(a.registry, func(ctx context.Context, job *river.Job[recompute]) error { return a.recompute(ctx, job.Args.Object) })
	a.registry.Every(12*time.Hour, upkeep{})
	a.registerBin()
}

// recompute works out the formulas and roll-ups that a changed definition left open.
type recompute struct {
	TenantID uuid.UUID `json:"tenant_id"`
	Object   string    `json:"object"`
}

func (recompute) Kind() string        { return "record.recompute" }
func (r recompute) Tenant() uuid.UUID { return r.TenantID }

func (a *App) recompute(ctx context.Context, object string) error {
	done, err := a.Kernel.Recompute(ctx, object, jobs.Budget)
	if err == nil && !done {
		err = jobs.Again
	}
	return err
}

// upkeep makes the journal's partitions of the coming months, purges custom fields
// that were hidden a month ago, and forgets the answers of keyed requests that
// nobody can ask for any more.
func (a *App) upkeep(ctx context.Context) error {
	if _, err := a.db.Pool().Exec(ctx, `select journal_add_partitions(3)`); err != nil {
		return err
	}
	tenants, err := a.Identity.TenantIDs(ctx)
	for _, tenant := range tenants {
		ctx := auth.With(ctx, auth.SystemActor(tenant))
		err = errors.Join(err, a.Kernel.PurgeHiddenFields(ctx), rest.ForgetKeys(ctx, a.db, a.now()))
	}
	return err
}
