package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"crm/internal/app/apptest"
	"crm/internal/record"
)

// guarded is a world in which one field after the other is withheld from a role.
type guarded struct {
	t       *testing.T
	env     *apptest.Env
	tn      *apptest.Tenant
	samples *apptest.Samples
	roles   int
}

// key is an API key of a new role with every right but these limits.
func (g *guarded) key(limits ...string) string {
	g.t.Helper()
	g.roles++
	grants := map[string]any{"*:create": "all", "*:read": "all", "*:update": "all", "*:delete": "all", "*:execute": "all"}
	for _, l := range limits {
		grants[l] = "none"
	}
	name := fmt.Sprint("limited_", g.roles)
	g.is(201, g.tn.Key, "POST", "/roles", map[string]any{"key": name, "name": name, "grants": grants})
	return g.tn.KeyFor(g.t, name)
}

func (g *guarded) do(key, method, path string, body any) *apptest.Answer {
	env := *g.env
	env.Limited = key != g.tn.Key
	return env.Do(g.t, key, method, "/api/v1"+path, body, nil)
}

func (g *guarded) is(status int, key, method, path string, body any) *apptest.Answer {
	g.t.Helper()
	a := g.do(key, method, path, body)
	if a.Status != status {
		g.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.Status, status, a.Raw)
	}
	return a
}

// limitable are the fields of an object that a role may withhold; the product says
// so itself, and the test counts them.
func limitable(d *record.Definition) []*record.Field {
	kept := []string{"id", "version", "created_at", "created_by", "updated_at", "updated_by", "deleted_at", "owner_id", "team_id", "custom", "sharing"}
	var out []*record.Field
	for _, f := range d.Fields {
		if !slices.Contains(kept, f.Name) && !f.Hidden {
			out = append(out, f)
		}
	}
	return out
}

func openGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{t: t, env: apptest.New(t)}
	g.tn = g.env.Tenant(t, "alpha")
	g.samples = apptest.NewSamples(g.tn)
	return g
}

// TestAHiddenFieldIsNowhere withholds every field of every object from a role of its
// own, one by one, and looks for it at every door.
func TestAHiddenFieldIsNowhere(t *testing.T) {
	t.Parallel()
	g := openGuarded(t)
	cases := 0
	for _, o := range g.env.App.Kernel.Objects() {
		if o.Def.System || o.Def.Name == "message" || o.Def.Name == "scoring_model" {
			continue // settings cannot be limited; the others are made by acts, not by a patch
		}
		id := g.samples.ID(t, o.Def.Name).String()
		for _, f := range limitable(o.Def) {
			cases++
			g.hidden(o.Def, f, id)
		}
	}
	if cases < 60 {
		t.Errorf("only %d fields were withheld", cases)
	}
}

func (g *guarded) hidden(d *record.Definition, f *record.Field, id string) {
	t, list := g.t, "/"+d.Plural
	key := g.key(d.Name + "." + f.Name + ":read")
	absent := func(door string, record any) {
		if m, ok := record.(map[string]any); ok {
			if _, has := m[f.Name]; has {
				t.Errorf("%s.%s is in the %s", d.Name, f.Name, door)
			}
		}
	}
	one := g.is(200, key, "GET", list+"/"+id, nil)
	absent("record", one.JSON)
	for _, row := range g.is(200, key, "GET", list+"?limit=5", nil).JSON["data"].([]any) {
		absent("list", row)
	}
	for _, e := range g.is(200, key, "GET", list+"/"+id+"/timeline", nil).JSON["data"].([]any) {
		absent("timeline", e.(map[string]any)["changes"])
	}
	for _, e := range g.is(200, key, "GET", "/changes?limit=200&object="+d.Name, nil).JSON["data"].([]any) {
		absent("change feed", e.(map[string]any)["changes"])
	}
	schema := string(g.is(200, key, "GET", list+"/schema", nil).Raw)
	if strings.Contains(schema, fmt.Sprintf("%q:%q", "name", f.Name)) {
		t.Errorf("%s.%s is in the schema", d.Name, f.Name)
	}
	g.asIfUnknown(key, d, f, id)
}

