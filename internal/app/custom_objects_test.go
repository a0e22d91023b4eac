package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"crm/internal/app/apptest"
	"crm/internal/record"
)

// own is a tenant with an object of its own.
type own struct {
	*apptest.Tenant
	env *apptest.Env
	id  string // of the object
}

// projects is the object most of these tests make.
func projects() map[string]any {
	return map[string]any{
		"label": "Project", "label_plural": "Projects", "name": "project", "plural": "projects", "icon": "building-2",
		"fields": []any{
			map[string]any{"name": "budget", "type": "money", "indexed": true},
			map[string]any{"name": "code", "type": "text", "unique": true},
			map[string]any{"name": "phase", "type": "select", "options": []any{"draft", "running", "over"}, "default": "draft"},
			map[string]any{"name": "client_id", "type": "relation", "target": "account", "indexed": true},
			map[string]any{"name": "starts", "type": "date"},
		},
	}
}

func newOwn(t *testing.T) *own {
	t.Helper()
	env := apptest.New(t)
	o := &own{Tenant: env.Tenant(t, "alpha"), env: env}
	o.id = o.ok(t, "POST", "/custom_objects", 201, projects())["id"].(string)
	return o
}

// ok calls and expects a status.
func (o *own) ok(t *testing.T, method, path string, status int, body any) map[string]any {
	t.Helper()
	a := o.Call(t, method, path, body)
	if a.Status != status {
		t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Raw)
	}
	return a.JSON
}

func (o *own) project(t *testing.T, body map[string]any) string {
	t.Helper()
	return o.ok(t, "POST", "/projects", 201, body)["id"].(string)
}

