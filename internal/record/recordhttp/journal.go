package recordhttp

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

var changeSchema = rest.Obj(map[string]rest.Schema{
	"seq": rest.Int, "depth": rest.Int, "type": rest.Str, "at": rest.Time, "object": rest.Str, "record_id": rest.UUID, "action": rest.Str, "via": rest.Str,
	"request_id": rest.Str, "batch_id": rest.Nullable(rest.UUID), "cause_seq": rest.Nullable(rest.Int),
	"actor":   rest.Obj(map[string]rest.Schema{"kind": rest.Str, "id": rest.Nullable(rest.UUID), "name": rest.Str}, "kind", "id", "name"),
	"changes": {"type": "object"}, "data": {"type": "object"},
}, "seq", "type", "at", "object", "record_id", "action", "actor", "changes")

func (a *API) journalRoutes() []rest.Route {
	out := []rest.Route{
		{
			Method: "GET", Path: "/changes", Name: "changes.list", Summary: "The change feed, in order, deletes included; go on at next_after until it stays the same", Tag: "journal", Object: "journal", Action: auth.Read,
			Params: []rest.Param{{Name: "after", Description: "Sequence number to start after.", Schema: rest.Int}, {Name: "object", Description: "Only this object.", Schema: rest.Str}, {Name: "limit", Description: "1 to 200.", Schema: rest.Int}},
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(rest.Ref("Change")), "next_after": rest.Int}, "data", "next_after"), Handle: a.changes,
		},
		{
			Method: "GET", Path: "/search", Name: "search", Summary: "Search all objects, best first", Tag: "search", Object: "",
			Params: []rest.Param{{Name: "q", Description: "Words.", Schema: rest.Str}, {Name: "limit", Description: "1 to 50.", Schema: rest.Int}},
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(rest.Obj(map[string]rest.Schema{"object": rest.Str, "id": rest.UUID, "title": rest.Str, "record": {"type": "object"}}, "object", "id", "title"))}, "data"), Handle: a.search,
		},
	}
	out = append(out, a.undoRoutes()...)
	return append(out, a.deadLetterRoutes()...)
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
	Depth     int               `json:"depth"`
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
	return Change{e.Seq, e.Type(), e.At, e.Object, e.RecordID, e.Action, e.Via, e.RequestID, e.BatchID, e.CauseSeq, e.Depth, Actor{e.ActorKind, e.ActorID, e.ActorName}, e.Changes, e.Data}
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
