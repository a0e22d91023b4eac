package recordhttp

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// getAsOf answers a read of a past state. It has no ETag: there is nothing to
// change about it.
func (a *API) getAsOf(w http.ResponseWriter, r *http.Request, o *record.Object, id uuid.UUID) error {
	at, err := time.Parse(time.RFC3339, r.URL.Query().Get("at"))
	if err != nil {
		return errs.New(errs.Malformed, "bad_parameter", "at is a moment such as 2026-11-21T09:30:00Z.")
	}
	rec, err := o.AsOf(r.Context(), id, at)
	if err != nil {
		return err
	}
	only, err := a.fields(r, o)
	if err != nil {
		return err
	}
	return rest.Raw(w, 200, rec.AppendJSON(nil, only, nil))
}

// restore brings a record back from the bin, or with a moment in the body sets it
// back to what it was then.
func (a *API) restore(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in struct {
			At *time.Time `json:"at"`
		}
		if err := rest.Decode(r, &in); err != nil {
			return err
		}
		if in.At == nil {
			res, err := a.byID(r, o, record.OpRestore)
			if err != nil {
				return err
			}
			return a.answer(w, r, o, 200, res.Record)
		}
		id, err := rest.PathID(r, "id")
		if err != nil {
			return err
		}
		version, err := rest.IfMatch(r)
		if err != nil {
			return err
		}
		rec, err := o.RestoreTo(r.Context(), id, *in.At, version)
		if err != nil {
			return err
		}
		return a.answer(w, r, o, 200, rec)
	}
}
