package app_test

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/app/apptest"
	"crm/internal/platform/db/migrate"
	"crm/internal/platform/rest"
)

// pathParam finds the parameters of a route's path.
var pathParam = regexp.MustCompile(`\{([a-z_]+)\}`)

// world is two tenants; every sample belongs to the second.
type world struct {
	env     *apptest.Env
	caller  *apptest.Tenant
	foreign *apptest.Tenant
	samples *apptest.Samples
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{env: apptest.New(t)}
	w.caller, w.foreign = w.env.Tenant(t, "caller"), w.env.Tenant(t, "foreign")
	w.samples = apptest.NewSamples(w.foreign)
	w.makeOthers(t)
	return w
}

// makeOthers makes what is no kernel object but has ids in paths.
func (w *world) makeOthers(t *testing.T) {
	makeKey(t, w)
	makeMore(t, w)
}

func makeKey(t *testing.T, w *world) {
	t.Helper()
	key, err := w.env.App.Identity.CreateAPIKey(w.foreign.Ctx, apptest.Canary, "sales_rep")
	if err != nil {
		t.Fatal(err)
	}
	w.samples.Put("api_key", key.ID)
}

// TestForeignIDsInPaths calls every route of the table that takes a record id
// with the id of another tenant: always not found, never an effect, never a word
// of the other tenant. The cases come from the route table, so a new route is
// tested on the day it is added.
func TestForeignIDsInPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cases := 0
	for _, route := range w.env.App.API().Routes() {
		if len(route.IDs) == 0 {
			continue
		}
		for _, m := range pathParam.FindAllStringSubmatch(route.Path, -1) {
			if m[1] == "id" && route.IDs["id"] == "" {
				t.Errorf("%s %s has an id without saying of what object", route.Method, route.Path)
			}
		}
		cases++
		path := w.fill(t, route)
		a := w.caller.Call(t, route.Method, path, sampleBody(route))
		if a.Status != http.StatusNotFound {
			t.Errorf("%s %s with a foreign id: %d %s", route.Method, route.Path, a.Status, a.Raw)
		}
		w.noCanary(t, route, a)
		missing := w.caller.Call(t, route.Method, replaceIDs(route, uuid.Must(uuid.NewV7()).String()), sampleBody(route))
		if got, want := withoutRequestID(a.Raw), withoutRequestID(missing.Raw); got != want {
			t.Errorf("%s %s tells a foreign id from a missing one:\n%s\n%s", route.Method, route.Path, got, want)
		}
	}
	if cases < 40 {
		t.Fatalf("only %d routes take ids; the table is not what it was", cases)
	}
	w.unchanged(t)
}

// TestListsShowNothingForeign calls every route without ids and looks for the
// other tenant's words.
func TestListsShowNothingForeign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, o := range w.env.App.Kernel.ObjectsFor(w.foreign.Ctx) {
		w.samples.ID(t, o.Def.Name)
	}
	for _, route := range w.env.App.API().Routes() {
		route.Path = strings.ReplaceAll(route.Path, ownParam, ownPlural)
		if len(route.IDs) > 0 || route.Method != http.MethodGet || strings.Contains(route.Path, "{") {
			continue
		}
		for _, query := range []string{"", "?q=" + apptest.Canary, "?limit=200&count=exact"} {
			a := w.caller.Call(t, "GET", route.Path+query, nil)
			if a.Status >= 500 {
				t.Errorf("GET %s%s: %d %s", route.Path, query, a.Status, a.Raw)
			}
			w.noCanary(t, route, a)
		}
	}
}

// TestForeignIDsInBodies puts another tenant's ids into every relation field of
// every object: refused, and the record is not made.
func TestForeignIDsInBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, o := range w.env.App.Kernel.ObjectsFor(w.caller.Ctx) {
		if !writable(w, o.Def.Plural) {
			continue
		}
		def, err := w.env.App.Kernel.Definition(w.caller.Ctx, o.Def.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range slices.Concat(def.Fields, def.CustomFields()) {
			if f.ReadOnly || f.Target == "" || f.Type.Name() == "json" {
				continue
			}
			body := map[string]any{f.Name: w.samples.ID(t, f.Target).String(), "name": "x", "last_name": "x", "subject": "x", "type": "task", "email": "x@example.com"}
			if f.Custom {
				delete(body, f.Name)
				body["custom"] = map[string]any{f.Name: w.samples.ID(t, f.Target).String()}
			}
			for k := range body {
				if _, ok := o.Def.Field(k); !ok {
					delete(body, k)
				}
			}
			a := w.caller.Call(t, "POST", "/"+o.Def.Plural, body)
			if a.Status < 400 || a.Status >= 500 {
				t.Errorf("POST %s with a foreign %s: %d %s", o.Def.Plural, f.Name, a.Status, a.Raw)
			}
		}
	}
}

