package exporting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
)

// maxTries bounds how often an export that fails for no reason a person could mend
// is begun again.
const maxTries = 4

// maxTime is the longest one export may take. It reads one snapshot, so it cannot be
// put down and taken up again.
const maxTime = 30 * time.Minute

// Args of the job that writes an export.
type Args struct {
	TenantID uuid.UUID `json:"tenant_id"`
	ExportID uuid.UUID `json:"export_id"`
}

// Kind names the job.
func (Args) Kind() string { return "export" }

// Tenant says in whose name it runs.
func (a Args) Tenant() uuid.UUID { return a.TenantID }

// Limit is how long it may run.
func (Args) Limit() time.Duration { return maxTime }

// sweepArgs is the job that deletes old files, for all tenants.
type sweepArgs struct{}

func (sweepArgs) Kind() string      { return "export.sweep" }
func (sweepArgs) Tenant() uuid.UUID { return uuid.Nil }

// Work registers the jobs. The service is made after the registry is complete (the
// job client needs the registry, the service the client), hence the function.
func Work(r *jobs.Registry, service func() *Service) {
	jobs.Work(r, func(ctx context.Context, job *river.Job[Args]) error {
		s := service()
		err := s.work(ctx, job.Args.ExportID)
		if job.Attempt >= job.MaxAttempts && err != nil {
			return errors.Join(err, s.fail(ctx, job.Args.ExportID, err))
		}
		return err
	})
	jobs.Work(r, func(ctx context.Context, _ *river.Job[sweepArgs]) error { return service().Sweep(ctx) })
	r.Every(time.Hour, sweepArgs{})
}

// Run writes an export here and now, for commands.
func (s *Service) Run(ctx context.Context, id uuid.UUID) (*Export, error) {
	if err := s.work(ctx, id); err != nil {
		return nil, err
	}
	return s.Get(ctx, id)
}

// work writes an export. A failure that trying again cannot mend ends it and is no
// error of the job.
func (s *Service) work(ctx context.Context, id uuid.UUID) error {
	e, err := s.load(ctx, id)
	if err != nil || e == nil || e.State.Over() {
		return err
	}
	system := ctx
	if ctx, err = s.actAs(ctx, e); err == nil {
		err = s.write(ctx, e)
	}
	switch {
	case err == nil || errors.Is(err, errCancelled):
		return nil
	case final(err):
		return s.fail(context.WithoutCancel(system), id, err)
	}
	return err
}

func final(err error) bool {
	switch errs.KindOf(err) {
	case errs.Internal, errs.Unavailable, errs.Limited, errs.Conflict, errs.Stale:
		return false
	}
	return true
}

// fail ends an export with a reason for people.
func (s *Service) fail(ctx context.Context, id uuid.UUID, cause error) error {
	text := "Something went wrong on our side. Try again."
	if e := errs.As(cause); e != nil {
		text = e.Message
	}
	if errs.KindOf(cause) == errs.Internal {
		s.Log.ErrorContext(ctx, "export failed", "export_id", id, "error", cause)
	}
	_, err := s.change(ctx, sqlFail, id, text, s.Now().UTC())
	return err
}

// actAs puts whoever asked into the context, with the rights they have now.
func (s *Service) actAs(ctx context.Context, e *Export) (context.Context, error) {
	var a auth.Actor
	if err := json.Unmarshal(e.actor, &a); err != nil {
		return nil, fmt.Errorf("read who asked for export %s: %w", e.ID, err)
	}
	if s.Actor != nil {
		now, err := s.Actor(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("look up who asked for export %s: %w", e.ID, err)
		}
		now.Via, now.RequestID = a.Via, a.RequestID
		a = *now
	}
	return auth.With(ctx, &a), nil
}

// Sweep deletes the files whose time is over, in every tenant.
func (s *Service) Sweep(ctx context.Context) error {
	if s.Tenants == nil {
		return nil
	}
	tenants, err := s.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("list tenants to delete old exports: %w", err)
	}
	var failed error
	for _, t := range tenants {
		failed = errors.Join(failed, s.sweepTenant(auth.With(ctx, auth.SystemActor(t))))
	}
	return failed
}

// sweepTenant removes files before it says so, so that a crash leaves none behind.
func (s *Service) sweepTenant(ctx context.Context) error {
	tenant := auth.From(ctx).TenantID
	var due []uuid.UUID
	err := s.k.DB.Read(ctx, db.Query{SQL: sqlDue, Args: []any{tenant, s.Now().UTC()}}, func(rows pgx.Rows) error {
		var err error
		due, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil || len(due) == 0 {
		return err
	}
	for _, id := range due {
		if err := s.Files.Remove(ctx, fileName(tenant, id)); err != nil {
			return fmt.Errorf("remove the file of an export: %w", err)
		}
	}
	_, err = s.change(ctx, sqlExpired, due)
	return err
}
