// Package objectshttp serves what can be done to views and segments beyond reading
// and writing them: members, counts, snapshots, and the forms on list pages that
// save a view. Every rule is the objects service's.
package objectshttp

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"crm/internal/objects"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/recordhttp"
)

// HTTP serves the calls of the context.
type HTTP struct {
	s *objects.Service
}

// New makes the handlers of a service.
func New(s *objects.Service) *HTTP { return &HTTP{s} }

// Routes is the context's part of the route table.
func (h *HTTP) Routes() []rest.Route {
	ids := map[string]string{"id": "segment"}
	return []rest.Route{
		{
			Method: "GET", Path: "/segments/{id}/members", Name: "segments.members", Summary: "Records in a segment that the caller may see; filters as in their list", Tag: "segments",
			Object: "segment", Action: auth.Read, IDs: ids, Params: []rest.Param{
				{Name: "limit", Description: "1 to 200.", Schema: rest.Int},
				{Name: "cursor", Description: "next_cursor of the page before.", Schema: rest.Str},
				{Name: "sort", Description: "Fields, - for descending.", Schema: rest.Str},
			},
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(rest.Any), "next_cursor": rest.Nullable(rest.Str)}, "data", "next_cursor"), Handle: h.members,
		},
		{
			Method: "POST", Path: "/segments/{id}/members", Name: "segments.change_members", Summary: "Add records to a static segment and take others out, up to 10,000", Tag: "segments",
			Object: "segment", Action: auth.Update, IDs: ids, Body: rest.Obj(map[string]rest.Schema{"add": rest.Array(rest.UUID), "remove": rest.Array(rest.UUID)}),
			Answer: rest.Obj(map[string]rest.Schema{"added": rest.Int, "removed": rest.Int, "missing": rest.Array(rest.UUID)}, "added", "removed", "missing"), Handle: h.change,
		},
		{
			Method: "GET", Path: "/segments/{id}/count", Name: "segments.count", Summary: "How many records of a segment the caller may see", Tag: "segments",
			Object: "segment", Action: auth.Read, IDs: ids, Answer: rest.Obj(map[string]rest.Schema{"count": rest.Int}, "count"), Handle: h.count,
		},
		{
			Method: "POST", Path: "/segments/{id}/snapshot", Name: "segments.snapshot", Summary: "Make a static segment of the members a segment has now", Tag: "segments", Status: 201,
			Object: "segment", Action: auth.Create, IDs: ids, Body: rest.Obj(map[string]rest.Schema{"name": rest.Str}), Answer: rest.Ref("Segment"), Handle: h.snapshot,
		},
	}
}

func (h *HTTP) members(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	o, in, err := h.s.Query(r.Context(), id)
	if err != nil {
		return err
	}
	q, _, err := o.ParseList(r.Context(), r.URL.Query())
	if err != nil {
		return err
	}
	if s := r.URL.Query().Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 1 {
			return errs.New(errs.Malformed, "bad_parameter", "limit must be between 1 and %d.", record.MaxLimit)
		}
	}
	q.Filter = record.And(in.Filter, q.Filter)
	page, err := o.List(r.Context(), q)
	if err != nil {
		return err
	}
	return rest.Raw(w, 200, recordhttp.AppendPage(page))
}

func (h *HTTP) change(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	var in struct {
		Add    []uuid.UUID `json:"add"`
		Remove []uuid.UUID `json:"remove"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	out, err := h.s.ChangeMembers(r.Context(), id, in.Add, in.Remove)
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, out)
}

func (h *HTTP) count(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	n, err := h.s.Count(r.Context(), id)
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, map[string]int{"count": n})
}

func (h *HTTP) snapshot(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	var in struct {
		Name string `json:"name"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	g, err := h.s.Snapshot(r.Context(), id, record.CleanText(in.Name))
	if err != nil {
		return err
	}
	rec, err := h.s.Segments.Object.Get(r.Context(), g.ID)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/segments/"+g.ID.String())
	return rest.Raw(w, 201, rec.AppendJSON(nil, nil, nil))
}
