package recordhttp

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

var changeSchema = rest.Obj(map[string]rest.Schema{
	"seq": rest.Int, "type": rest.Str, "at": rest.Time, "object": rest.Str, "record_id": rest.UUID, "action": rest.Str, "via": rest.Str,
	"request_id": rest.Str, "batch_id": rest.Nullable(rest.UUID), "cause_seq": rest.Nullable(rest.Int),
	"actor":   rest.Obj(map[string]rest.Schema{"kind": rest.Str, "id": rest.Nullable(rest.UUID), "name": rest.Str}, "kind", "id", "name"),
	"changes": {"type": "object"}, "data": {"type": "object"},
}, "seq", "type", "at", "object", "record_id", "action", "actor", "changes")

func (a *API) journalRoutes() []rest.Route {
	return []rest.Route{
		{
			Method: "GET", Path: "/changes", Name: "changes.list", Summary: "The change feed, oldest first, deletes included", Tag: "journal", Object: "journal", Action: auth.Read,
			Params: []rest.Param{{Name: "after", Description: "Sequence number to start after.", Schema: rest.Int}, {Name: "object", Description: "Only this object.", Schema: rest.Str}, {Name: "limit", Description: "1 to 200.", Schema: rest.Int}},
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(rest.Ref("Change")), "next_after": rest.Int}, "data", "next_after"), Handle: a.changes,
		},
		{
			Method: "POST", Path: "/undo", Name: "journal.undo", Summary: "Reverse one change or a whole batch", Tag: "journal", Object: "",
			Body:   rest.Obj(map[string]rest.Schema{"seq": rest.Int, "batch_id": rest.UUID}),
			Answer: rest.Obj(map[string]rest.Schema{"reversed": rest.Int, "conflicts": rest.Array(rest.Schema{"type": "object"})}, "reversed", "conflicts"), Handle: a.undo,
		},
		{
			Method: "GET", Path: "/search", Name: "search", Summary: "Search all objects, best first", Tag: "search", Object: "",
			Params: []rest.Param{{Name: "q", Description: "Words.", Schema: rest.Str}, {Name: "limit", Description: "1 to 50.", Schema: rest.Int}},
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(rest.Obj(map[string]rest.Schema{"object": rest.Str, "id": rest.UUID, "title": rest.Str, "record": {"type": "object"}}, "object", "id", "title"))}, "data"), Handle: a.search,
		},
		{
			Method: "GET", Path: "/custom_fields", Name: "custom_fields.list", Summary: "The custom fields of every object", Tag: "custom_fields", Object: "",
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(rest.Ref("FieldInfo"))}, "data"), Handle: a.listCustom,
		},
		{
			Method: "POST", Path: "/custom_fields", Name: "custom_fields.create", Summary: "Add a custom field to an object", Tag: "custom_fields", Object: "custom_field", Action: auth.Create, Status: 201,
			Body:   rest.Obj(map[string]rest.Schema{"object": rest.Str, "name": rest.Str, "label": rest.Str, "type": rest.Str, "options": rest.Array(rest.Str)}, "object", "name", "type"),
			Answer: rest.Schema{"type": "object"}, Handle: a.createCustom,
		},
	}
}

// Change is one journal row as the API shows it.
type Change struct {
	Seq       int64             `json:"seq"`
	Type      string            `json:"type"`
	At        time.Time         `json:"at"`
	Object    string            `json:"object"`
	RecordID  uuid.UUID         `json:"record_id"`
	Action    string            `json:"action"`
	Via       string            `json:"via"`
	RequestID string            `json:"request_id"`
	BatchID   *uuid.UUID        `json:"batch_id"`
	CauseSeq  *int64            `json:"cause_seq"`
	Actor     Actor             `json:"actor"`
	Changes   map[string][2]any `json:"changes"`
	Data      map[string]any    `json:"data"`
}

// Actor names who made a change.
type Actor struct {
	Kind string     `json:"kind"`
	ID   *uuid.UUID `json:"id"`
	Name string     `json:"name"`
}

func wireChange(e record.Entry) Change {
	return Change{e.Seq, e.Type(), e.At, e.Object, e.RecordID, e.Action, e.Via, e.RequestID, e.BatchID, e.CauseSeq, Actor{e.ActorKind, e.ActorID, e.ActorName}, e.Changes, e.Data}
}

