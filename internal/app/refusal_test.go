package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/app/apptest"
	"crm/internal/platform/rest"
)

// refusals is a world whose every table is watched, with the document of the calling
// tenant, which names all inputs of all calls.
type refusals struct {
	*world
	w     *witness
	doc   map[string]any
	own   *apptest.Samples // of the calling tenant
	seen  int              // calls
	made  int              // bodies
	taken int              // hostile ones that were not refused
}

func newRefusals(t *testing.T) *refusals {
	t.Helper()
	r := &refusals{world: newWorld(t)}
	r.own = apptest.NewSamples(r.caller)
	for _, o := range r.env.App.Kernel.ObjectsFor(r.foreign.Ctx) {
		r.samples.ID(t, o.Def.Name)
	}
	r.makeCallersOwn(t)
	for _, o := range r.env.App.Kernel.ObjectsFor(r.caller.Ctx) {
		r.own.ID(t, o.Def.Name)
	}
	if err := json.Unmarshal(r.env.Do(t, r.caller.Key, "GET", "/api/openapi.json", nil, nil).Raw, &r.doc); err != nil {
		t.Fatal(err)
	}
	r.w = newWitness(t, r.env)
	return r
}

// makeCallersOwn makes for the caller what the other tenant has already.
func (r *refusals) makeCallersOwn(t *testing.T) {
	t.Helper()
	turned := &world{env: r.env, foreign: r.caller, samples: r.own}
	makeKey(t, turned)
	makeByActs(t, turned)
	list := r.caller.Call(t, "GET", "/custom_objects", nil)
	r.own.Put("custom_object", uuid.MustParse(at(list.JSON, "data", 0, "id").(string)))
	made := r.caller.Call(t, "POST", "/"+ownPlural, map[string]any{"name": "Box", "external_id": "x"})
	for _, name := range []string{"parcel", "custom_record"} {
		r.own.Put(name, uuid.MustParse(made.JSON["id"].(string)))
	}
}

// routes are the calls of the tenant's document, each with its operation: the routes of
// the table, with the tenant's own objects under their own addresses.
func (r *refusals) routes() []call {
	var out []call
	for _, route := range r.env.App.API().Routes() {
		path := strings.ReplaceAll(route.Path, ownParam, ownPlural)
		op := object(r.doc, "paths", path, strings.ToLower(route.Method))
		out = append(out, call{Route: route, path: path, op: op})
	}
	return out
}

// call is a route and what the document says of it.
type call struct {
	rest.Route
	path string
	op   map[string]any
}

func (c call) String() string { return c.Method + " " + c.Path }

// body is the schema of the JSON body, or nil.
func (c call) body() map[string]any {
	return object(c.op, "requestBody", "content", "application/json", "schema")
}

// address fills the path's parameters with ids of the samples.
func (r *refusals) address(t *testing.T, c call, from *apptest.Samples) string {
	t.Helper()
	return pathParam.ReplaceAllStringFunc(c.path, func(m string) string {
		name := strings.Trim(m, "{}")
		switch object, isID := c.IDs[name]; {
		case isID:
			return from.ID(t, object).String()
		case name == "unique_field":
			return "external_id"
		case name == "public_id":
			form := r.caller.Call(t, "GET", "/lead_forms/"+r.own.ID(t, "lead_form").String(), nil)
			return form.JSON["public_id"].(string)
		}
		return "x"
	})
}

// send makes a call as it is: body bytes, any content type or none.
func (r *refusals) send(t *testing.T, key, method, path, contentType string, body []byte) *apptest.Answer {
	t.Helper()
	r.seen++
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.env.URL+"/api/v1"+path, reader)
	if err != nil {
		t.Fatalf("%s %q: %v", method, path, err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := &apptest.Answer{Status: resp.StatusCode, Header: resp.Header, Raw: raw}
	_ = json.Unmarshal(raw, &a.JSON)
	return a
}

// databaseWords are what only a database or a crash says.
var databaseWords = regexp.MustCompile(`SQLSTATE|pq:|ERROR:|syntax error|panic|pgx|pgconn|goroutine |relation "|violates |unicode escape`)

// judge holds for every answer whatever was asked: no 5xx, refusals are problems with a
// code, nothing of the machine shows, nothing of the other tenant, and what was refused
// left no trace. sent is what the answer may repeat.
func (r *refusals) judge(t *testing.T, what, sent string, a *apptest.Answer) {
	t.Helper()
	news := r.w.news(t)
	if a.Status >= 500 {
		t.Errorf("%s: %d %.300s", what, a.Status, a.Raw)
	}
	if a.Status >= 400 {
		code, _ := a.JSON["code"].(string)
		if a.Header.Get("Content-Type") != "application/problem+json" || code == "" {
			t.Errorf("%s: %d is no problem with a code: %.300s", what, a.Status, a.Raw)
		}
		if news != "" {
			t.Errorf("%s: refused with %d, but: %s", what, a.Status, news)
		}
	}
	if found := databaseWords.Find(a.Raw); found != nil && !strings.Contains(sent, string(found)) && a.Status >= 400 {
		t.Errorf("%s: the answer says %q: %.300s", what, found, a.Raw)
	}
	if bytes.Contains(a.Raw, []byte(r.foreign.ID.String())) {
		t.Errorf("%s: the answer names the other tenant: %.300s", what, a.Raw)
	}
}

// schema follows a reference and merges allOf and the first of anyOf or oneOf.
func (r *refusals) schema(v any) map[string]any {
	s, _ := v.(map[string]any)
	for s["$ref"] != nil {
		s, _ = lookup(any(r.doc), s["$ref"].(string)).(map[string]any)
	}
	for _, word := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := s[word].([]any)
		if len(list) == 0 {
			continue
		}
		merged := maps.Clone(s)
		delete(merged, word)
		properties := maps.Clone(object(s, "properties"))
		for i, sub := range list {
			if word != "allOf" && i > 0 {
				break
			}
			inner := r.schema(sub)
			for k, v := range inner {
				if merged[k] == nil {
					merged[k] = v
				}
			}
			if properties == nil {
				properties = map[string]any{}
			}
			maps.Copy(properties, object(inner, "properties"))
		}
		if len(properties) > 0 {
			merged["properties"] = properties
		}
		s = merged
	}
	return s
}

