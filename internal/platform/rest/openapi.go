package rest

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

var pathParam = regexp.MustCompile(`\{([a-z_]+)\}`)

// OpenAPI writes the 3.1 document of the route table. schemas are the named
// components routes refer to with Ref.
func OpenAPI(routes []Route, version, server string, schemas map[string]Schema) ([]byte, error) {
	paths := map[string]map[string]any{}
	tags := map[string]bool{}
	for _, r := range routes {
		if paths[r.Path] == nil {
			paths[r.Path] = map[string]any{}
		}
		paths[r.Path][strings.ToLower(r.Method)] = operation(r)
		tags[r.Tag] = true
	}
	components := map[string]any{"Problem": problemSchema}
	for name, s := range schemas {
		components[name] = s
	}
	doc := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "CRM API", "version": version, "description": "Everything the web app does, for programs. Every error is application/problem+json.",
			"license": map[string]any{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"contact": map[string]any{"name": "Your administrator", "url": "https://example.com"},
		},
		"servers":  []any{map[string]any{"url": server}},
		"security": []any{map[string]any{"bearer": []any{}}},
		"tags":     tagList(routes),
		"paths":    paths,
		"components": map[string]any{
			"schemas":         components,
			"securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer", "description": "An API key (crm_…) or an OAuth access token."}},
			"responses": map[string]any{"Problem": map[string]any{
				"description": "Refused or failed; see code and errors.",
				"content":     map[string]any{"application/problem+json": map[string]any{"schema": Ref("Problem")}},
			}},
		},
	}
	return json.Marshal(doc)
}

// Ref points to a named component schema.
func Ref(name string) Schema { return Schema{"$ref": "#/components/schemas/" + name} }

// Array is a list of items.
func Array(items Schema) Schema { return Schema{"type": "array", "items": items} }

// Obj is an object with these properties; additional ones are not allowed.
func Obj(properties map[string]Schema, required ...string) Schema {
	s := Schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// Str, Int, Num, Bool, UUID and Time are the plain schemas.
var (
	Str  = Schema{"type": "string"}
	Int  = Schema{"type": "integer"}
	Num  = Schema{"type": "number"}
	Bool = Schema{"type": "boolean"}
	UUID = Schema{"type": "string", "format": "uuid"}
	Time = Schema{"type": "string", "format": "date-time"}
	Any  = Schema{}
)

// Nullable allows null beside s.
func Nullable(s Schema) Schema {
	if t, ok := s["type"].(string); ok {
		out := Schema{}
		for k, v := range s {
			out[k] = v
		}
		out["type"] = []string{t, "null"}
		if e, ok := s["enum"].([]any); ok {
			out["enum"] = append(append([]any{}, e...), nil)
		}
		return out
	}
	return Schema{"anyOf": []Schema{s, {"type": "null"}}}
}

var problemSchema = Obj(map[string]Schema{
	"type": Str, "title": Str, "status": Int, "detail": Str, "code": Str, "request_id": Str, "data": {"type": "object"}, "candidates": Array(Any),
	"errors": Array(Obj(map[string]Schema{"field": Str, "code": Str, "message": Str}, "field", "code", "message")),
}, "type", "title", "status", "detail", "code", "request_id", "errors")

func tagList(routes []Route) []any {
	var out []any
	seen := map[string]bool{}
	for _, r := range routes {
		if !seen[r.Tag] {
			seen[r.Tag] = true
			out = append(out, map[string]any{"name": r.Tag, "description": "Calls about " + r.Tag + "."})
		}
	}
	return out
}

func operation(r Route) map[string]any {
	status := r.Status
	if status == 0 {
		status = 200
	}
	ok := map[string]any{"description": "Done."}
	if r.Answer != nil {
		ok["content"] = map[string]any{"application/json": map[string]any{"schema": r.Answer}}
	}
	op := map[string]any{
		"operationId": r.Name, "summary": r.Summary, "description": describe(r), "tags": []string{r.Tag},
		"responses": map[string]any{strconv.Itoa(status): ok, "default": map[string]any{"$ref": "#/components/responses/Problem"}},
	}
	if params := parameters(r); len(params) > 0 {
		op["parameters"] = params
	}
	if r.Body != nil {
		ct := "application/json"
		if r.Upload {
			ct = "multipart/form-data"
		}
		op["requestBody"] = map[string]any{"required": true, "content": map[string]any{ct: map[string]any{"schema": r.Body}}}
	}
	if r.Public {
		op["security"] = []any{}
	}
	return op
}

func describe(r Route) string {
	switch {
	case r.Public:
		return r.Summary + ". Needs no sign-in."
	case r.Object == "":
		return r.Summary + ". Needs any signed-in caller."
	}
	return r.Summary + ". Needs " + r.Object + ":" + string(r.Action) + "."
}

func parameters(r Route) []any {
	var out []any
	for _, m := range pathParam.FindAllStringSubmatch(r.Path, -1) {
		schema := Str
		if _, isID := r.IDs[m[1]]; isID {
			schema = UUID
		}
		out = append(out, map[string]any{"name": m[1], "in": "path", "required": true, "schema": schema})
	}
	for _, p := range r.Params {
		out = append(out, map[string]any{"name": p.Name, "in": "query", "description": p.Description, "schema": p.Schema})
	}
	return out
}