func intParam(r *http.Request, name string, fallback, low, high int64) (int64, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < low || n > high {
		return 0, errs.New(errs.Malformed, "bad_parameter", "%s must be a whole number from %d to %d.", name, low, high)
	}
	return n, nil
}

func (a *API) timeline(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := rest.PathID(r, "id")
		if err != nil {
			return err
		}
		if _, err := o.Get(r.Context(), id); err != nil {
			return err
		}
		limit, err := intParam(r, "limit", record.DefaultLimit, 1, record.MaxLimit)
		if err != nil {
			return err
		}
		before, err := intParam(r, "cursor", 0, 0, 1<<62)
		if err != nil {
			return err
		}
		entries, err := a.k.Timeline(r.Context(), o.Def.Name, id, before, int(limit)+1)
		if err != nil {
			return err
		}
		var next *string
		if len(entries) > int(limit) {
			entries = entries[:limit]
			s := strconv.FormatInt(entries[limit-1].Seq, 10)
			next = &s
		}
		return rest.JSON(w, 200, map[string]any{"data": wireChanges(entries), "next_cursor": next})
	}
}

func wireChanges(entries []record.Entry) []Change {
	out := make([]Change, len(entries))
	for i, e := range entries {
		out[i] = wireChange(e)
	}
	return out
}

func (a *API) changes(w http.ResponseWriter, r *http.Request) error {
	after, err := intParam(r, "after", 0, 0, 1<<62)
	if err != nil {
		return err
	}
	limit, err := intParam(r, "limit", record.DefaultLimit, 1, record.MaxLimit)
	if err != nil {
		return err
	}
	entries, last, err := a.k.Changes(r.Context(), after, r.URL.Query().Get("object"), int(limit))
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, map[string]any{"data": wireChanges(entries), "next_after": last})
}

func (a *API) undo(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Seq     int64      `json:"seq"`
		BatchID *uuid.UUID `json:"batch_id"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	var undone *record.Undone
	var err error
	switch {
	case in.Seq > 0 && in.BatchID == nil:
		undone, err = a.k.Undo(r.Context(), in.Seq)
	case in.BatchID != nil && in.Seq == 0:
		undone, err = a.k.UndoBatch(r.Context(), *in.BatchID)
	default:
		err = errs.Field("seq", "required", "Send either seq or batch_id.")
	}
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, undone)
}

func (a *API) search(w http.ResponseWriter, r *http.Request) error {
	limit, err := intParam(r, "limit", 20, 1, 50)
	if err != nil {
		return err
	}
	hits, err := a.k.Search(r.Context(), r.URL.Query().Get("q"), int(limit))
	if err != nil {
		return err
	}
	type hit struct {
		Object string          `json:"object"`
		ID     uuid.UUID       `json:"id"`
		Title  string          `json:"title"`
		Record json.RawMessage `json:"record"`
	}
	out := make([]hit, len(hits))
	for i, h := range hits {
		out[i] = hit{h.Object, h.Record.ID(), h.Record.Title(), h.Record.AppendJSON(nil, nil, nil)}
	}
	return rest.JSON(w, 200, map[string]any{"data": out})
}

func (a *API) listCustom(w http.ResponseWriter, r *http.Request) error {
	out := []FieldInfo{}
	for _, o := range a.k.Objects() {
		def, err := a.k.Definition(r.Context(), o.Def.Name)
		if err != nil {
			return err
		}
		for _, f := range def.CustomFields() {
			out = append(out, FieldInfo{Name: o.Def.Name + "." + f.Name, Label: f.Label, Type: f.Type.Name(), Custom: true, Options: f.Options, Filters: f.Type.Ops()})
		}
	}
	return rest.JSON(w, 200, map[string]any{"data": out})
}

func (a *API) createCustom(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Object  string   `json:"object"`
		Name    string   `json:"name"`
		Label   string   `json:"label"`
		Type    string   `json:"type"`
		Options []string `json:"options"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	object := strings.TrimSpace(in.Object)
	if o, ok := a.k.ByPlural(object); ok {
		object = o.Def.Name
	}
	if err := a.k.AddCustomFields(r.Context(), []record.CustomField{{Object: object, Name: in.Name, Label: in.Label, Type: in.Type, Options: in.Options}}); err != nil {
		return err
	}
	return rest.JSON(w, 201, in)
}