// asIfUnknown names the field wherever a name is taken: the answer must be the one for
// a name that never was.
func (g *guarded) asIfUnknown(key string, d *record.Definition, f *record.Field, id string) {
	list := "/" + d.Plural
	doors := []func(name string) *apptest.Answer{
		func(n string) *apptest.Answer {
			return g.do(key, "GET", list+"?"+url.Values{n + "[is_null]": {"false"}}.Encode(), nil)
		},
		func(n string) *apptest.Answer { return g.do(key, "GET", list+"?sort="+n, nil) },
		func(n string) *apptest.Answer { return g.do(key, "GET", list+"?fields="+n, nil) },
		func(n string) *apptest.Answer {
			return g.do(key, "GET", list+"?expand="+strings.TrimSuffix(n, "_id"), nil)
		},
		func(n string) *apptest.Answer {
			return g.do(key, "POST", list+"/aggregate", map[string]any{"group_by": []any{n}})
		},
		func(n string) *apptest.Answer {
			return g.do(key, "POST", list+"/aggregate", map[string]any{"measures": []any{map[string]any{"fn": "count", "field": n}}})
		},
		func(n string) *apptest.Answer {
			return g.do(key, "PATCH", list+"/"+id, map[string]any{n: nil})
		},
		func(n string) *apptest.Answer {
			return g.do(key, "POST", "/exports", map[string]any{"object": d.Name, "format": "csv", "fields": []any{n}})
		},
		func(n string) *apptest.Answer {
			return g.do(key, "POST", "/views", map[string]any{"name": "V", "object": d.Name, "columns": []any{n}})
		},
		func(n string) *apptest.Answer {
			return g.do(key, "POST", "/segments", map[string]any{"name": "S", "object": d.Name, "filter": map[string]any{"field": n, "op": "is_null", "value": true}})
		},
	}
	const never = "never_was_such_a_field"
	for i, ask := range doors {
		hidden, unknown := ask(f.Name), ask(never)
		if hidden.Status < 400 || hidden.Status != unknown.Status || hidden.JSON["code"] != unknown.JSON["code"] {
			g.t.Errorf("door %d tells %s.%s from a name that never was: %d %s / %d %s", i, d.Name, f.Name, hidden.Status, hidden.Raw, unknown.Status, unknown.Raw)
		}
	}
}

// TestSearchTellsNothingOfHiddenFields searches for words that stand in a hidden
// field only: no hit, no count, no correction; and for a word that is seen: a hit.
func TestSearchTellsNothingOfHiddenFields(t *testing.T) {
	t.Parallel()
	g := openGuarded(t)
	g.is(201, g.tn.Key, "POST", "/contacts", map[string]any{"last_name": "Ähnlich", "email": "zebrafink@hidden.test"})
	key := g.key("contact.email:read")
	hits := func(key, path string) int { return len(g.is(200, key, "GET", path, nil).JSON["data"].([]any)) }
	for _, q := range []string{"zebrafink", "hidden", "zebrafink@hidden.test", "zebrafnk", "ähnlich zebrafink"} {
		for _, path := range []string{"/search?q=", "/contacts?q=", "/contacts?sort=last_name&q=", "/contacts?trash=true&q="} {
			if n := hits(key, path+url.QueryEscape(q)); n != 0 {
				t.Errorf("%s%s finds %d", path, q, n)
			}
		}
		if a := g.is(200, key, "GET", "/contacts?count=exact&q="+url.QueryEscape(q), nil); a.JSON["count"] != 0.0 {
			t.Errorf("%s is counted: %s", q, a.Raw)
		}
	}
	for _, path := range []string{"/search?q=", "/contacts?q=", "/contacts?sort=last_name&q="} {
		if hits(key, path+"ahnlich") != 1 || hits(g.tn.Key, path+"zebrafink") != 1 {
			t.Errorf("%s no longer finds what may be seen", path)
		}
	}
}