// TestForeignCursorsAndFilters uses a cursor and filter values of the other side.
func TestForeignCursorsAndFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 3 {
		if a := w.foreign.Call(t, "POST", "/accounts", map[string]any{"name": fmt.Sprintf("%s %d", apptest.Canary, i)}); a.Status != 201 {
			t.Fatalf("make an account: %d %s", a.Status, a.Raw)
		}
	}
	page := w.foreign.Call(t, "GET", "/accounts?limit=1", nil)
	if a := w.caller.Call(t, "GET", "/accounts?limit=1&cursor="+fmt.Sprint(page.JSON["next_cursor"]), nil); a.Status != 400 {
		t.Errorf("a foreign cursor: %d %s", a.Status, a.Raw)
	}
	id := page.JSON["data"].([]any)[0].(map[string]any)["id"]
	if a := w.caller.Call(t, "GET", fmt.Sprintf("/contacts?account_id=%v&count=exact", id), nil); a.Status != 200 || a.JSON["count"] != 0.0 {
		t.Errorf("a foreign filter value: %d %s", a.Status, a.Raw)
	}
}

// TestEveryTenantTableIsClosed asks the catalogue.
func TestEveryTenantTableIsClosed(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	open, err := migrate.OpenTables(t.Context(), env.SQL.Owner)
	if err != nil || len(open) > 0 {
		t.Fatalf("tables without forced row level security: %v %v", open, err)
	}
	var loose []string
	rows, err := env.SQL.Owner.Query(t.Context(), `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
	  where n.nspname = 'public' and c.relkind = 'v' and not coalesce(c.reloptions::text like '%security_invoker=true%', false)`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		loose = append(loose, name)
	}
	if len(loose) > 0 {
		t.Errorf("views that would look past row level security: %v", loose)
	}
}

// TestNobodyGetsIn calls every private route without a key and with a bad one.
func TestNobodyGetsIn(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	for _, route := range env.App.API().Routes() {
		if route.Public {
			continue
		}
		path := "/api/v1" + replaceIDs(route, uuid.Must(uuid.NewV7()).String())
		for _, key := range []string{"", "crm_nonsense", "nonsense"} {
			if a := env.Do(t, key, route.Method, path, sampleBody(route), nil); a.Status != 401 {
				t.Errorf("%s %s with key %q: %d", route.Method, route.Path, key, a.Status)
			}
		}
	}
}

func (w *world) fill(t *testing.T, route rest.Route) string {
	return pathParam.ReplaceAllStringFunc(strings.ReplaceAll(route.Path, ownParam, ownPlural), func(m string) string {
		name := strings.Trim(m, "{}")
		if object, ok := route.IDs[name]; ok {
			return w.samples.ID(t, object).String()
		}
		return "x"
	})
}

// replaceIDs fills every parameter of a path with the same word.
func replaceIDs(route rest.Route, word string) string {
	return pathParam.ReplaceAllString(strings.ReplaceAll(route.Path, ownParam, ownPlural), word)
}

func (w *world) noCanary(t *testing.T, route rest.Route, a *apptest.Answer) {
	t.Helper()
	raw := a.Raw
	if a.Status >= 400 && bytes.Contains(raw, []byte("q="+apptest.Canary)) {
		return
	}
	if bytes.Contains(raw, []byte(apptest.Canary)) {
		t.Errorf("%s %s shows the other tenant's words: %.300s", route.Method, route.Path, raw)
	}
}

// unchanged checks that the refused calls had no effect: every sample is still at
// its first version and out of the bin.
func (w *world) unchanged(t *testing.T) {
	t.Helper()
	for _, o := range w.env.App.Kernel.ObjectsFor(w.foreign.Ctx) {
		var touched int
		err := w.env.SQL.Owner.QueryRow(t.Context(), `select count(*) from `+o.Def.Table+` t where tenant_id = $1 and created_by is null and (version > 1 or deleted_at is not null) and created_at > now() - interval '1 minute' and $2::text <> ''`, w.foreign.ID, o.Def.Name).Scan(&touched)
		if err != nil {
			t.Fatal(err)
		}
		if touched > 0 {
			t.Errorf("%d %s of the other tenant were changed", touched, o.Def.Plural)
		}
	}
}

// sampleBody is the least a route accepts: the required properties of its schema,
// so that a refusal is about the id and not about the body.
func sampleBody(route rest.Route) any {
	if route.Body == nil || route.Upload {
		return nil
	}
	out := map[string]any{}
	required, _ := route.Body["required"].([]string)
	properties, _ := route.Body["properties"].(map[string]rest.Schema)
	for name, schema := range properties {
		if schema["format"] == "uuid" && strings.HasSuffix(name, "_id") {
			required = append(required, name)
		}
	}
	for _, name := range required {
		switch properties[name]["type"] {
		case "integer", "number":
			out[name] = 1
		case "boolean":
			out[name] = true
		case "array":
			out[name] = []any{}
		case "object":
			out[name] = map[string]any{}
		default:
			out[name] = "x"
			if properties[name]["format"] == "uuid" {
				out[name] = uuid.Must(uuid.NewV7()).String()
			}
		}
	}
	return out
}

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

func withoutRequestID(raw []byte) string { return string(requestID.ReplaceAll(raw, nil)) }

func writable(w *world, plural string) bool {
	for _, r := range w.env.App.API().Routes() {
		if r.Method == "POST" && (r.Path == "/"+plural || plural == ownPlural) {
			return true
		}
	}
	return false
}
