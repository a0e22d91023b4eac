package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"crm/internal/app/apptest"
)

// kept are names that belong to the product in every table, and one that nobody has.
var kept = []string{"tenant_id", "id", "created_at", "created_by", "updated_at", "updated_by", "version", "deleted_at", "never_was"}

// TestNobodyAssignsInBulk puts into every body of every call what the caller may not
// set: the product's own columns, fields that are read only, names that do not exist.
// Each is refused by name and nothing is changed.
func TestNobodyAssignsInBulk(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	cases := 0
	for _, c := range r.routes() {
		if c.Body == nil || c.Upload || c.Public {
			continue
		}
		for _, name := range r.forbidden(c) {
			cases++
			body, _ := r.good(c).(map[string]any)
			body[name] = assigned(name)
			a := r.send(t, r.caller.Key, c.Method, r.address(t, c, r.own), "application/json", encode(t, body))
			r.refusedByName(t, c.String(), name, a)
		}
		cases += r.nested(t, c)
	}
	if cases < 1000 {
		t.Errorf("only %d cases", cases)
	}
}

// forbidden are the names a body does not have, and those its schema calls read only.
func (r *refusals) forbidden(c call) []string {
	schema := r.schema(c.body())
	if schema["additionalProperties"] != nil && schema["additionalProperties"] != false {
		return nil
	}
	properties := object(schema, "properties")
	var out []string
	for _, name := range kept {
		if properties[name] == nil {
			out = append(out, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if r.schema(properties[name])["readOnly"] == true {
			out = append(out, name)
		}
	}
	return append(out, r.readOnly(c, properties)...)
}

// readOnly are the fields of an object that its input leaves out.
func (r *refusals) readOnly(c call, properties map[string]any) []string {
	o, ok := r.env.App.Kernel.ObjectFor(r.caller.Ctx, objectOf(c))
	if !ok || properties["external_id"] == nil {
		return nil // the body is no record's
	}
	var out []string
	for _, f := range o.Def.Fields {
		if (f.ReadOnly || f.Hidden) && properties[f.Name] == nil && !slices.Contains(kept, f.Name) && f.Name != "custom" {
			out = append(out, f.Name)
		}
	}
	return out
}

// nested does the same one level down, in the objects of a body and of its lists.
func (r *refusals) nested(t *testing.T, c call) int {
	t.Helper()
	closed := func(s map[string]any) bool {
		return isType(s, "object") && len(object(s, "properties")) > 0 && s["additionalProperties"] == nil
	}
	cases := 0
	for name, p := range object(r.schema(c.body()), "properties") {
		for _, path := range r.leaves(p, closed, 1) {
			cases++
			path = append(append([]any{name}, path...), "tenant_id")
			body := put(r.good(c), path, r.foreign.ID.String())
			a := r.send(t, r.caller.Key, c.Method, r.address(t, c, r.own), "application/json", encode(t, body))
			what := fmt.Sprint(c, " ", path)
			if a.Status == http.StatusOK && strings.HasSuffix(c.Path, "/batch") { // told in its place
				if status, _ := at(a.JSON, "results", 0, "status").(float64); status < 400 {
					t.Errorf("%s is taken: %.200s", what, a.Raw)
				}
				if news := r.w.news(t); news != "" {
					t.Errorf("%s is refused, but: %s", what, news)
				}
				continue
			}
			if a.Status < 400 {
				t.Errorf("%s is taken: %d %.200s", what, a.Status, a.Raw)
			}
			r.judge(t, what, "", a)
		}
	}
	return cases
}

// assigned is a value that fits the column.
func assigned(name string) any {
	switch {
	case name == "version":
		return 7
	case strings.HasSuffix(name, "_at"):
		return "2020-01-01T00:00:00Z"
	case name == "never_was":
		return "x"
	}
	return "018f0000-0000-7000-8000-000000000001"
}

func (r *refusals) refusedByName(t *testing.T, what, name string, a *apptest.Answer) {
	t.Helper()
	var problem struct{ Errors []struct{ Field string } }
	_ = json.Unmarshal(a.Raw, &problem)
	named := false
	for _, e := range problem.Errors {
		named = named || e.Field == name || strings.HasSuffix(e.Field, "."+name)
	}
	if a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusBadRequest || !named {
		t.Errorf("%s with %s: %d %.300s", what, name, a.Status, a.Raw)
	}
	r.judge(t, what+" with "+name, "", a)
}

// TestAShapeIsRefusedBeforeTheSave asks every call that changes something to answer in
// a way it cannot: what it was to do must not be done.
func TestAShapeIsRefusedBeforeTheSave(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	cases := 0
	for _, c := range r.routes() {
		for _, p := range c.Params {
			if c.Method == http.MethodGet || p.Name != "fields" && p.Name != "expand" {
				continue
			}
			cases++
			var body []byte
			if c.Body != nil {
				body = encode(t, r.good(c))
			}
			path := r.address(t, c, r.own) + "?" + p.Name + "=never_was"
			a := r.send(t, r.caller.Key, c.Method, path, contentTypeOf(body), body)
			if a.Status != http.StatusBadRequest {
				t.Errorf("%s?%s=never_was: %d %.200s", c, p.Name, a.Status, a.Raw)
			}
			r.judge(t, c.String()+" with "+p.Name, "", a)
		}
	}
	if cases < 100 {
		t.Errorf("only %d cases", cases)
	}
}