// at follows keys and indexes into an answer.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// TestCustomObjectHasEveryVerb goes once through all calls of an object that a tenant
// made a moment ago.
func TestCustomObjectHasEveryVerb(t *testing.T) {
	t.Parallel()
	o := newOwn(t)
	account := o.ok(t, "POST", "/accounts", 201, map[string]any{"name": "Atlas"})["id"].(string)
	first := o.Call(t, "POST", "/projects", map[string]any{"name": "Bridge", "external_id": "p-1", "custom": map[string]any{
		"budget": map[string]any{"amount": "1200.50", "currency": "EUR"}, "code": "B1", "client_id": account, "starts": "2026-12-01",
	}})
	if first.Status != 201 || at(first.JSON, "custom", "phase") != "draft" || first.Header.Get("Location") != "/api/v1/projects/"+fmt.Sprint(first.JSON["id"]) {
		t.Fatalf("create: %d %s", first.Status, first.Raw)
	}
	id := first.JSON["id"].(string)
	if got := o.ok(t, "GET", "/projects/"+id+"?expand=custom.client", 200, nil); at(got, "custom.client", "name") != "Atlas" {
		t.Errorf("expand: %v", got)
	}
	if got := o.ok(t, "PATCH", "/projects/"+id, 200, map[string]any{"custom": map[string]any{"phase": "running"}}); got["version"] != 2.0 {
		t.Errorf("patch: %v", got)
	}
	stale := o.env.Do(t, o.Key, "PATCH", "/api/v1/projects/"+id, map[string]any{"name": "Old"}, http.Header{"If-Match": {`"1"`}})
	if stale.Status != 412 {
		t.Errorf("stale If-Match: %d", stale.Status)
	}
	if a := o.Call(t, "PUT", "/projects/by/external_id/p-1", map[string]any{"name": "Bridge 2"}); a.Status != 200 || a.JSON["id"] != id {
		t.Errorf("upsert by external_id: %d %s", a.Status, a.Raw)
	}
	if a := o.Call(t, "PUT", "/projects/by/custom.code/B2", map[string]any{"name": "Tunnel"}); a.Status != 201 {
		t.Errorf("upsert by a unique field: %d %s", a.Status, a.Raw)
	}
	batch := o.ok(t, "POST", "/projects/batch", 200, map[string]any{"operations": []any{
		map[string]any{"op": "create", "data": map[string]any{"name": "Dam", "custom": map[string]any{"phase": "over"}}},
		map[string]any{"op": "create", "data": map[string]any{"name": "Dam", "custom": map[string]any{"phase": "nonsense"}}},
		map[string]any{"op": "create", "data": map[string]any{"name": "Dam"}},
	}})
	if at(batch, "results", 0, "status") != 201.0 || at(batch, "results", 1, "status") != 422.0 || at(batch, "results", 2, "status") != 201.0 {
		t.Errorf("batch: %v", batch)
	}
	if a := o.Call(t, "POST", "/projects", map[string]any{"name": "Copy", "custom": map[string]any{"code": "B1"}}); a.Status != 409 {
		t.Errorf("a unique value twice: %d", a.Status)
	}
	list := o.ok(t, "GET", "/projects?custom.phase=running&count=exact&sort=name", 200, nil)
	if list["count"] != 1.0 || at(list, "data", 0, "id") != id {
		t.Errorf("list: %v", list)
	}
	if got := o.ok(t, "GET", "/projects?q=brid", 200, nil); at(got, "data", 0, "id") != id {
		t.Errorf("search in the list: %v", got)
	}
	sums := o.ok(t, "POST", "/projects/aggregate", 200, map[string]any{"group_by": []any{"custom.phase"}, "measures": []any{map[string]any{"fn": "count"}}})
	if at(sums, "total", "count") != 4.0 {
		t.Errorf("aggregate: %v", sums)
	}
	doubles := o.ok(t, "GET", "/projects/duplicates", 200, nil)
	if n := len(at(doubles, "data").([]any)); n != 1 {
		t.Errorf("duplicates: %v", doubles)
	}
	dams := []any{at(batch, "results", 0, "id"), at(batch, "results", 2, "id")}
	merged := o.ok(t, "POST", "/projects/merge", 200, map[string]any{"into": dams[0], "from": dams[1:]})
	if merged["id"] != dams[0] {
		t.Errorf("merge: %v", merged)
	}
	if a := o.Call(t, "GET", "/projects/"+fmt.Sprint(dams[1]), nil); a.Status != 308 {
		t.Errorf("a merged record leads on: %d %s", a.Status, a.Raw)
	}
	if got := o.ok(t, "GET", "/projects/schema", 200, nil); got["object"] != "project" || !strings.Contains(fmt.Sprint(got["fields"]), "custom.budget") {
		t.Errorf("schema: %v", got)
	}
	o.ok(t, "DELETE", "/projects/"+id, 204, nil)
	if got := o.ok(t, "GET", "/projects?trash=true", 200, nil); at(got, "data", 0, "name") == nil {
		t.Errorf("bin: %v", got)
	}
	o.ok(t, "POST", "/projects/"+id+"/restore", 200, nil)
	story := o.ok(t, "GET", "/projects/"+id+"/timeline", 200, nil)
	if n := len(at(story, "data").([]any)); n != 5 {
		t.Errorf("timeline has %d entries: %v", n, story)
	}
	o.ok(t, "DELETE", "/projects/"+fmt.Sprint(dams[0])+"?purge=true", 204, nil)
	if a := o.Call(t, "GET", "/projects/"+fmt.Sprint(dams[0]), nil); a.Status != 404 {
		t.Errorf("purged: %d", a.Status)
	}
	if a := o.Call(t, "PUT", "/projects", nil); a.Status != 405 || !strings.Contains(a.Header.Get("Allow"), "POST") {
		t.Errorf("a method it has not: %d %s", a.Status, a.Header.Get("Allow"))
	}
}

