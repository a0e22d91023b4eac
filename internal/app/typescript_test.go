package app_test

import (
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"

	"crm/internal/app/apptest"
	"crm/internal/platform/rest"
)

// TestTheTypeScriptClientIsWellFormed parses the client of a tenant's own document.
// That is syntax only: types are checked by a compiler, which this test has not.
func TestTheTypeScriptClientIsWellFormed(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "alpha")
	if a := tn.Call(t, "POST", "/custom_fields", map[string]any{"object": "contacts", "name": "shoe_size", "type": "integer"}); a.Status != 201 {
		t.Fatalf("%s", a.Raw)
	}
	client, err := rest.TypeScript(env.Do(t, tn.Key, "GET", "/api/openapi.json", nil, nil).Raw)
	if err != nil {
		t.Fatal(err)
	}
	out := api.Transform(string(client), api.TransformOptions{Loader: api.LoaderTS, Target: api.ES2022})
	for _, e := range append(out.Errors, out.Warnings...) {
		t.Errorf("line %d: %s", e.Location.Line, e.Text)
	}
	for _, route := range env.App.API().Routes() {
		if strings.HasPrefix(route.Path, "/"+ownParam) {
			continue // stands in for the tenant's own objects, which come by name
		}
		parts := strings.FieldsFunc(route.Name, func(r rune) bool { return r == '.' || r == '_' })
		if !strings.Contains(strings.ToLower(string(client)), "\n  "+strings.Join(parts, "")+"(") {
			t.Errorf("the client has no method for %s", route.Name)
		}
	}
	if !strings.Contains(string(client), `"shoe_size"?: (number | null);`) {
		t.Error("the client does not know the tenant's own field")
	}
}
