package apptest

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"crm/internal/app"
	"crm/internal/platform/rest"
)

// spec is the served document, so that every answer a test gets can be compared
// with what is promised for it. The document of one process is the same for all
// its programs but for custom fields, which no schema forbids.
type spec struct {
	mu       sync.Mutex
	doc      map[string]any
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
	ops      []operation
}

type operation struct {
	route   rest.Route
	pattern *regexp.Regexp
}

var promised struct {
	sync.Mutex
	spec *spec
}

var parameter = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

func specOf(t testing.TB, a *app.App) *spec {
	t.Helper()
	promised.Lock()
	defer promised.Unlock()
	if promised.spec != nil {
		return promised.spec
	}
	api := a.API()
	raw, err := a.OpenAPI(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	s := &spec{doc: doc.(map[string]any), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	s.compiler.AssertFormat()
	if err := s.compiler.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	for _, r := range api.Routes() {
		s.ops = append(s.ops, operation{r, regexp.MustCompile("^" + parameter.ReplaceAllString(regexp.QuoteMeta(r.Path), "[^/]+") + "$")})
	}
	promised.spec = s
	return s
}

// check compares an answer of /api/v1 with the document.
func (s *spec) check(t testing.TB, method, path string, a *Answer) {
	t.Helper()
	path, query, _ := strings.Cut(strings.TrimPrefix(path, "/api/v1"), "?")
	ct, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if method == http.MethodHead || a.Status == http.StatusNotModified || method == http.MethodOptions {
		if len(a.Raw) > 0 {
			t.Errorf("%s %s: %d with a body", method, path, a.Status)
		}
		return
	}
	if a.Status >= 400 {
		if ct != "application/problem+json" {
			t.Errorf("%s %s: %d as %q: %.200s", method, path, a.Status, ct, a.Raw)
			return
		}
		s.compare(t, method, path, "#/components/schemas/Problem", a)
		return
	}
	r, ok := s.route(method, path)
	if !ok {
		t.Errorf("%s %s is answered with %d, but is no call of the document", method, path, a.Status)
		return
	}
	if a.Status >= 300 {
		return // a browser is sent on
	}
	response, _ := lookUp(s.doc, "paths", r.Path, strings.ToLower(r.Method), "responses", fmt.Sprint(a.Status)).(map[string]any)
	if response == nil {
		t.Errorf("%s %s answers %d, which the document does not list", r.Method, r.Path, a.Status)
		return
	}
	content, _ := response["content"].(map[string]any)
	switch {
	case content == nil && len(a.Raw) > 0:
		t.Errorf("%s %s answers with a body, which the document does not have: %.200s", r.Method, r.Path, a.Raw)
	case content != nil && content[ct] == nil:
		t.Errorf("%s %s answers as %q, which the document does not list", r.Method, r.Path, ct)
	case strings.Contains(query, "fields="): // the required fields are not asked for
	case ct == "application/json":
		s.compare(t, method, path, "#/paths/"+escapePointer(r.Path)+"/"+strings.ToLower(r.Method)+"/responses/"+fmt.Sprint(a.Status)+"/content/application~1json/schema", a)
	}
}

// route finds the call of a path as the router does: fixed words before parameters.
func (s *spec) route(method, path string) (rest.Route, bool) {
	var found rest.Route
	ok := false
	for _, op := range s.ops {
		if op.route.Method != method || !op.pattern.MatchString(path) {
			continue
		}
		if !ok || strings.Count(op.route.Path, "{") < strings.Count(found.Path, "{") {
			found, ok = op.route, true
		}
	}
	return found, ok
}

func (s *spec) compare(t testing.TB, method, path, pointer string, a *Answer) {
	t.Helper()
	schema, err := s.schema(pointer)
	if err != nil {
		t.Fatalf("the schema %s: %v", pointer, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.Raw))
	if err != nil {
		t.Errorf("%s %s: %v in %.200s", method, path, err, a.Raw)
		return
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s %s: %d is not what the document promises: %v\n%.500s", method, path, a.Status, err, a.Raw)
	}
}

func (s *spec) schema(pointer string) (*jsonschema.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.schemas[pointer]; ok {
		return c, nil
	}
	c, err := s.compiler.Compile("openapi.json" + pointer)
	if err == nil {
		s.schemas[pointer] = c
	}
	return c, err
}

func lookUp(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// escapePointer writes a path as one word of a JSON pointer in a URL's fragment.
func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}
