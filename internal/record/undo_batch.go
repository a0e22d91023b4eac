package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
)

const (
	// undoChunk is how many journal rows one transaction of an undo takes back.
	undoChunk = 1000
	// maxConflicts is how many conflicts an undo lists; all are counted.
	maxConflicts = 1000
)

// States of an undo of a batch.
const (
	UndoRunning = "running"
	UndoDone    = "done"
	UndoFailed  = "failed"
)

// UndoRun is the undo of a batch: how far it has come and what it found. ID is
// the batch that its own journal rows carry: undo that to do it all again.
type UndoRun struct {
	ID         uuid.UUID
	BatchID    uuid.UUID
	State      string
	Total      int64 // journal rows of the batch
	Reversed   int64
	LeftOut    int64
	Conflicts  []UndoConflict // the first maxConflicts
	Conflicted int64
	Error      string // why it failed, for people
	CreatedAt  time.Time
	CreatedBy  *uuid.UUID
	FinishedAt *time.Time

	before int64
	kept   []uuid.UUID
	actor  json.RawMessage
}

// Undone is the run's result so far.
func (r *UndoRun) Undone() *Undone {
	return &Undone{Reversed: int(r.Reversed), Conflicts: r.Conflicts, LeftOut: int(r.LeftOut), BatchID: &r.ID}
}

// Actor is who asked, with the rights of that moment.
func (r *UndoRun) Actor() (*auth.Actor, error) {
	var a auth.Actor
	if err := json.Unmarshal(r.actor, &a); err != nil {
		return nil, fmt.Errorf("read who asked for undo %s: %w", r.ID, err)
	}
	return &a, nil
}

// UndoBatch reverses every row of a batch (a bulk edit, a conversion, a merge, an
// import), over all objects, newest first, and returns when it is done.
func (k *Kernel) UndoBatch(ctx context.Context, batch uuid.UUID) (*Undone, error) {
	r, err := k.StartUndo(ctx, batch)
	if err != nil {
		return nil, err
	}
	if r, err = k.ContinueUndo(ctx, r.ID, time.Time{}); err != nil {
		return nil, err
	}
	if r.Reversed == 0 && r.Conflicted == 0 && r.LeftOut > 0 {
		return nil, errs.Missing("batch of changes")
	}
	return r.Undone(), nil
}

const undoColumns = `id, batch_id, state, total, before_seq, reversed, left_out, conflicts, conflicted, kept, actor, error, created_at, created_by, finished_at`

// StartUndo notes that a batch is to be taken back, or finds the undo of it that is
// under way already. ContinueUndo does the work. A merge is taken back at once and
// whole: its run comes back done.
func (k *Kernel) StartUndo(ctx context.Context, batch uuid.UUID) (*UndoRun, error) {
	if _, err := auth.Must(ctx); err != nil {
		return nil, err
	}
	merge, err := k.mergeOf(ctx, batch)
	if err != nil {
		return nil, err
	}
	if merge == nil {
		return k.beginUndo(ctx, batch)
	}
	undone, err := k.unmerge(ctx, batch, merge)
	if err != nil {
		return nil, err
	}
	var out *UndoRun
	err = k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		out, err = readUndo(ctx, tx, `where tenant_id = $1 and id = $2`, auth.From(ctx).TenantID, *undone.BatchID)
		return err
	})
	return k.shownRun(ctx, out, err)
}

// undoBatch takes all rows of a batch back, within the transaction of ctx if there
// is one.
func (k *Kernel) undoBatch(ctx context.Context, batch uuid.UUID, out *Undone) error {
	r, err := k.beginUndo(ctx, batch)
	if err != nil {
		return err
	}
	if r, err = k.ContinueUndo(ctx, r.ID, time.Time{}); err != nil {
		return err
	}
	*out = *r.Undone()
	return nil
}

// beginUndo writes the run's row, or finds the one that is under way.
func (k *Kernel) beginUndo(ctx context.Context, batch uuid.UUID) (*UndoRun, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	who, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("note who asks for an undo: %w", err)
	}
	var by *uuid.UUID
	if a.ID != uuid.Nil {
		by = &a.ID
	}
	var out *UndoRun
	err = k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var total, merges int64
		if err := tx.QueryRow(ctx, `select count(*), count(*) filter (where action = $3 and data->>'was' = $4) from journal where tenant_id = $1 and batch_id = $2`,
			a.TenantID, batch, actUndone, merged).Scan(&total, &merges); err != nil {
			return err
		}
		switch {
		case total == 0:
			return errs.Missing("batch of changes")
		case merges > 0:
			return errMergeAgain
		}
		_, err := tx.Exec(ctx, `insert into undos (tenant_id, id, batch_id, total, before_seq, actor, created_at, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8)
		  on conflict (tenant_id, batch_id) where state = 'running' do nothing`, a.TenantID, id.New(), batch, total, int64(math.MaxInt64), who, k.Now().UTC(), by)
		if err != nil {
			return err
		}
		out, err = readUndo(ctx, tx, `where tenant_id = $1 and batch_id = $2 and state = 'running'`, a.TenantID, batch)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetUndo returns an undo of the actor's own, or any for whoever looks after the
// journal.
func (k *Kernel) GetUndo(ctx context.Context, undo uuid.UUID) (*UndoRun, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	var out *UndoRun
	err = k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		out, err = readUndo(ctx, tx, `where tenant_id = $1 and id = $2`, a.TenantID, undo)
		return err
	})
	if err != nil {
		return nil, err
	}
	own := out.CreatedBy != nil && *out.CreatedBy == a.ID
	if !own && a.Grants.Scope(journalAdmin, auth.Execute) == auth.None {
		return nil, errs.Missing("undo")
	}
	return k.shownRun(ctx, out, nil)
}