func isType(s map[string]any, want string) bool {
	if list, ok := s["type"].([]any); ok {
		return slices.Contains(list, any(want))
	}
	return s["type"] == want
}

// depth is how far examples and leaves go into a schema; filters nest without end.
const depth = 5

// sample is a body that fits a schema as far as a schema tells: all properties when
// whole, else the required ones.
func (r *refusals) sample(v any, whole bool, level int) any {
	s := r.schema(v)
	if enum, ok := s["enum"].([]any); ok && len(enum) > 0 {
		return enum[0]
	}
	switch {
	case s["const"] != nil:
		return s["const"]
	case isType(s, "object") || s["properties"] != nil:
		out := map[string]any{}
		required, _ := s["required"].([]any)
		for name, p := range object(s, "properties") {
			if level < depth && r.schema(p)["readOnly"] != true && (whole || slices.Contains(required, any(name))) {
				out[name] = r.sample(p, whole, level+1)
			}
		}
		return out
	case isType(s, "array"):
		if level >= depth {
			return []any{}
		}
		return []any{r.sample(s["items"], whole, level+1)}
	case isType(s, "integer"), isType(s, "number"):
		return 1
	case isType(s, "boolean"):
		return true
	case s["format"] == "uuid":
		return uuid.Must(uuid.NewV7()).String()
	case s["format"] == "date-time":
		return "2026-11-02T10:00:00Z"
	case s["format"] == "date":
		return "2026-11-02"
	case s["format"] == "email":
		return "ada@example.com"
	case s["format"] == "uri":
		return "https://example.com/"
	}
	return "x"
}

// good is a body that is likely to be taken: what is required, and names that are new
// each time, so that no rule about doubles hides what is looked for.
func (r *refusals) good(c call) any {
	body, ok := r.sample(c.body(), false, 0).(map[string]any)
	if !ok {
		return nil
	}
	r.made++
	properties := object(r.schema(c.body()), "properties")
	for _, name := range []string{"name", "last_name", "subject", "label", "type"} {
		if properties[name] == nil {
			continue
		}
		if body[name] = r.sample(properties[name], false, 0); body[name] == "x" {
			body[name] = fmt.Sprintf("Q%dw%dz", r.made, r.made*7919)
		}
	}
	return body
}

// leaves are the paths to the places of a schema that fit, such as operations/0/data/name.
func (r *refusals) leaves(v any, fit func(map[string]any) bool, level int) [][]any {
	s := r.schema(v)
	if fit(s) {
		return [][]any{{}}
	}
	if level >= depth {
		return nil
	}
	var out [][]any
	under := func(step any, sub any) {
		for _, path := range r.leaves(sub, fit, level+1) {
			out = append(out, append([]any{step}, path...))
		}
	}
	properties := object(s, "properties")
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if r.schema(properties[name])["readOnly"] != true {
			under(name, properties[name])
		}
	}
	if s["items"] != nil {
		under(0, s["items"])
	}
	return out
}

// put sets a value at a path, making objects and lists on the way.
func put(at any, path []any, v any) any {
	if len(path) == 0 {
		return v
	}
	if name, ok := path[0].(string); ok {
		m, _ := at.(map[string]any)
		if m == nil {
			m = map[string]any{}
		}
		m[name] = put(m[name], path[1:], v)
		return m
	}
	var inner any
	if list, _ := at.([]any); len(list) > 0 {
		inner = list[0]
	}
	return []any{put(inner, path[1:], v)}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
