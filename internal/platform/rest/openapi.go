package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var pathParam = regexp.MustCompile(`\{([a-z_]+)\}`)

const intro = `Everything the web app does, for programs.

Lists answer in pages: send next_cursor of one page as cursor of the next until it is null. Every error is
application/problem+json with a stable code. Idempotency-Key makes repeating a write safe for 24 hours; If-Match with an
ETag keeps two writers from overwriting each other. RateLimit and RateLimit-Policy tell on every answer how the caller's
buckets stand; a 429 says in Retry-After when to go on. Times are RFC 3339 in UTC, ids are UUIDs, money is a decimal text
with its currency.`

// OpenAPI writes the 3.1 document of the route table. schemas are the named
// components routes refer to with Ref.
func OpenAPI(routes []Route, version, server string, schemas map[string]Schema) ([]byte, error) {
	paths := map[string]map[string]any{}
	for _, r := range routes {
		if paths[r.Path] == nil {
			paths[r.Path] = map[string]any{}
		}
		paths[r.Path][strings.ToLower(r.Method)] = operation(r)
	}
	components := map[string]any{"Problem": problemSchema}
	for name, s := range schemas {
		components[name] = s
	}
	doc := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "CRM API", "version": version, "summary": "The API of this CRM.", "description": intro,
			"license": map[string]any{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"contact": map[string]any{"name": "The administrator of this installation", "url": strings.TrimSuffix(server, "/api/v1")},
		},
		"servers":  []any{map[string]any{"url": server, "description": "This installation."}},
		"security": []any{map[string]any{"bearer": []any{}}},
		"tags":     tagList(routes),
		"paths":    paths,
		"components": map[string]any{
			"schemas":         components,
			"parameters":      headerParams,
			"securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer", "description": "An API key (crm_…) or an OAuth access token."}},
			"responses": map[string]any{"Problem": map[string]any{
				"description": "Refused or failed; see code and errors.",
				"content":     map[string]any{"application/problem+json": map[string]any{"schema": Ref("Problem")}},
			}},
		},
	}
	return withoutUnused(doc, components)
}

// withoutUnused leaves out the schemas that no call refers to, such as the input of
// an object that is written by acts only.
func withoutUnused(doc, schemas map[string]any) ([]byte, error) {
	for {
		raw, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		before := len(schemas)
		for name := range schemas {
			if !bytes.Contains(raw, []byte(`"#/components/schemas/`+name+`"`)) {
				delete(schemas, name)
			}
		}
		if len(schemas) == before {
			return raw, nil
		}
	}
}

// headerParams are the headers that every fitting call understands.
var headerParams = map[string]any{
	"IdempotencyKey": map[string]any{
		"name": "Idempotency-Key", "in": "header", "required": false, "schema": Schema{"type": "string", "maxLength": 255},
		"description": "The same key and request give the first answer again for 24 hours, with Idempotency-Replayed: true; another payload is 422, a first request still running 409.",
	},
	"IfMatch": map[string]any{
		"name": "If-Match", "in": "header", "required": false, "schema": Str,
		"description": "The version the change is meant for, as in the ETag; 412 when the record is at another.",
	},
	"IfNoneMatch": map[string]any{
		"name": "If-None-Match", "in": "header", "required": false, "schema": Str,
		"description": "The version the caller has; 304 without a body when it is still the one.",
	},
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
	Any  = Schema{"description": "Any JSON value."}
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
	"type": Str, "title": Str, "status": Int, "detail": Str, "code": Str, "request_id": Str, "data": {"type": "object", "description": "Facts about the refusal, by code."}, "candidates": Array(Any),
	"errors": Array(Obj(map[string]Schema{"field": Str, "code": Str, "message": Str}, "field", "code", "message")),
}, "type", "title", "status", "detail", "code", "request_id", "errors")

func tagList(routes []Route) []any {
	var names []string
	for _, r := range routes {
		if !slices.Contains(names, r.Tag) {
			names = append(names, r.Tag)
		}
	}
	slices.Sort(names)
	var out []any
	for _, name := range names {
		out = append(out, map[string]any{"name": name, "description": "Calls about " + strings.ReplaceAll(name, "_", " ") + "."})
	}
	return out
}

func operation(r Route) map[string]any {
	op := map[string]any{
		"operationId": r.Name, "summary": r.Summary, "description": describe(r), "tags": []string{r.Tag}, "responses": responses(r),
	}
	if params := parameters(r); len(params) > 0 {
		op["parameters"] = params
	}
	if r.Body != nil {
		ct := "application/json"
		if r.Upload {
			ct = "multipart/form-data"
		}
		op["requestBody"] = map[string]any{"required": needsBody(r), "description": "What to " + lastWord(r.Name) + ".", "content": map[string]any{ct: map[string]any{"schema": r.Body}}}
	}
	if r.Public {
		op["security"] = []any{}
	}
	return op
}

// needsBody is false for acts whose every field may be left out.
func needsBody(r Route) bool {
	required, _ := r.Body["required"].([]string)
	return r.Upload || len(required) > 0 || r.Body["$ref"] != nil
}

func lastWord(name string) string { return name[strings.LastIndex(name, ".")+1:] }

func responses(r Route) map[string]any {
	out := map[string]any{"default": map[string]any{"$ref": "#/components/responses/Problem"}}
	status := r.Status
	if status == 0 {
		status = http.StatusOK
	}
	for _, s := range append([]int{status}, r.Also...) {
		ok := map[string]any{"description": http.StatusText(s) + "."}
		switch {
		case r.File != "":
			ok["content"] = fileContent(r.File)
		case r.Answer != nil:
			ok["content"] = map[string]any{"application/json": map[string]any{"schema": r.Answer}}
		}
		out[strconv.Itoa(s)] = ok
	}
	return out
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
		schema, text := Str, "The "+strings.ReplaceAll(m[1], "_", " ")+"."
		if object, isID := r.IDs[m[1]]; isID {
			schema, text = UUID, "The id of the "+strings.ReplaceAll(object, "_", " ")+"."
		}
		out = append(out, map[string]any{"name": m[1], "in": "path", "required": true, "description": text, "schema": schema})
	}
	for _, p := range r.Params {
		out = append(out, map[string]any{"name": p.Name, "in": "query", "required": false, "description": p.Description, "schema": p.Schema})
	}
	if r.Filters {
		out = append(out, map[string]any{
			"name": "filters", "in": "query", "required": false, "style": "form", "explode": true,
			"description": "Any number of field=value and field[op]=value, also account.industry=… one relation away and custom.tier=…; the fields and their operators are in the object's schema call.",
			"schema":      Schema{"type": "object", "additionalProperties": Str},
		})
	}
	for _, name := range headers(r) {
		out = append(out, map[string]any{"$ref": "#/components/parameters/" + name})
	}
	return out
}

// headers are the header parameters a call understands.
func headers(r Route) []string {
	var out []string
	one := r.IDs["id"] != ""
	switch {
	case r.Method == http.MethodGet && one && strings.HasSuffix(r.Path, "/{id}"):
		out = append(out, "IfNoneMatch")
	case r.Method != http.MethodGet && !r.Public:
		out = append(out, "IdempotencyKey")
		if one {
			out = append(out, "IfMatch")
		}
	}
	return out
}

// fileContent describes an answer that is one of several kinds of file.
func fileContent(kinds string) map[string]any {
	out := map[string]any{}
	for _, kind := range strings.Split(kinds, ",") {
		kind = strings.TrimSpace(kind)
		out[kind] = map[string]any{"schema": Schema{"type": "string", "contentMediaType": kind}}
	}
	return out
}
