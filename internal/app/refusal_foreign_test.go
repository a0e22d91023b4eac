package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/app/apptest"
)

// isID fits schemas of ids.
func isID(s map[string]any) bool { return s["format"] == "uuid" }

// foreignIDs are the ids of the other tenant's samples by object.
func (r *refusals) foreignIDs(t *testing.T) map[string]uuid.UUID {
	t.Helper()
	out := map[string]uuid.UUID{}
	for _, o := range r.env.App.Kernel.ObjectsFor(r.foreign.Ctx) {
		out[o.Def.Name] = r.samples.ID(t, o.Def.Name)
	}
	for _, name := range []string{"api_key", "import", "export", "message", "provider", "undo", "custom_field", "scoring_model"} {
		out[name] = r.samples.ID(t, name)
	}
	return out
}

// TestForeignIDsAnywhereInBodies puts the ids of another tenant into every place of
// every body that takes an id, nested and in lists. Nothing of theirs is shown or
// changed, and no row of the caller holds such an id afterwards.
func TestForeignIDsAnywhereInBodies(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	ids := r.foreignIDs(t)
	theirs := everyRow(t, r.env, r.foreign.ID)
	r.w.news(t)
	places, taken := 0, 0
	for _, c := range r.routes() {
		if c.Body == nil || c.Upload {
			continue
		}
		for _, path := range r.leaves(c.body(), isID, 0) {
			places++
			for _, object := range r.candidates(c, path, ids) {
				body := encode(t, put(r.good(c), path, ids[object].String()))
				a := r.send(t, r.caller.Key, c.Method, r.address(t, c, r.own), "application/json", body)
				r.noForeign(t, fmt.Sprintf("%s with a foreign %s as %v", c, object, path), string(body), ids, a)
				taken += r.control(t, c, path, object)
			}
		}
	}
	if places < 60 || taken < 30 {
		t.Errorf("only %d places for ids, of which %d take an id of one's own", places, taken)
	}
	sameRows(t, "the other tenant", theirs, everyRow(t, r.env, r.foreign.ID))
	r.notLinked(t, ids)
}

// control sends the same with an id of the caller's own: where that is taken, the id of
// the other tenant was refused for what it is. It returns 1 when it was taken.
func (r *refusals) control(t *testing.T, c call, path []any, object string) int {
	t.Helper()
	body := encode(t, put(r.good(c), path, r.own.ID(t, object).String()))
	a := r.send(t, r.caller.Key, c.Method, r.address(t, c, r.own), "application/json", body)
	r.judge(t, fmt.Sprintf("%s with a %s as %v", c, object, path), string(body), a)
	if a.Status < 300 {
		return 1
	}
	return 0
}

// candidates are the objects whose foreign ids could do harm at a place: the one that
// its name tells, or all when it tells none.
func (r *refusals) candidates(c call, path []any, ids map[string]uuid.UUID) []string {
	name := ""
	for _, step := range path {
		if s, ok := step.(string); ok {
			name = s
		}
	}
	object := strings.TrimSuffix(name, "_id")
	if object == "owner" || object == "manager" {
		object = "user"
	}
	if _, ok := ids[object]; ok {
		return []string{object}
	}
	if _, ok := ids[objectOf(c)]; ok {
		return []string{objectOf(c), "user", "contact"}
	}
	return slices.Sorted(maps.Keys(ids))
}

// noForeign: what the other tenant has is not in the answer, neither its words nor
// those of its ids that the caller did not send.
func (r *refusals) noForeign(t *testing.T, what, sent string, ids map[string]uuid.UUID, a *apptest.Answer) {
	t.Helper()
	for object, id := range ids {
		if bytes.Contains(a.Raw, []byte(id.String())) && !strings.Contains(sent, id.String()) {
			t.Errorf("%s shows a foreign %s: %.300s", what, object, a.Raw)
		}
	}
	r.judge(t, what, sent, a)
}

