package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"crm/internal/app/apptest"
)

// TestOpenAPIIsWhole: every reference resolves, every operation has its own id, and
// a tenant's custom fields are in its own document only.
func TestOpenAPIIsWhole(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "alpha")
	if a := tn.Call(t, "POST", "/custom_fields", map[string]any{"object": "contacts", "name": "shoe_size", "type": "integer"}); a.Status != 201 {
		t.Fatalf("add a custom field: %d %s", a.Status, a.Raw)
	}
	public := env.Do(t, "", "GET", "/api/openapi.json", nil, nil)
	own := env.Do(t, tn.Key, "GET", "/api/openapi.json", nil, nil)
	if public.Status != http.StatusOK || strings.Contains(string(public.Raw), "shoe_size") || !strings.Contains(string(own.Raw), "shoe_size") {
		t.Errorf("custom fields belong to their tenant's document: %d", public.Status)
	}
	var doc any
	if err := json.Unmarshal(own.Raw, &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	walk(doc, func(key string, v any) {
		s, _ := v.(string)
		if key == "$ref" && lookup(doc, s) == nil {
			t.Errorf("%s does not resolve", s)
		}
		if key == "operationId" {
			if ids[s] {
				t.Errorf("operation %s stands twice", s)
			}
			ids[s] = true
		}
	})
	if len(ids) < 100 {
		t.Errorf("only %d operations", len(ids))
	}
}

func walk(v any, visit func(key string, v any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			visit(k, x)
			walk(x, visit)
		}
	case []any:
		for _, x := range v {
			walk(x, visit)
		}
	}
}

// lookup follows a reference such as #/components/schemas/Deal.
func lookup(doc any, ref string) any {
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, ok := doc.(map[string]any)
		if !ok {
			return nil
		}
		doc = m[part]
	}
	return doc
}
