package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"crm/internal/app/apptest"
	"crm/internal/platform/rest"
)

// program uses the client; the last line has to be refused, or else the compiler says
// that it expected an error.
const program = `
import { Client, rows } from "./client";
export async function shoes(c: Client): Promise<number> {
  let sum = 0;
  for await (const one of rows((q) => c.contactsList(q))) sum += one.custom?.shoe_size ?? 0;
  return sum;
}
// @ts-expect-error: a name is a text
export const create = (c: Client) => c.contactsCreate({ first_name: 7 });
`

// TestTheTypeScriptClientCompiles checks the client of a tenant's own document with
// TypeScript's own compiler, strictly.
func TestTheTypeScriptClientCompiles(t *testing.T) {
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
	if out := compile(t, client); out != "" {
		t.Errorf("the client does not compile:\n%s", out)
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

// compile returns what the compiler complains about.
func compile(t *testing.T, client []byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string][]byte{"client.ts": client, "program.ts": []byte(program)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "tsc", "--noEmit", "--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--target", "es2021", "--lib", "es2021,dom", "program.ts")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatalf("run tsc, which ./dev test installs: %v", err)
	}
	return string(out)
}