func readUndo(ctx context.Context, tx pgx.Tx, where string, args ...any) (*UndoRun, error) {
	rows, err := tx.Query(ctx, `select `+undoColumns+` from undos `+where, args...)
	if err != nil {
		return nil, err
	}
	r, err := pgx.CollectOneRow(rows, scanUndo)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errs.Missing("undo")
	}
	return r, err
}

func scanUndo(row pgx.CollectableRow) (*UndoRun, error) {
	r := &UndoRun{}
	var conflicts []byte
	err := row.Scan(&r.ID, &r.BatchID, &r.State, &r.Total, &r.before, &r.Reversed, &r.LeftOut, &conflicts, &r.Conflicted, &r.kept, &r.actor, &r.Error, &r.CreatedAt, &r.CreatedBy, &r.FinishedAt)
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(conflicts, &r.Conflicts)
}

// ContinueUndo takes chunks back until the batch is done or the time is up (zero =
// no limit). Place and findings are committed with each chunk, so that a killed
// process goes on exactly where it was; two at the same undo take turns.
func (k *Kernel) ContinueUndo(ctx context.Context, undo uuid.UUID, until time.Time) (*UndoRun, error) {
	for {
		r, err := k.undoStep(ctx, undo)
		if err != nil {
			return nil, err
		}
		if r.State != UndoRunning || (!until.IsZero() && k.Now().After(until)) {
			return k.shownRun(ctx, r, nil)
		}
	}
}

// FailUndo ends an undo that cannot go on; what was taken back stays so.
func (k *Kernel) FailUndo(ctx context.Context, undo uuid.UUID, why string) error {
	return k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update undos set state = 'failed', error = $3, finished_at = $4 where tenant_id = $1 and id = $2 and state = 'running'`,
			auth.From(ctx).TenantID, undo, why, k.Now().UTC())
		return err
	})
}

// undoStep takes one chunk back, in one transaction.
func (k *Kernel) undoStep(ctx context.Context, undo uuid.UUID) (*UndoRun, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	var out *UndoRun
	err = k.DB.Tx(undoing(ctx, undo), func(ctx context.Context, tx pgx.Tx) error {
		r, err := readUndo(ctx, tx, `where tenant_id = $1 and id = $2 for update`, a.TenantID, undo)
		if err != nil || r.State != UndoRunning {
			out = r
			return err
		}
		entries, err := k.entries(ctx, db.Query{
			SQL: "select " + entryColumns + ` from journal j
		  where j.tenant_id = $1 and j.batch_id = $2 and j.seq < $3 order by j.seq desc limit $4`,
			Args: []any{a.TenantID, r.BatchID, r.before, undoChunk},
		})
		if err != nil {
			return err
		}
		if err := k.undoRows(ctx, tx, r, entries); err != nil {
			return err
		}
		out = r
		return k.saveUndo(ctx, tx, r)
	})
	if err != nil {
		return nil, fmt.Errorf("take a batch back: %w", err)
	}
	return out, nil
}

// undoRows takes rows back and notes in r what came of it.
func (k *Kernel) undoRows(ctx context.Context, tx pgx.Tx, r *UndoRun, entries []Entry) error {
	if len(entries) > 0 {
		u := &undoer{k: k, out: &Undone{}, batch: true, kept: map[uuid.UUID]bool{}}
		for _, id := range r.kept {
			u.kept[id] = true
		}
		var err error
		if u.undone, err = k.undoneBefore(ctx, tx, r, entries); err != nil {
			return err
		}
		if err := u.takeBack(ctx, tx, entries); err != nil {
			return err
		}
		r.before = entries[len(entries)-1].Seq
		r.Reversed += int64(u.out.Reversed)
		r.LeftOut += int64(u.out.LeftOut)
		r.Conflicted += int64(len(u.out.Conflicts))
		r.Conflicts = append(r.Conflicts, u.out.Conflicts[:min(len(u.out.Conflicts), maxConflicts-len(r.Conflicts))]...)
		r.kept = slices.AppendSeq([]uuid.UUID{}, maps.Keys(u.kept))
	}
	if len(entries) < undoChunk {
		now := k.Now().UTC()
		r.State, r.FinishedAt = UndoDone, &now
	}
	return nil
}

// undoneBefore asks for rows that are undone already, only when the batch was taken
// back before: the question costs, and a first undo has no need of the answer.
func (k *Kernel) undoneBefore(ctx context.Context, tx pgx.Tx, r *UndoRun, entries []Entry) (map[int64]bool, error) {
	var again bool
	err := tx.QueryRow(ctx, `select exists (select from undos where tenant_id = $1 and batch_id = $2 and id <> $3)`, auth.From(ctx).TenantID, r.BatchID, r.ID).Scan(&again)
	if err != nil || !again {
		return nil, err
	}
	return k.takenBack(ctx, entries)
}

func (k *Kernel) saveUndo(ctx context.Context, tx pgx.Tx, r *UndoRun) error {
	conflicts, err := json.Marshal(r.Conflicts)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update undos set state = $3, before_seq = $4, reversed = $5, left_out = $6, conflicts = $7, conflicted = $8, kept = $9, finished_at = $10
	  where tenant_id = $1 and id = $2`, auth.From(ctx).TenantID, r.ID, r.State, r.before, r.Reversed, r.LeftOut, conflicts, r.Conflicted, r.kept, r.FinishedAt)
	return err
}
