package recordhttp

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

func (a *API) mergeRoute(o *record.Object) rest.Route {
	d := o.Def
	return rest.Route{
		Method: "POST", Path: "/" + d.Plural + "/merge", Name: d.Plural + ".merge", Tag: d.Plural, Object: d.Name, Action: auth.Update,
		Summary: "Make one of several " + strings.ToLower(d.LabelPlural) + ", with all that belongs to them",
		Body: rest.Obj(map[string]rest.Schema{
			"into": rest.UUID, "from": rest.Array(rest.UUID),
			"values": {"type": "object", "description": `Fields of the result: a value, or {"from": id} to take it from one of the records.`},
		}, "into", "from"),
		Answer: rest.Obj(map[string]rest.Schema{
			"id": rest.UUID, "from": rest.Array(rest.UUID), "batch_id": rest.UUID, "moved": {"type": "object", "additionalProperties": rest.Int}, "data": rest.Ref(schemaName(d)),
		}, "id", "from", "batch_id", "moved", "data"),
		Handle: a.merge(o),
	}
}

func (a *API) merge(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in struct {
			Into   uuid.UUID      `json:"into"`
			From   []uuid.UUID    `json:"from"`
			Values map[string]any `json:"values"`
		}
		if err := rest.Decode(r, &in); err != nil {
			return err
		}
		def, err := a.k.Definition(r.Context(), o.Def.Name)
		if err != nil {
			return err
		}
		m := record.Merge{Into: in.Into, From: in.From, Chosen: map[string]uuid.UUID{}}
		takeChosen(&m, in.Values, "")
		if custom, ok := in.Values["custom"].(map[string]any); ok {
			takeChosen(&m, custom, "custom.")
		}
		if m.Values, err = def.ParseJSON(in.Values); err != nil {
			return err
		}
		done, err := o.Merge(r.Context(), m)
		if err != nil {
			return err
		}
		w.Header().Set("ETag", rest.ETag(done.Record.Version()))
		return rest.JSON(w, 200, map[string]any{
			"id": done.Record.ID(), "from": done.From, "batch_id": done.BatchID, "moved": done.Moved,
			"data": json.RawMessage(done.Record.AppendJSON(nil, nil, nil)),
		})
	}
}

// takeChosen moves {"from": id} out of the values.
func takeChosen(m *record.Merge, values map[string]any, prefix string) {
	for name, v := range values {
		choice, ok := v.(map[string]any)
		if !ok || len(choice) != 1 {
			continue
		}
		text, _ := choice["from"].(string)
		if u, ok := id.Parse(text); ok {
			m.Chosen[prefix+name] = u
			delete(values, name)
		}
	}
}

// moved answers for a record that was merged: the address of the one it became part
// of. It is not for ever, since a merge can be undone, so nobody may keep it.
func (a *API) moved(w http.ResponseWriter, r *http.Request, o *record.Object, old uuid.UUID) (bool, error) {
	if r.URL.Query().Get("redirect") == "false" {
		return false, nil
	}
	to, err := o.MergedInto(r.Context(), old)
	if err != nil || to == nil {
		return false, err
	}
	u := *r.URL
	u.Path = "/api/v1/" + o.Def.Plural + "/" + to.ID().String()
	w.Header().Set("Location", u.RequestURI())
	w.Header().Set("Cache-Control", "no-store")
	return true, rest.JSON(w, http.StatusPermanentRedirect, map[string]any{"id": to.ID(), "merged_from": old, "url": u.Path})
}

// purge answers DELETE ?purge=true: for good, not into the bin.
func (a *API) purge(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	u, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if _, _, err := auth.Require(r.Context(), o.Def.Name, auth.Purge); err != nil {
		return err
	}
	version, err := rest.IfMatch(r)
	if err != nil {
		return err
	}
	if version != nil {
		rec, err := o.Get(r.Context(), u)
		if err != nil {
			return err
		}
		if rec.Version() != *version {
			return errs.New(errs.Stale, "stale_version", "Somebody changed this record meanwhile; it is now version %d. Load it again.", rec.Version())
		}
	}
	if err := o.Purge(r.Context(), u); err != nil {
		return err
	}
	return rest.NoContent(w)
}

// purges reads the purge parameter of a DELETE.
func purges(r *http.Request) (bool, error) {
	switch r.URL.Query().Get("purge") {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, errs.New(errs.Malformed, "bad_parameter", "purge is true or false.")
}