// TestCustomObjectIsEverywhere looks for the object where all objects are.
func TestCustomObjectIsEverywhere(t *testing.T) {
	t.Parallel()
	o := newOwn(t)
	id := o.project(t, map[string]any{"name": "Harbour", "custom": map[string]any{"phase": "running"}})
	if got := o.ok(t, "GET", "/search?q=harbour", 200, nil); !strings.Contains(fmt.Sprint(got), id) {
		t.Errorf("search: %v", got)
	}
	if got := o.ok(t, "GET", "/changes?object=projects", 200, nil); at(got, "data", 0, "object") != "project" {
		t.Errorf("changes: %v", got)
	}
	segment := o.ok(t, "POST", "/segments", 201, map[string]any{"name": "Running", "object": "projects", "filter": phase("running")})
	if got := o.ok(t, "GET", "/projects?segment="+fmt.Sprint(segment["id"]), 200, nil); len(got["data"].([]any)) != 1 {
		t.Errorf("segment: %v", got)
	}
	view := o.ok(t, "POST", "/views", 201, map[string]any{"name": "By phase", "object": "project", "filter": phase("over"), "columns": []any{"name", "custom.budget"}})
	if got := o.ok(t, "GET", "/projects?view="+fmt.Sprint(view["id"]), 200, nil); len(got["data"].([]any)) != 0 {
		t.Errorf("view: %v", got)
	}
	o.ok(t, "POST", "/activities", 201, map[string]any{"type": "call", "subject": "Site visit", "related": []any{map[string]any{"object": "project", "id": id}}})
	if got := o.ok(t, "GET", "/projects/"+id+"/timeline", 200, nil); !strings.Contains(fmt.Sprint(got), "activity") {
		t.Errorf("an activity about it is not on its timeline: %v", got)
	}
	spec := o.env.Do(t, o.Key, "GET", "/api/openapi.json", nil, nil)
	for _, want := range []string{`"/projects/{id}/restore"`, `"Own_project"`, `"budget"`} {
		if !strings.Contains(string(spec.Raw), want) {
			t.Errorf("the tenant's document has no %s", want)
		}
	}
	public := o.env.Do(t, "", "GET", "/api/openapi.json", nil, nil)
	if strings.Contains(string(public.Raw), "Own_project") || !strings.Contains(string(public.Raw), "/{custom_object}/{id}/restore") {
		t.Error("everybody's document speaks of tenants' objects in general only")
	}
}

// TestRelationsToAndFromCustomObjects points both ways and merges what is pointed to.
func TestRelationsToAndFromCustomObjects(t *testing.T) {
	t.Parallel()
	o := newOwn(t)
	o.ok(t, "POST", "/custom_fields", 201, map[string]any{"object": "deals", "name": "project_id", "type": "relation", "target": "projects", "indexed": true})
	o.ok(t, "POST", "/custom_fields", 201, map[string]any{"object": "project", "name": "won", "type": "roll_up", "roll_up": map[string]any{"object": "deal", "relation": "custom.project_id", "function": "count"}})
	a, b := o.project(t, map[string]any{"name": "One"}), o.project(t, map[string]any{"name": "Two"})
	deal := o.ok(t, "POST", "/deals", 201, map[string]any{"name": "Steel", "custom": map[string]any{"project_id": a}})["id"].(string)
	if got := o.ok(t, "GET", "/projects/"+a, 200, nil); at(got, "custom", "won") != 1.0 {
		t.Errorf("roll-up over deals: %v", got["custom"])
	}
	o.ok(t, "POST", "/projects/merge", 200, map[string]any{"into": b, "from": []any{a}})
	if got := o.ok(t, "GET", "/deals/"+deal+"?expand=custom.project", 200, nil); at(got, "custom", "project_id") != b || at(got, "custom.project", "name") != "Two" {
		t.Errorf("the deal follows the merge: %v", got)
	}
	if a := o.Call(t, "POST", "/deals", map[string]any{"name": "x", "custom": map[string]any{"project_id": deal}}); a.Status != 422 {
		t.Errorf("a relation to something else: %d %s", a.Status, a.Raw)
	}
	// Archiving an object that a figure is worked out from is refused the other way
	// round only: the roll-up goes with the project.
	o.ok(t, "DELETE", "/custom_objects/"+o.id, 204, nil)
	if got := o.ok(t, "GET", "/deals/"+deal, 200, nil); at(got, "custom", "project_id") != nil {
		t.Errorf("a relation to an archived object rests: %v", got["custom"])
	}
	o.ok(t, "POST", "/custom_objects/"+o.id+"/restore", 200, nil)
	if got := o.ok(t, "GET", "/deals/"+deal, 200, nil); at(got, "custom", "project_id") != b {
		t.Errorf("and comes back with it: %v", got["custom"])
	}
}

