package app

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"crm/internal/platform/auth"
	"crm/internal/platform/jobs"
	"crm/internal/platform/rest"
	"crm/internal/record/importing"
)

// upkeep is the installation's own housekeeping, for all tenants.
type upkeep struct{}

func (upkeep) Kind() string      { return "app.upkeep" }
func (upkeep) Tenant() uuid.UUID { return uuid.Nil }

// registerJobs adds what the contexts can work, and the periodic table.
func (a *App) registerJobs() {
	a.Scoring.Register(a.registry)
	a.Messaging.Register(a.registry)
	importing.Work(a.registry, func() *importing.Service { return a.Imports })
	jobs.Work(a.registry, func(ctx context.Context, _ *river.Job[upkeep]) error { return a.upkeep(ctx) })
	a.registry.Every(12*time.Hour, upkeep{})
	a.registerBin()
}

// upkeep makes the journal's partitions of the coming months and forgets the
// answers of keyed requests that nobody can ask for any more.
func (a *App) upkeep(ctx context.Context) error {
	if _, err := a.db.Pool().Exec(ctx, `select journal_add_partitions(3)`); err != nil {
		return err
	}
	tenants, err := a.Identity.TenantIDs(ctx)
	for _, tenant := range tenants {
		err = errors.Join(err, rest.ForgetKeys(auth.With(ctx, auth.SystemActor(tenant)), a.db, a.now()))
	}
	return err
}
