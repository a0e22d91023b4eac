package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"crm/internal/app/apptest"
)

// lint holds the rules a strict linter of OpenAPI 3.1 has, written anew.
type lint struct {
	t    *testing.T
	doc  map[string]any
	ids  map[string]string // operationId → where
	tags map[string]bool
}

// TestOpenAPIIsLintFree reads the tenant's document, custom fields included.
func TestOpenAPIIsLintFree(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "alpha")
	for _, kind := range []string{"text", "integer", "select", "money", "date", "boolean", "list"} {
		body := map[string]any{"object": "contacts", "name": "own_" + kind, "type": kind}
		if kind == "select" {
			body["options"] = []string{"a", "b"}
		}
		if a := tn.Call(t, "POST", "/custom_fields", body); a.Status != 201 {
			t.Fatalf("%s: %s", kind, a.Raw)
		}
	}
	l := &lint{t: t, ids: map[string]string{}, tags: map[string]bool{}}
	if err := json.Unmarshal(env.Do(t, tn.Key, "GET", "/api/openapi.json", nil, nil).Raw, &l.doc); err != nil {
		t.Fatal(err)
	}
	l.head()
	l.operations()
	l.references()
	for name, s := range object(l.doc, "components", "schemas") {
		l.schema("components/schemas/"+name, s)
	}
	l.metaschema()
}

func object(v any, path ...string) map[string]any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	m, _ := v.(map[string]any)
	return m
}

func (l *lint) text(where string, m map[string]any, names ...string) {
	for _, name := range names {
		if s, _ := m[name].(string); strings.TrimSpace(s) == "" {
			l.t.Errorf("%s has no %s", where, name)
		}
	}
}

func (l *lint) head() {
	if l.doc["openapi"] != "3.1.0" {
		l.t.Errorf("openapi %v", l.doc["openapi"])
	}
	info := object(l.doc, "info")
	l.text("info", info, "title", "version", "description")
	l.text("info.license", object(info, "license"), "name", "identifier")
	l.text("info.contact", object(info, "contact"), "name", "url")
	servers, _ := l.doc["servers"].([]any)
	for _, s := range servers {
		url, _ := s.(map[string]any)["url"].(string)
		if !strings.HasPrefix(url, "http") || strings.HasSuffix(url, "/") || strings.Contains(url, "example.com") {
			l.t.Errorf("server %q", url)
		}
	}
	if len(servers) == 0 || len(object(l.doc, "components", "securitySchemes")) == 0 || l.doc["security"] == nil {
		l.t.Error("servers, security and securitySchemes are needed")
	}
	last := ""
	for _, tag := range l.doc["tags"].([]any) {
		tag := tag.(map[string]any)
		l.text("a tag", tag, "name", "description")
		name := tag["name"].(string)
		if l.tags[name] || name < last {
			l.t.Errorf("the tag %s stands twice or out of order", name)
		}
		l.tags[name], last = true, name
	}
}

var (
	template = regexp.MustCompile(`\{([^}]*)\}`)
	pathForm = regexp.MustCompile(`^(/([a-z][a-z0-9_]*(\.[a-z]+)?|\{[a-z][a-z0-9_]*\}))+$`)
	idForm   = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)
)

func (l *lint) operations() {
	shapes := map[string]string{}
	for path, item := range object(l.doc, "paths") {
		if !pathForm.MatchString(path) {
			l.t.Errorf("the path %s is not in snake_case, or ends in a slash", path)
		}
		shape := template.ReplaceAllString(path, "{}")
		if other := shapes[shape]; other != "" {
			l.t.Errorf("%s and %s are the same path", path, other)
		}
		shapes[shape] = path
		for method, op := range item.(map[string]any) {
			l.operation(strings.ToUpper(method)+" "+path, method, path, op.(map[string]any))
		}
	}
}

func (l *lint) operation(where, method, path string, op map[string]any) {
	l.text(where, op, "operationId", "summary", "description")
	opID, _ := op["operationId"].(string)
	if other := l.ids[opID]; other != "" || !idForm.MatchString(opID) {
		l.t.Errorf("%s: operationId %q is badly formed, or also that of %s", where, opID, other)
	}
	l.ids[opID] = where
	if s, _ := op["summary"].(string); strings.HasSuffix(s, ".") || len(s) > 180 {
		l.t.Errorf("%s: the summary is a phrase, not a text: %q", where, s)
	}
	tags, _ := op["tags"].([]any)
	if len(tags) != 1 || !l.tags[fmt.Sprint(tags[0])] {
		l.t.Errorf("%s: tags %v", where, tags)
	}
	l.parameters(where, path, op)
	l.responses(where, op)
	body := object(op, "requestBody")
	if body == nil {
		if method == "put" || method == "patch" {
			l.t.Errorf("%s has no requestBody", where)
		}
		return
	}
	if method == "get" || method == "delete" {
		l.t.Errorf("%s has a requestBody", where)
	}
	l.text(where+" requestBody", body, "description")
	l.content(where+" requestBody", body)
}

func (l *lint) parameters(where, path string, op map[string]any) {
	wanted := map[string]bool{}
	for _, m := range template.FindAllStringSubmatch(path, -1) {
		wanted[m[1]] = true
	}
	seen := map[string]bool{}
	list, _ := op["parameters"].([]any)
	for _, p := range list {
		p := l.resolve(p)
		name, in := fmt.Sprint(p["name"]), fmt.Sprint(p["in"])
		l.text(where+" parameter "+name, p, "name", "in", "description")
		if seen[in+name] || !slices.Contains([]string{"path", "query", "header"}, in) {
			l.t.Errorf("%s: the parameter %s in %s", where, name, in)
		}
		seen[in+name] = true
		if in == "path" && (!wanted[name] || p["required"] != true) {
			l.t.Errorf("%s: the path has no {%s}, or it is not required", where, name)
		}
		if in == "path" {
			delete(wanted, name)
		}
		l.schema(where+" parameter "+name, p["schema"])
	}
	if len(wanted) > 0 {
		l.t.Errorf("%s: the parameters %v of the path are not described", where, wanted)
	}
	if seen["querycursor"] && !seen["querylimit"] {
		l.t.Errorf("%s: pages need a limit", where)
	}
}

