package app

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"crm/internal/platform/db"
	"crm/internal/platform/jobs"
)

// purgeBins asks for a purge of every tenant's bin; purgeBin does one of them.
type (
	purgeBins struct{}
	purgeBin  struct {
		TenantID uuid.UUID `json:"tenant_id"`
	}
)

func (purgeBins) Kind() string       { return "app.purge_bins" }
func (purgeBins) Tenant() uuid.UUID  { return uuid.Nil }
func (purgeBin) Kind() string        { return "app.purge_bin" }
func (a purgeBin) Tenant() uuid.UUID { return a.TenantID }
func (a purgeBin) queue() jobs.When  { return jobs.When{Queue: "bulk", Unique: true} }
func (a *App) registerBin()          { a.workBin(); a.registry.Every(6*time.Hour, purgeBins{}) }

func (a *App) workBin() {
	jobs.Work(a.registry, func(ctx context.Context, _ *river.Job[purgeBins]) error { return a.askPurges(ctx) })
	jobs.Work(a.registry, func(ctx context.Context, _ *river.Job[purgeBin]) error {
		done, err := a.PurgeBin(ctx)
		if err == nil && !done {
			return jobs.Again
		}
		return err
	})
}

func (a *App) askPurges(ctx context.Context) error {
	tenants, err := a.Identity.TenantIDs(ctx)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		args := purgeBin{tenant}
		if _, err := a.Jobs.InsertNow(ctx, args, args.queue()); err != nil {
			return err
		}
	}
	return nil
}

// purgeAtOnce is how many records of an object one run of the job deletes.
const purgeAtOnce = 10_000

// PurgeBin deletes for good what has lain in the bin of the actor's tenant for
// longer than the tenant keeps it (tenants.bin_days, 0 = for ever). done is false
// when there may be more.
func (a *App) PurgeBin(ctx context.Context) (done bool, err error) {
	var days int
	err = a.db.Read(ctx, db.Query{SQL: "select bin_days from tenants where id = app_tenant()"}, func(rows pgx.Rows) (err error) {
		days, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		return err
	})
	if err != nil || days == 0 {
		return err == nil, err
	}
	n, done, err := a.Kernel.PurgeBin(ctx, a.now().AddDate(0, 0, -days), purgeAtOnce)
	if n > 0 {
		a.Log.InfoContext(ctx, "bin purged", "records", n)
	}
	return done, err
}