// TestArchivingHidesAndKeeps: no door leads to an archived object, restoring brings
// back all of it.
func TestArchivingHidesAndKeeps(t *testing.T) {
	t.Parallel()
	o := newOwn(t)
	id := o.project(t, map[string]any{"name": "Quarry", "custom": map[string]any{"code": "Q"}})
	o.ok(t, "DELETE", "/custom_objects/"+o.id, 204, nil)
	for _, path := range []string{"/projects", "/projects/" + id, "/projects/schema"} {
		if a := o.Call(t, "GET", path, nil); a.Status != 404 {
			t.Errorf("GET %s of an archived object: %d", path, a.Status)
		}
	}
	if got := o.ok(t, "GET", "/search?q=quarry", 200, nil); strings.Contains(fmt.Sprint(got), id) {
		t.Errorf("search finds archived records: %v", got)
	}
	if a := o.Call(t, "POST", "/custom_objects", projects()); a.Status != 422 || !strings.Contains(string(a.Raw), "archived") {
		t.Errorf("its name stays taken: %d %s", a.Status, a.Raw)
	}
	o.ok(t, "POST", "/custom_objects/"+o.id+"/restore", 200, nil)
	if got := o.ok(t, "GET", "/projects/"+id, 200, nil); at(got, "custom", "code") != "Q" {
		t.Errorf("restored: %v", got)
	}
	if got := o.ok(t, "GET", "/search?q=quarry", 200, nil); !strings.Contains(fmt.Sprint(got), id) {
		t.Errorf("search after restoring: %v", got)
	}
}

// TestUndoOfAnObject takes the making of an object back and again.
func TestUndoOfAnObject(t *testing.T) {
	t.Parallel()
	o := newOwn(t)
	made := o.ok(t, "GET", "/custom_objects/"+o.id+"/timeline", 200, nil)
	undone := o.ok(t, "POST", "/undo", 200, map[string]any{"seq": at(made, "data", 0, "seq")})
	if a := o.Call(t, "GET", "/projects", nil); a.Status != 404 {
		t.Errorf("an object whose making was taken back: %d", a.Status)
	}
	o.ok(t, "POST", "/undo", 200, map[string]any{"seq": undone["seq"]})
	id := o.project(t, map[string]any{"name": "Again"})
	batch := o.ok(t, "POST", "/projects/batch", 200, map[string]any{"operations": []any{map[string]any{"op": "update", "id": id, "data": map[string]any{"name": "Else"}}}})
	o.ok(t, "POST", "/undo", 200, map[string]any{"batch_id": batch["batch_id"]})
	if got := o.ok(t, "GET", "/projects/"+id, 200, nil); got["name"] != "Again" {
		t.Errorf("undo of a batch: %v", got)
	}
}