func (l *lint) responses(where string, op map[string]any) {
	good, failed := 0, false
	for status, r := range object(op, "responses") {
		r := l.resolve(r)
		l.text(where+" "+status, r, "description")
		l.content(where+" "+status, r)
		if status[0] == '2' {
			good++
			if has := r["content"] != nil; has == (status == "204") {
				l.t.Errorf("%s: %s with content %v", where, status, has)
			}
		}
		if status == "default" {
			failed = object(r, "content", "application/problem+json") != nil
		}
	}
	if good == 0 || !failed {
		l.t.Errorf("%s needs a 2xx and a default problem", where)
	}
}

func (l *lint) content(where string, v map[string]any) {
	for media, c := range object(v, "content") {
		if !strings.Contains(media, "/") {
			l.t.Errorf("%s: media type %q", where, media)
		}
		l.schema(where+" "+media, object(c)["schema"])
	}
}

// schema insists that every schema says what it is.
func (l *lint) schema(where string, v any) {
	s, ok := v.(map[string]any)
	if !ok {
		l.t.Errorf("%s: no schema", where)
		return
	}
	for _, old := range []string{"nullable", "example", "discriminator", "exclusiveMinimumBool"} {
		if _, there := s[old]; there {
			l.t.Errorf("%s: %s is of OpenAPI 3.0", where, old)
		}
	}
	if s["$ref"] != nil {
		return
	}
	said := false
	for _, word := range []string{"type", "anyOf", "allOf", "oneOf", "const"} {
		said = said || s[word] != nil
	}
	if !said && s["description"] == nil {
		l.t.Errorf("%s: a schema without a type: %v", where, s)
	}
	l.typed(where, s)
	for name, sub := range object(s, "properties") {
		l.schema(where+"/"+name, sub)
	}
	properties, required := object(s, "properties"), []any{}
	if r, ok := s["required"].([]any); ok {
		required = r
	}
	for _, name := range required {
		if properties[fmt.Sprint(name)] == nil {
			l.t.Errorf("%s: %v is required and not described", where, name)
		}
	}
	for _, word := range []string{"anyOf", "allOf", "oneOf"} {
		list, _ := s[word].([]any)
		for i, sub := range list {
			l.schema(fmt.Sprintf("%s/%s/%d", where, word, i), sub)
		}
	}
	if items, there := s["items"]; there {
		l.schema(where+"/items", items)
	}
	if more, isSchema := s["additionalProperties"].(map[string]any); isSchema {
		l.schema(where+"/*", more)
	}
}

// typed checks what belongs to one type only.
func (l *lint) typed(where string, s map[string]any) {
	types, _ := s["type"].([]any)
	if one, ok := s["type"].(string); ok {
		types = []any{one}
	}
	for _, t := range types {
		if !slices.Contains([]any{"string", "integer", "number", "boolean", "array", "object", "null"}, t) {
			l.t.Errorf("%s: there is no type %v", where, t)
		}
	}
	if slices.Contains(types, any("array")) && s["items"] == nil {
		l.t.Errorf("%s: a list of what?", where)
	}
	enum, _ := s["enum"].([]any)
	for i, v := range enum {
		if _, isText := v.(string); (v == nil) != (v == nil && slices.Contains(types, any("null"))) || (isText && !slices.Contains(types, any("string"))) {
			l.t.Errorf("%s: %v is not of type %v", where, v, types)
		}
		if slices.Contains(enum[:i], v) {
			l.t.Errorf("%s: %v stands twice", where, v)
		}
	}
}

func (l *lint) resolve(v any) map[string]any {
	m, _ := v.(map[string]any)
	if ref, ok := m["$ref"].(string); ok {
		m, _ = lookup(any(l.doc), ref).(map[string]any)
	}
	return m
}

// references: none dangles, and no component is there for nothing.
func (l *lint) references() {
	used := map[string]bool{}
	walk(any(l.doc), func(key string, v any) {
		ref, ok := v.(string)
		if key != "$ref" || !ok {
			return
		}
		used[ref] = true
		if lookup(any(l.doc), ref) == nil {
			l.t.Errorf("%s does not resolve", ref)
		}
	})
	for _, kind := range []string{"schemas", "parameters", "responses"} {
		for name := range object(l.doc, "components", kind) {
			if ref := "#/components/" + kind + "/" + name; !used[ref] {
				l.t.Errorf("%s is not used", ref)
			}
		}
	}
}

// metaschema compiles every schema as JSON Schema 2020-12 and holds the examples
// against their schemas.
func (l *lint) metaschema() {
	raw, _ := json.Marshal(l.doc)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		l.t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		l.t.Fatal(err)
	}
	for name, s := range object(doc, "components", "schemas") {
		compiled, err := c.Compile("openapi.json#/components/schemas/" + name)
		if err != nil {
			l.t.Errorf("%s: %v", name, err)
			continue
		}
		examples, _ := s.(map[string]any)["examples"].([]any)
		for _, e := range examples {
			if err := compiled.Validate(e); err != nil {
				l.t.Errorf("the example of %s: %v", name, err)
			}
		}
	}
}
