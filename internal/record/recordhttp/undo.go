package recordhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// Undos takes batches back, at once or by a job.
type Undos interface {
	Undo(ctx context.Context, batch uuid.UUID) (*record.UndoRun, error)
}

// WithUndos has large batches undone by somebody who has jobs.
func (a *API) WithUndos(u Undos) *API {
	a.undos = u
	return a
}

// inline undoes batches of any size within the request.
type inline struct{ k *record.Kernel }

func (i inline) Undo(ctx context.Context, batch uuid.UUID) (*record.UndoRun, error) {
	run, err := i.k.StartUndo(ctx, batch)
	if err != nil {
		return nil, err
	}
	return i.k.ContinueUndo(ctx, run.ID, time.Time{})
}

var (
	conflictSchema = rest.Obj(map[string]rest.Schema{
		"object": rest.Str, "record_id": rest.UUID, "field": rest.Str, "expected": rest.Any, "current": rest.Any,
		"reason": {"type": "string", "enum": []any{record.ConflictChanged, record.ConflictNeeded, record.ConflictForbidden, record.ConflictPurged, record.ConflictRefused}}, "message": rest.Str,
	}, "object", "record_id", "field")
	undoSchema = rest.Obj(map[string]rest.Schema{
		"id": rest.UUID, "state": {"type": "string", "enum": []any{record.UndoRunning, record.UndoDone, record.UndoFailed}}, "total": rest.Int,
		"reversed": rest.Int, "left_out": rest.Int, "conflicts": rest.Array(conflictSchema), "conflicted": rest.Int,
		"seq": rest.Int, "batch_id": rest.UUID, "error": rest.Str,
	}, "reversed", "conflicts")
)

func (a *API) undoRoutes() []rest.Route {
	return []rest.Route{
		{
			Method: "POST", Path: "/undo", Name: "journal.undo", Summary: "Reverse one change or a whole batch; 202 when a job does it", Tag: "journal", Object: "",
			Body: rest.Obj(map[string]rest.Schema{"seq": rest.Int, "batch_id": rest.UUID}), Answer: undoSchema, Also: []int{202}, Handle: a.undo,
		},
		{
			Method: "GET", Path: "/undo/{id}", Name: "journal.undo_state", Summary: "How far the undo of a batch has come", Tag: "journal", Object: "",
			IDs: map[string]string{"id": "undo"}, Answer: undoSchema, Handle: a.undoState,
		},
	}
}

func (a *API) undo(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Seq     int64      `json:"seq"`
		BatchID *uuid.UUID `json:"batch_id"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	switch {
	case in.Seq > 0 && in.BatchID == nil:
		undone, err := a.k.Undo(r.Context(), in.Seq)
		if err != nil {
			return err
		}
		return rest.JSON(w, 200, undone)
	case in.BatchID != nil && in.Seq == 0:
		run, err := a.undos.Undo(r.Context(), *in.BatchID)
		if err != nil {
			return err
		}
		return answerUndo(w, run)
	}
	return errs.Field("seq", "required", "Send either seq or batch_id.")
}

func answerUndo(w http.ResponseWriter, run *record.UndoRun) error {
	if run.State == record.UndoRunning {
		w.Header().Set("Location", "/api/v1/undo/"+run.ID.String())
		return rest.JSON(w, http.StatusAccepted, wireUndo(run))
	}
	if run.Reversed == 0 && run.Conflicted == 0 && run.LeftOut > 0 {
		return errs.Missing("batch of changes")
	}
	return rest.JSON(w, 200, wireUndo(run))
}

// undoAnswer is a run as the API shows it. batch_id is the undo's own batch: undo
// that to do it all again.
type undoAnswer struct {
	ID    uuid.UUID `json:"id"`
	State string    `json:"state"`
	Total int64     `json:"total"`
	*record.Undone
	Conflicted int64  `json:"conflicted"`
	Error      string `json:"error,omitempty"`
}

func wireUndo(run *record.UndoRun) undoAnswer {
	return undoAnswer{run.ID, run.State, run.Total, run.Undone(), run.Conflicted, run.Error}
}

func (a *API) undoState(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	run, err := a.k.GetUndo(r.Context(), id)
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, wireUndo(run))
}
