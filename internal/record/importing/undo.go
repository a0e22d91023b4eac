package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

// inlineUndo is how many changes are taken back within the request.
const inlineUndo = 5_000

// Undo takes an import back: made records go to the bin, changed fields get their
// old values. What somebody edited since is listed and left alone. Small imports are
// undone when it returns, large ones by a job (see Import.Undo). Asking again gives
// the same answer.
func (s *Service) Undo(ctx context.Context, id uuid.UUID) (*Import, error) {
	imp, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case imp.DryRun:
		return nil, errs.New(errs.Conflict, "dry_run", "A dry run changed nothing, so there is nothing to undo.")
	case !imp.State.Over():
		return nil, errs.New(errs.Conflict, "import_running", "This import is still running. Cancel it first.")
	case imp.Undo.State == "done" || imp.Undo.State == "queued":
		return imp, nil
	}
	if imp.Created+imp.Updated > inlineUndo && s.Jobs != nil {
		return s.queueUndo(ctx, imp)
	}
	if err := s.undo(ctx, imp, time.Time{}); err != nil {
		return nil, err
	}
	return s.Get(ctx, id)
}

// queueUndo hands the work over, in the name of whoever asks now.
func (s *Service) queueUndo(ctx context.Context, imp *Import) (*Import, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	if _, _, err := auth.Require(ctx, imp.Object, auth.Delete); err != nil {
		return nil, err
	}
	who, err := s.snapshot(ctx, a)
	if err != nil {
		return nil, err
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update imports set undo_state = 'queued', actor = $3 where tenant_id = $1 and id = $2`, a.TenantID, imp.ID, who)
		if err != nil {
			return err
		}
		_, err = s.Jobs.Insert(ctx, tx, Args{TenantID: a.TenantID, ImportID: imp.ID, Undo: true}, jobs.When{Queue: "imports", Tries: maxTries})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("queue undo of import: %w", err)
	}
	return s.Get(ctx, imp.ID)
}

func (s *Service) workUndo(ctx context.Context, id uuid.UUID, last bool) error {
	imp, err := s.load(ctx, id)
	if err != nil || imp == nil || imp.Undo.State == "done" {
		return err
	}
	as, err := s.actAs(ctx, imp)
	if err == nil {
		as = auth.As(as, func(a *auth.Actor) { a.Via = imp.via() })
		if err = s.undo(as, imp, s.Now().Add(jobs.Budget)); err == nil {
			imp, err = s.load(ctx, id)
		}
	}
	switch {
	case ctx.Err() != nil, err == nil && imp.Undo.State == "running":
		return jobs.Again // the next call goes on at the checkpoint
	case err != nil && (last || final(err)):
		return errors.Join(err, s.saveUndo(ctx, imp, "failed", imp.Undo.Reversed, imp.Undo.Conflicts))
	}
	return err
}

// via is the surface through which the undo was asked for.
func (i *Import) via() auth.Via {
	var a auth.Actor
	if err := json.Unmarshal(i.actor, &a); err != nil {
		return auth.ViaImport
	}
	return a.Via
}

// undo reverses the batch chunk by chunk until the time is up (zero = no limit),
// then it is still running. The kernel keeps the place.
func (s *Service) undo(ctx context.Context, imp *Import, until time.Time) error {
	run, err := s.k.StartUndo(ctx, imp.ID)
	if errs.KindOf(err) == errs.NotFound {
		return s.saveUndo(ctx, imp, "done", 0, []record.UndoConflict{}) // it changed nothing
	}
	if err == nil {
		run, err = s.k.ContinueUndo(ctx, run.ID, until)
	}
	if err != nil {
		return err
	}
	state := "running"
	if run.State != record.UndoRunning {
		state = "done"
	}
	return s.saveUndo(ctx, imp, state, run.Reversed, run.Conflicts)
}

func (s *Service) saveUndo(ctx context.Context, imp *Import, state string, reversed int64, conflicts []record.UndoConflict) error {
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlUndo, auth.From(ctx).TenantID, imp.ID, state, reversed, asJSON(conflicts))
		return err
	})
	if err != nil {
		return fmt.Errorf("note undo of import: %w", err)
	}
	return nil
}
