package recordhttp

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// Conditional makes If-Match hold for every call that changes one record, acts
// included: the record is looked at before the act, and once more under its lock
// by the kernel, so that a change in between is not lost either.
func Conditional(k *record.Kernel) rest.Around {
	return func(route rest.Route, next rest.Handler) rest.Handler {
		if route.Method == http.MethodGet || route.IDs["id"] == "" {
			return next
		}
		return func(w http.ResponseWriter, r *http.Request) error {
			if r.Header.Get("If-Match") == "" {
				return next(w, r)
			}
			o, known := conditioned(r, k, route)
			if !known {
				return next(w, r)
			}
			e, err := expectation(r, o)
			if err != nil {
				return err
			}
			return next(w, r.WithContext(record.Expect(r.Context(), e)))
		}
	}
}

// conditioned is the object whose record the call changes.
func conditioned(r *http.Request, k *record.Kernel, route rest.Route) (*record.Object, bool) {
	if plural := chi.URLParam(r, OwnParam); plural != "" {
		return k.PluralFor(r.Context(), plural)
	}
	return k.Object(route.IDs["id"])
}

// expectation is what If-Match says of the record in the path, compared with the
// record as it is now. A record that is not there is left to the call itself.
func expectation(r *http.Request, o *record.Object) (record.Expectation, error) {
	versions, _, err := rest.Versions(r)
	if err != nil {
		return record.Expectation{}, err
	}
	id, err := rest.PathID(r, "id")
	if err != nil {
		return record.Expectation{}, err
	}
	e := record.Expectation{Object: o.Def.Name, ID: id, Versions: versions}
	rec, err := o.Get(r.Context(), id)
	if errs.KindOf(err) == errs.NotFound {
		return e, nil
	}
	if err != nil {
		return e, err
	}
	return e, e.Compare(rec)
}

// upsertExpectation reads If-Match (change only) and If-None-Match: * (create only).
func upsertExpectation(r *http.Request, o *record.Object) (context.Context, error) {
	versions, exists, err := rest.Versions(r)
	if err != nil {
		return nil, err
	}
	e := record.Expectation{Object: o.Def.Name, Versions: versions, Absent: rest.OnlyNew(r)}
	if !e.Absent && !exists && len(versions) == 0 {
		return r.Context(), nil
	}
	return record.Expect(r.Context(), e), nil
}
