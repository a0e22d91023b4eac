package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
)

// maxTries bounds how often work that fails for no reason a person could mend is
// begun again.
const maxTries = 8

// Args of the job that works an import, or takes it back.
type Args struct {
	TenantID uuid.UUID `json:"tenant_id"`
	ImportID uuid.UUID `json:"import_id"`
	Undo     bool      `json:"undo,omitempty"`
}

// Kind names the job.
func (Args) Kind() string { return "import" }

// Tenant says in whose name it runs.
func (a Args) Tenant() uuid.UUID { return a.TenantID }

// Work registers the job. The service is made after the registry is complete (the
// job client needs the registry, the service the client), hence the function.
func Work(r *jobs.Registry, service func() *Service) {
	workSweep(r, service)
	jobs.Work(r, func(ctx context.Context, job *river.Job[Args]) error {
		s := service()
		if job.Args.Undo {
			return s.workUndo(ctx, job.Args.ImportID, job.Attempt >= job.MaxAttempts)
		}
		err := s.work(ctx, job.Args.ImportID, jobs.Budget)
		if job.Attempt >= job.MaxAttempts && err != nil && !errors.Is(err, jobs.Again) {
			return errors.Join(err, s.fail(ctx, job.Args.ImportID, err))
		}
		return err
	})
}

// work goes on with an import for about the budget. A failure that trying again
// cannot mend ends the import and is no error of the job.
func (s *Service) work(ctx context.Context, id uuid.UUID, budget time.Duration) error {
	err := s.slice(ctx, id, budget)
	switch {
	case err == nil || errors.Is(err, jobs.Again):
		return err
	case ctx.Err() != nil:
		return jobs.Again // shutting down: the next worker goes on at the checkpoint
	case final(err):
		return s.fail(context.WithoutCancel(ctx), id, err)
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

// slice is one call's worth of work: survey, rows, links, whatever is next.
func (s *Service) slice(ctx context.Context, id uuid.UUID, budget time.Duration) error {
	imp, err := s.load(ctx, id)
	if err != nil || imp == nil || imp.State.Over() {
		return err
	}
	ctx, err = s.actAs(ctx, imp)
	if err != nil {
		return err
	}
	f, err := s.Files.Open(ctx, imp.file(auth.From(ctx).TenantID))
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := s.newRun(ctx, imp, f)
	if err != nil {
		return err
	}
	return r.work(ctx, s.Now().Add(budget))
}

// actAs puts whoever asked for the import into the context, with the import as
// surface and batch.
func (s *Service) actAs(ctx context.Context, imp *Import) (context.Context, error) {
	var a auth.Actor
	if err := json.Unmarshal(imp.actor, &a); err != nil {
		return nil, fmt.Errorf("read who asked for import %s: %w", imp.ID, err)
	}
	if s.Actor != nil {
		now, err := s.Actor(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("look up who asked for import %s: %w", imp.ID, err)
		}
		a = *now
	}
	a.Via, a.BatchID = auth.ViaImport, imp.ID
	return auth.With(ctx, &a), nil
}

// Run works an import here and now, until it is over; for commands. A job may work
// it at the same time: one of the two finds the other ahead and follows.
func (s *Service) Run(ctx context.Context, id uuid.UUID, progress func(Import)) (*Import, error) {
	for tries := 0; ; {
		err := s.work(ctx, id, time.Second)
		switch {
		case errors.Is(err, jobs.Again) && ctx.Err() == nil:
			tries = 0
		case err != nil && ctx.Err() == nil && tries < maxTries:
			if err := pause(ctx, time.Second); err != nil {
				return nil, err
			}
			tries++
		case err != nil:
			return nil, errors.Join(err, ctx.Err())
		}
		imp, err := s.report(ctx, id, progress)
		if err != nil || imp.State.Over() {
			return imp, err
		}
	}
}

// Wait returns when the import is over, and its undo too where one was asked for,
// telling of its progress meanwhile.
func (s *Service) Wait(ctx context.Context, id uuid.UUID, progress func(Import)) (*Import, error) {
	for {
		imp, err := s.report(ctx, id, progress)
		if err != nil || (imp.State.Over() && !imp.Undo.pending()) {
			return imp, err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func (s *Service) report(ctx context.Context, id uuid.UUID, progress func(Import)) (*Import, error) {
	imp, err := s.Get(ctx, id)
	if err == nil && progress != nil {
		progress(*imp)
	}
	return imp, err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