// TestTwoTenantsWithTheSameName have one object's name and nothing else in common.
func TestTwoTenantsWithTheSameName(t *testing.T) {
	t.Parallel()
	o := newOwn(t)
	other := &own{Tenant: o.env.Tenant(t, "beta"), env: o.env}
	other.ok(t, "POST", "/custom_objects", 201, map[string]any{
		"label": "Project", "name": "project", "plural": "projects", "owned": false,
		"fields": []any{map[string]any{"name": "code", "type": "integer"}},
	})
	mine := o.project(t, map[string]any{"name": "Mine", "external_id": "1", "custom": map[string]any{"code": "X"}})
	theirs := other.project(t, map[string]any{"name": "Theirs", "external_id": "1", "custom": map[string]any{"code": 7}})
	if a := other.Call(t, "POST", "/projects", map[string]any{"name": "x", "custom": map[string]any{"budget": nil}}); a.Status != 422 {
		t.Errorf("a field of the other tenant: %d %s", a.Status, a.Raw)
	}
	for _, c := range []struct {
		by   *own
		id   string
		want int
	}{{o, mine, 200}, {o, theirs, 404}, {other, mine, 404}, {other, theirs, 200}} {
		if a := c.by.Call(t, "GET", "/projects/"+c.id, nil); a.Status != c.want {
			t.Errorf("%s reads %s: %d", c.by.Name, c.id, a.Status)
		}
	}
	// A record of one object is none of another one, also within a tenant.
	o.ok(t, "POST", "/custom_objects", 201, map[string]any{"label": "Ticket"})
	if a := o.Call(t, "GET", "/tickets/"+mine, nil); a.Status != 404 {
		t.Errorf("a project read as a ticket: %d %s", a.Status, a.Raw)
	}
	for _, call := range []struct{ method, path string }{{"PATCH", ""}, {"DELETE", ""}, {"POST", "/restore"}, {"DELETE", "?purge=true"}} {
		if a := o.Call(t, call.method, "/tickets/"+mine+call.path, map[string]any{}); a.Status != 404 {
			t.Errorf("%s of a project as a ticket: %d %s", call.method, a.Status, a.Raw)
		}
	}
	if got := o.ok(t, "GET", "/tickets?count=exact", 200, nil); got["count"] != 0.0 {
		t.Errorf("tickets: %v", got)
	}
	if got := o.ok(t, "POST", "/tickets/batch", 200, map[string]any{"operations": []any{map[string]any{"op": "upsert", "data": map[string]any{"external_id": "1", "name": "T"}}}}); at(got, "results", 0, "status") != 201.0 {
		t.Errorf("an external id of another object: %v", got)
	}
}

// TestHostileObjectNames: what stands in addresses and SQL is plain or refused.
func TestHostileObjectNames(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "alpha")
	for _, name := range []string{
		"contact", "contacts", "deal", "settings", "search", "api", "new", "custom_field", "custom_records", "webhook", "campaigns", "journal", "users", "import", "undo",
		"Project", "pro ject", "pro-ject", "1project", "p", "projé", "project'", "x'; drop table contacts; --", "{id}", "../users", "%2e%2e", strings.Repeat("a", 41), "schema", "by", "batch", "*",
	} {
		body := map[string]any{"label": "Thing", "name": name, "plural": "things"}
		if a := tn.Call(t, "POST", "/custom_objects", body); a.Status != 422 {
			t.Errorf("the name %q: %d %s", name, a.Status, a.Raw)
		}
		if a := tn.Call(t, "POST", "/custom_objects", map[string]any{"label": "Thing", "name": "thing", "plural": name}); a.Status != 422 {
			t.Errorf("the plural %q: %d %s", name, a.Status, a.Raw)
		}
	}
	if a := tn.Call(t, "POST", "/custom_objects", map[string]any{"label": "Sheep", "name": "sheep", "plural": "sheep"}); a.Status != 422 {
		t.Errorf("one word for both: %d", a.Status)
	}
	if a := tn.Call(t, "POST", "/custom_objects", map[string]any{"label": "  "}); a.Status != 422 {
		t.Errorf("no label: %d %s", a.Status, a.Raw)
	}
	made := tn.Call(t, "POST", "/custom_objects", map[string]any{"label": `<img src=x onerror="alert(1)"> Story`, "name": "story", "plural": "stories"})
	if made.Status != 201 {
		t.Fatalf("a label is any text: %d %s", made.Status, made.Raw)
	}
	path := "/custom_objects/" + fmt.Sprint(made.JSON["id"])
	if a := tn.Call(t, "PATCH", path, map[string]any{"label": "Story"}); a.Status != 200 {
		t.Errorf("rename the label: %d %s", a.Status, a.Raw)
	}
	for _, field := range []string{"name", "plural"} {
		if a := tn.Call(t, "PATCH", path, map[string]any{field: "tale"}); a.Status != 422 {
			t.Errorf("change the %s: %d %s", field, a.Status, a.Raw)
		}
	}
	for _, taken := range []string{"story", "stories"} {
		if a := tn.Call(t, "POST", "/custom_objects", map[string]any{"label": "X", "name": taken, "plural": "others"}); a.Status != 422 {
			t.Errorf("the taken name %q: %d", taken, a.Status)
		}
	}
	broken := projects()
	broken["fields"] = []any{map[string]any{"name": "ok", "type": "text"}, map[string]any{"name": "bad", "type": "nonsense"}}
	if a := tn.Call(t, "POST", "/custom_objects", broken); a.Status != 422 {
		t.Errorf("a broken field: %d", a.Status)
	}
	if a := tn.Call(t, "GET", "/projects", nil); a.Status != 404 {
		t.Errorf("half an object was made: %d", a.Status)
	}
	both := tn.Call(t, "POST", "/custom_objects/batch", map[string]any{"operations": []any{
		map[string]any{"op": "create", "data": map[string]any{"label": "Ship"}},
		map[string]any{"op": "create", "data": map[string]any{"label": "Port"}},
		map[string]any{"op": "create", "data": map[string]any{"label": "Ships", "name": "ships", "plural": "shipss"}},
	}})
	if at(both.JSON, "results", 0, "status") != 201.0 || at(both.JSON, "results", 1, "status") != 201.0 || at(both.JSON, "results", 2, "status") != 422.0 {
		t.Errorf("several at once: %d %s", both.Status, both.Raw)
	}
}

