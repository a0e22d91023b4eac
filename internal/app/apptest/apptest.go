// Package apptest runs the whole program on a fresh real database, with tenants,
// people and keys, for tests that go through its doors.
package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/app"
	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/config"
	"crm/internal/platform/db/dbtest"
	"crm/internal/platform/secret"
)

// Env is a running program.
type Env struct {
	App *app.App
	SQL *dbtest.DB
	URL string

	// Limited: answers are for roles with limits on fields, which the document that is
	// checked against, everybody's, does not tell of.
	Limited bool
}

// New starts the program on an empty database; more are further settings, like
// CRM_SMTP_URL=….
func New(t testing.TB, more ...string) *Env {
	t.Helper()
	e := &Env{SQL: dbtest.New(t)}
	cfg, err := config.Load(append([]string{
		"CRM_DATABASE_URL=" + e.SQL.AppURL, "CRM_SECRET_KEY=" + secret.Generate(), "CRM_DATA_DIR=" + t.TempDir(),
		"CRM_METRICS_ADDR=-", "CRM_EGRESS_ALLOW=127.0.0.1", "CRM_API_RATE=failures=1000000",
	}, more...), "")
	if err != nil {
		t.Fatal(err)
	}
	if e.App, err = app.Open(t.Context(), cfg, slog.New(slog.DiscardHandler), app.Admin, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.App.Close(context.WithoutCancel(t.Context())) })
	srv := httptest.NewServer(e.App.Handler())
	t.Cleanup(srv.Close)
	e.URL = srv.URL
	return e
}

// Tenant is a tenant with an admin's key.
type Tenant struct {
	*identity.Tenant
	Key string
	Ctx context.Context // the system inside this tenant

	env *Env
}

// Tenant makes a tenant.
func (e *Env) Tenant(t testing.TB, name string) *Tenant {
	t.Helper()
	made, err := e.App.Identity.CreateTenant(t.Context(), identity.Tenant{Name: name, Currency: "EUR"})
	if err != nil {
		t.Fatal(err)
	}
	actor := auth.SystemActor(made.ID)
	actor.Currency = "EUR"
	ctx := auth.With(t.Context(), actor)
	return &Tenant{Tenant: made, Ctx: ctx, env: e, Key: e.key(t, ctx, identity.TenantAdmin)}
}

func (e *Env) key(t testing.TB, ctx context.Context, role string) string {
	t.Helper()
	k, err := e.App.Identity.CreateAPIKey(ctx, role, role)
	if err != nil {
		t.Fatal(err)
	}
	return k.Token
}

// KeyFor makes another key with a role's rights.
func (tn *Tenant) KeyFor(t testing.TB, role string) string { return tn.env.key(t, tn.Ctx, role) }

// User makes a user who can sign in.
func (tn *Tenant) User(t testing.TB, email, role, password string) uuid.UUID {
	t.Helper()
	u, err := tn.env.App.Identity.CreateUser(tn.Ctx, identity.NewUser{Name: email, Email: email, Role: role, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// Answer is what a call got back.
type Answer struct {
	Status int
	Header http.Header
	Raw    []byte
	JSON   map[string]any
}

// Call sends a request with the tenant's key; body is encoded as JSON when it is
// neither nil nor bytes.
func (tn *Tenant) Call(t testing.TB, method, path string, body any) *Answer {
	t.Helper()
	return tn.env.Do(t, tn.Key, method, "/api/v1"+path, body, nil)
}

// Do sends a request with a bearer key, or without when it is empty.
func (e *Env) Do(t testing.TB, key, method, path string, body any, header http.Header) *Answer {
	t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		reader = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, e.URL+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if reader != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
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
	a := &Answer{Status: resp.StatusCode, Header: resp.Header, Raw: raw}
	_ = json.Unmarshal(raw, &a.JSON)
	if strings.HasPrefix(path, "/api/v1/") && !e.Limited {
		specOf(t, e.App).check(t, method, path, a)
	}
	return a
}
