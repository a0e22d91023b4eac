package recordhttp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"crm/internal/app/apptest"
)

// client calls the API of a whole running program, as a script of a tenant would.
type client struct {
	t   *testing.T
	env *apptest.Env
	tn  *apptest.Tenant
	key string
}

func open(t *testing.T) *client {
	t.Helper()
	env := apptest.New(t)
	tn := env.Tenant(t, "alpha")
	return &client{t: t, env: env, tn: tn, key: tn.Key}
}

// as is the same client with another key.
func (c *client) as(key string) *client {
	other := *c
	other.key = key
	return &other
}

// do sends a request; headers are name, value, name, value.
func (c *client) do(method, path string, body any, headers ...string) *apptest.Answer {
	c.t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	return c.env.Do(c.t, c.key, method, "/api/v1"+path, body, h)
}

// is does a request and insists on the status.
func (c *client) is(status int, method, path string, body any, headers ...string) *apptest.Answer {
	c.t.Helper()
	a := c.do(method, path, body, headers...)
	if a.Status != status {
		c.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.Status, status, a.Raw)
	}
	return a
}

// refused does a request that must fail with a whole problem of this code.
func (c *client) refused(status int, code, method, path string, body any, headers ...string) *apptest.Answer {
	c.t.Helper()
	a := c.do(method, path, body, headers...)
	if a.Status != status || a.JSON["code"] != code {
		c.t.Errorf("%s %s: %d %s, want %d %s", method, path, a.Status, a.Raw, status, code)
		return a
	}
	wholeProblem(c.t, a)
	return a
}

// wholeProblem checks the shape every refusal has, whichever layer it comes from.
func wholeProblem(t *testing.T, a *apptest.Answer) {
	t.Helper()
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type %q of %s", ct, a.Raw)
	}
	if a.JSON["type"] == nil || a.JSON["title"] == nil || a.JSON["detail"] == "" || a.JSON["status"] != float64(a.Status) {
		t.Errorf("not a whole problem: %s", a.Raw)
	}
	if _, ok := a.JSON["errors"].([]any); !ok || a.JSON["request_id"] != a.Header.Get("X-Request-Id") {
		t.Errorf("errors or request_id are wrong: %s", a.Raw)
	}
}

func id(a *apptest.Answer) string { return fmt.Sprint(a.JSON["id"]) }

// contact makes one and returns its id.
func (c *client) contact(name string, more ...any) string {
	c.t.Helper()
	return id(c.is(201, "POST", "/contacts", with(map[string]any{"last_name": name}, more...)))
}

func with(m map[string]any, more ...any) map[string]any {
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

// names are the values of a field in a list's answer.
func names(a *apptest.Answer, field string) string {
	var out []string
	for _, row := range a.JSON["data"].([]any) {
		out = append(out, fmt.Sprint(row.(map[string]any)[field]))
	}
	return strings.Join(out, " ")
}

func (c *client) customField(object, name, kind string) {
	c.t.Helper()
	c.is(201, "POST", "/custom_fields", map[string]any{"object": object, "name": name, "type": kind})
}

func keys(m map[string]any) string {
	raw, _ := json.Marshal(m)
	return string(raw)
}