// notLinked reads every column of every row the caller has.
func (r *refusals) notLinked(t *testing.T, ids map[string]uuid.UUID) {
	t.Helper()
	var all []string
	for _, id := range ids {
		all = append(all, id.String())
	}
	rows, err := r.env.SQL.Owner.Query(t.Context(), `select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
		where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'witnessed'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 40 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	var parts []string
	for _, table := range tables {
		parts = append(parts, fmt.Sprintf(`select distinct '%[1]s.' || f.key || ' ' || wanted.word from %[1]s t, jsonb_each_text(to_jsonb(t)) f, unnest($2::text[]) wanted (word)
			where t.tenant_id = $1 and strpos(f.value, wanted.word) > 0`, table))
	}
	rows, err = r.env.SQL.Owner.Query(t.Context(), strings.Join(parts, " union all "), r.caller.ID, all)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		t.Errorf("rows of the caller hold ids of the other tenant: %v", found)
	}
}

// TestForeignIDsInQuestions puts them into every parameter of every list: filters by
// each field, views, segments, moments and whatever else takes a text.
func TestForeignIDsInQuestions(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	ids := r.foreignIDs(t)
	theirs := everyRow(t, r.env, r.foreign.ID)
	for _, c := range r.routes() {
		if c.Method != "GET" {
			continue
		}
		path := r.address(t, c, r.own)
		for _, q := range r.idQuestions(t, c, ids) {
			a := r.send(t, r.caller.Key, c.Method, path+"?"+q, "", nil)
			sent, _ := url.QueryUnescape(q)
			r.noForeign(t, c.String()+"?"+sent, sent, ids, a)
			if strings.HasPrefix(q, "view=") || strings.Contains(q, "in_segment") || strings.Contains(q, "segment=") {
				r.findsNothing(t, c.String()+"?"+sent, a)
			}
		}
	}
	if r.seen < 300 {
		t.Errorf("only %d calls", r.seen)
	}
	sameRows(t, "the other tenant", theirs, everyRow(t, r.env, r.foreign.ID))
}

func (r *refusals) idQuestions(t *testing.T, c call, ids map[string]uuid.UUID) []string {
	t.Helper()
	var out []string
	ask := func(name string, v any) {
		out = append(out, url.QueryEscape(name)+"="+url.QueryEscape(fmt.Sprint(v)))
	}
	for _, p := range c.Params {
		switch id, known := ids[strings.TrimSuffix(p.Name, "_id")]; {
		case known:
			ask(p.Name, id)
		case slices.Contains([]string{"cursor", "after", "limit", "count", "at"}, p.Name):
		default:
			ask(p.Name, ids["contact"])
		}
	}
	o, ok := r.env.App.Kernel.ObjectFor(r.caller.Ctx, objectOf(c))
	if !c.Filters || !ok {
		return out
	}
	for _, f := range o.Def.Fields {
		if id, known := ids[f.Target]; known && f.Target != "" {
			ask(f.Name, id)
			ask(f.Name+"[in]", fmt.Sprint(id, ",", ids["user"]))
		}
	}
	ask("id", ids[o.Def.Name])
	ask("id[in_segment]", ids["segment"])
	ask("filter", string(encode(t, map[string]any{"field": "id", "op": "eq", "value": ids[o.Def.Name]})))
	return out
}

// findsNothing: a list that was narrowed by what is not there is refused or empty.
func (r *refusals) findsNothing(t *testing.T, what string, a *apptest.Answer) {
	t.Helper()
	var page struct{ Data []any }
	_ = json.Unmarshal(a.Raw, &page)
	if a.Status < 400 && len(page.Data) > 0 {
		t.Errorf("%s finds %d: %.200s", what, len(page.Data), a.Raw)
	}
}

// TestForeignCursors takes the second page of every list of the other tenant.
func TestForeignCursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lists := 0
	for _, o := range w.env.App.Kernel.ObjectsFor(w.foreign.Ctx) {
		w.samples.ID(t, o.Def.Name)
		for i := range 2 { // one more of what can be made without much
			w.foreign.Call(t, "POST", "/"+o.Def.Plural, map[string]any{"name": fmt.Sprint("N", i)})
		}
	}
	seen := map[string]string{}
	for _, route := range w.env.App.API().Routes() {
		route.Path = strings.ReplaceAll(route.Path, ownParam, ownPlural)
		if route.Method != "GET" || strings.Contains(route.Path, "{") {
			continue
		}
		page := w.foreign.Call(t, "GET", route.Path+"?limit=1", nil)
		cursor, _ := page.JSON["next_cursor"].(string)
		if cursor == "" {
			continue
		}
		lists++
		seen[route.Path] = cursor
		a := w.caller.Call(t, "GET", route.Path+"?limit=1&cursor="+url.QueryEscape(cursor), nil)
		if a.Status != 400 {
			t.Errorf("%s with the other tenant's cursor: %d %.200s", route.Path, a.Status, a.Raw)
		}
		w.noCanary(t, route, a)
	}
	if lists < 4 {
		t.Errorf("only the lists %v have two pages", slices.Sorted(maps.Keys(seen)))
	}
}