// TestRightsOnCustomObjects: a role reaches an object by its own grants; "*" covers it.
func TestRightsOnCustomObjects(t *testing.T) {
	t.Parallel()
	o := newOwn(t)
	rep := o.KeyFor(t, "sales_rep")
	if a := o.env.Do(t, rep, "GET", "/api/v1/projects", nil, nil); a.Status != 403 {
		t.Errorf("a role without grants: %d %s", a.Status, a.Raw)
	}
	if a := o.env.Do(t, rep, "POST", "/api/v1/custom_objects", map[string]any{"label": "X"}, nil); a.Status != 403 {
		t.Errorf("a rep makes an object: %d", a.Status)
	}
	o.ok(t, "POST", "/roles", 201, map[string]any{"key": "site", "name": "Site", "grants": map[string]any{"project:read": "own", "project:create": "own", "project:update": "own"}})
	key := o.KeyFor(t, "site")
	theirs := o.project(t, map[string]any{"name": "Not theirs"})
	if a := o.env.Do(t, key, "GET", "/api/v1/projects/"+theirs, nil, nil); a.Status != 404 {
		t.Errorf("out of scope: %d %s", a.Status, a.Raw)
	}
	if a := o.env.Do(t, key, "POST", "/api/v1/projects", map[string]any{"name": "Theirs"}, nil); a.Status != 201 {
		t.Errorf("create: %d %s", a.Status, a.Raw)
	}
	if a := o.env.Do(t, key, "DELETE", "/api/v1/projects/"+theirs, nil, nil); a.Status != 403 {
		t.Errorf("delete without the right: %d %s", a.Status, a.Raw)
	}
}

// TestEveryAddressIsReserved compares the words no tenant's object may have with the
// addresses that are served.
func TestEveryAddressIsReserved(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	taken := func(word string) bool {
		_, object := env.App.Kernel.Object(word)
		_, plural := env.App.Kernel.ByPlural(word)
		return object || plural || record.ReservedWord(word)
	}
	for _, r := range env.App.API().Routes() {
		if word, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/"); !strings.Contains(word, "{") && !taken(word) {
			t.Errorf("%s: a tenant's object could be called %q; reserve it in record/custom_object.go", r.Path, word)
		}
		if r.Object != "" && !taken(r.Object) {
			t.Errorf("%s: a tenant's object could have the rights of %q; reserve it", r.Path, r.Object)
		}
	}
}

// phase is the filter of projects in a phase.
func phase(p string) any {
	return map[string]any{"and": []any{map[string]any{"field": "custom.phase", "op": "eq", "value": p}}}
}
