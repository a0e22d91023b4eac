// Package undoing takes batches back: small ones within the request, large ones
// (an import of a hundred thousand rows) by a job that goes on at its checkpoint
// after a crash. The kernel does the work, see record.Kernel.ContinueUndo; this
// package only decides who does it when, in whose name.
package undoing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

const (
	// Inline is how many changes are taken back within the request.
	Inline = 5_000
	// maxTries bounds how often an undo that fails for no reason a person could
	// mend is begun again.
	maxTries = 8
)

// Deps are what the service needs.
type Deps struct {
	Kernel *record.Kernel
	Jobs   *jobs.Client // nil: everything is done within the call
	Now    func() time.Time
	Log    *slog.Logger
	// Actor brings the rights of whoever asked up to date before work goes on, and
	// refuses people who have left. nil = the rights they had when they asked.
	Actor func(ctx context.Context, asked auth.Actor) (*auth.Actor, error)
}

// Service undoes batches. It is safe for concurrent use.
type Service struct{ Deps }

// New makes the service.
func New(d Deps) *Service { return &Service{d} }

// Undo takes a batch back, or begins to: the answer's State tells. Asking again
// while it is under way answers with the same run.
func (s *Service) Undo(ctx context.Context, batch uuid.UUID) (*record.UndoRun, error) {
	var run *record.UndoRun
	err := s.Kernel.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		if run, err = s.Kernel.StartUndo(ctx, batch); err != nil || !s.large(run) {
			return err
		}
		_, err = s.Jobs.Insert(ctx, tx, Args{TenantID: auth.From(ctx).TenantID, UndoID: run.ID}, jobs.When{Queue: "bulk", Unique: true, Tries: maxTries})
		return err
	})
	if err != nil || s.large(run) {
		return run, err
	}
	return s.Kernel.ContinueUndo(ctx, run.ID, time.Time{})
}

func (s *Service) large(run *record.UndoRun) bool {
	return s.Jobs != nil && run.State == record.UndoRunning && run.Total > Inline
}

// Args of the job that takes a batch back.
type Args struct {
	TenantID uuid.UUID `json:"tenant_id"`
	UndoID   uuid.UUID `json:"undo_id"`
}

// Kind names the job.
func (Args) Kind() string { return "undo" }

// Tenant says in whose name it runs.
func (a Args) Tenant() uuid.UUID { return a.TenantID }

// Work registers the job. The service is made after the registry is complete (the
// job client needs the registry, the service the client), hence the function.
func Work(r *jobs.Registry, service func() *Service) {
	jobs.Work(r, func(ctx context.Context, job *river.Job[Args]) error {
		return service().work(ctx, job.Args.UndoID, job.Attempt >= job.MaxAttempts)
	})
}

// work goes on with an undo for about a job's budget.
func (s *Service) work(ctx context.Context, id uuid.UUID, last bool) error {
	run, err := s.Kernel.GetUndo(ctx, id)
	if err != nil || run.State != record.UndoRunning {
		return err
	}
	as, err := s.actAs(ctx, run)
	if err == nil {
		run, err = s.Kernel.ContinueUndo(as, id, s.Now().Add(jobs.Budget))
	}
	switch {
	case ctx.Err() != nil:
		return jobs.Again // shutting down: the next worker goes on at the checkpoint
	case err == nil && run.State == record.UndoRunning:
		return jobs.Again
	case err == nil:
		return nil
	case last || errs.KindOf(err) == errs.Forbidden:
		s.Log.WarnContext(ctx, "undo failed", "undo_id", id, "error", err)
		return errors.Join(err, s.Kernel.FailUndo(ctx, id, reason(err)))
	}
	return err
}

func (s *Service) actAs(ctx context.Context, run *record.UndoRun) (context.Context, error) {
	a, err := run.Actor()
	if err == nil && s.Actor != nil {
		a, err = s.Actor(ctx, *a)
	}
	if err != nil {
		return nil, fmt.Errorf("look up who asked for undo %s: %w", run.ID, err)
	}
	return auth.With(ctx, a), nil
}

func reason(err error) string {
	if e := errs.As(err); e != nil && e.Kind != errs.Internal {
		return e.Message
	}
	return "Something went wrong on our side. Ask for the undo again: it goes on with what is left."
}