// TestAReadOnlyFieldIsNotSet covers every way by which a value is set.
func TestAReadOnlyFieldIsNotSet(t *testing.T) {
	t.Parallel()
	g := openGuarded(t)
	made := g.is(201, g.tn.Key, "POST", "/contacts", map[string]any{"last_name": "Ada", "title": "CTO", "phone": "+49 30 901820"})
	path := "/contacts/" + fmt.Sprint(made.JSON["id"])
	g.is(200, g.tn.Key, "PATCH", path, map[string]any{"title": "CEO"})
	changed := g.is(200, g.tn.Key, "GET", path+"/timeline", nil).JSON["data"].([]any)[0].(map[string]any)["seq"]
	for _, limit := range []string{"contact.title:update", "contact.title:read"} {
		key := g.key(limit)
		code := map[string]string{"contact.title:update": "read_only", "contact.title:read": "unknown_field"}[limit]
		for _, try := range []struct {
			method, path string
			body         any
		}{
			{"PATCH", path, map[string]any{"title": "X", "phone": nil}},
			{"POST", "/contacts", map[string]any{"last_name": "B", "title": "X"}},
			{"PUT", "/contacts/by/external_id/x1", map[string]any{"last_name": "B", "title": "X"}},
			{"POST", "/contacts/batch", map[string]any{"atomic": true, "operations": []any{map[string]any{"op": "update", "id": made.JSON["id"], "data": map[string]any{"title": "X"}}}}},
		} {
			a := g.is(422, key, try.method, try.path, try.body)
			if !strings.Contains(string(a.Raw), `"code":"`+code+`"`) {
				t.Errorf("%s %s: %s, want %s", try.method, try.path, a.Raw, code)
			}
		}
		if a := g.is(403, key, "POST", "/undo", map[string]any{"seq": changed}); a.JSON["code"] != "field_forbidden" {
			t.Errorf("undo: %s", a.Raw)
		}
		if a := g.is(200, key, "PATCH", path, map[string]any{"first_name": limit}); a.JSON["first_name"] != limit {
			t.Errorf("%s", a.Raw)
		}
	}
	if a := g.is(200, g.tn.Key, "GET", path, nil); a.JSON["title"] != "CEO" || a.JSON["phone"] != "+4930901820" {
		t.Errorf("hidden and locked values are kept by the saves of others: %s", a.Raw)
	}
	if n := g.is(200, g.tn.Key, "GET", "/contacts?count=exact", nil).JSON["count"]; n != 1.0 {
		t.Errorf("%v contacts", n)
	}
}

// TestGrantsOnFieldsAreJudged refuses what means nothing, before anybody trusts it.
func TestGrantsOnFieldsAreJudged(t *testing.T) {
	t.Parallel()
	g := openGuarded(t)
	g.is(201, g.tn.Key, "POST", "/custom_fields", map[string]any{"object": "contact", "name": "salary", "type": "integer"})
	for i, bad := range []map[string]any{
		{"contact.nonsense:read": "none"},
		{"nonsense.email:read": "none"},
		{"contact.email:delete": "none"},
		{"contact.email:read": "own"},
		{"contact.id:read": "none"},
		{"contact.owner_id:read": "none"},
		{"contact.custom:read": "none"},
		{"contact.custom.pay:read": "none"},
		{"user.email:read": "none"},
	} {
		if a := g.do(g.tn.Key, "POST", "/roles", map[string]any{"key": fmt.Sprint("r", i), "name": "R", "grants": bad}); a.Status != 422 || !strings.Contains(string(a.Raw), "bad_grant") {
			t.Errorf("%v: %d %s", slices.Collect(maps.Keys(bad)), a.Status, a.Raw)
		}
	}
	key := g.key("contact.custom.salary:read")
	made := g.is(201, g.tn.Key, "POST", "/contacts", map[string]any{"last_name": "Ada", "custom": map[string]any{"salary": 77}})
	path := "/contacts/" + fmt.Sprint(made.JSON["id"])
	for _, p := range []string{path, path + "?fields=custom", "/contacts", path + "/timeline", "/contacts/schema", "/custom_fields"} {
		if a := g.is(200, key, "GET", p, nil); strings.Contains(string(a.Raw), "salary") {
			t.Errorf("%s tells of the salary: %.300s", p, a.Raw)
		}
	}
	if a := g.do(key, "GET", "/contacts?custom.salary[gt]=70", nil); a.Status != 400 {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	g.is(200, key, "PATCH", path, map[string]any{"title": "CTO"})
	var custom struct{ Custom map[string]any }
	if err := json.Unmarshal(g.is(200, g.tn.Key, "GET", path, nil).Raw, &custom); err != nil || custom.Custom["salary"] != 77.0 {
		t.Errorf("a save by somebody who does not see it keeps it: %v, %v", custom, err)
	}
}
