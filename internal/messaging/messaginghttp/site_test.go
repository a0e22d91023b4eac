package messaginghttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"crm/internal/messaging"
	"crm/internal/messaging/messaginghttp"
	"crm/internal/platform/auth"
	"crm/internal/platform/egress"
	"crm/internal/platform/jobs"
	"crm/internal/platform/mail/smtptest"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/platform/secret"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/internal/record/recordtest"
)

// person stands in for the contact of the neighbouring context, over its real
// table.
type person struct {
	record.Base
	FirstName string `crm:"first_name,text,title"`
	LastName  string `crm:"last_name,text,title"`
	Email     string `crm:"email,email"`
}

// site is a workspace served over HTTP with a working mail server behind it; the
// actor is chosen per request.
type site struct {
	*recordtest.Env
	people *record.Store[person]
	s      *messaging.Service
	sink   *smtptest.Sink
	url    string
}

func newSite(t *testing.T, sink ...smtptest.Options) *site {
	t.Helper()
	w := &site{Env: recordtest.New(t), sink: smtptest.Start(t, sink...)}
	var err error
	w.people, err = record.Register[person](w.K, record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true}, record.HooksFor[person]{})
	must(t, err)
	box, err := secret.New([]string{secret.Generate()})
	must(t, err)
	guard, err := egress.New([]string{"127.0.0.0/8"})
	must(t, err)
	w.s, err = messaging.New(messaging.Deps{
		Kernel: w.K, Box: box, Egress: guard, Now: time.Now, Log: slog.New(slog.DiscardHandler), BaseURL: "https://crm.test", Alone: true,
		Limits: messaging.Timeouts{Connect: 5 * time.Second, Step: 5 * time.Second, Answer: 300 * time.Millisecond},
	})
	must(t, err)
	w.work(t)
	w.serve(t)
	return w
}

func (w *site) work(t *testing.T) {
	t.Helper()
	reg := jobs.NewRegistry()
	w.s.Register(reg)
	client, err := jobs.New(reg, jobs.Options{Pool: w.DB.Pool(), Log: slog.New(slog.DiscardHandler), Works: true})
	must(t, err)
	w.s.SetJobs(client)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	must(t, client.Start(ctx, true))
	done := make(chan error, 1)
	go func() { done <- w.s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer end()
		must(t, client.Stop(grace))
		w.s.Close()
	})
}

func (w *site) serve(t *testing.T) {
	t.Helper()
	api := &rest.API{}
	box, err := secret.New([]string{secret.Generate()})
	must(t, err)
	api.Around(rest.Idempotent(w.DB, box, time.Now))
	api.Add(messaginghttp.New(w.s).Routes()...)
	r := chi.NewRouter()
	r.Use(w.signIn)
	r.Route("/api/v1", api.Mount)
	shell := recordpage.NewShell(recordpage.ShellDeps{
		Site: page.New(page.Deps{}), Kernel: w.K, Now: time.Now,
		Workspace: func(ctx context.Context) (recordpage.Workspace, error) {
			if auth.From(ctx).TenantID != w.Tenant {
				return recordpage.Workspace{Slug: "beta", Name: "Beta"}, nil
			}
			return recordpage.Workspace{Slug: "alpha", Name: "Alpha"}, nil
		},
	})
	generic := recordpage.New(recordpage.Deps{Shell: shell, Kernel: w.K, Now: time.Now})
	pages := messaginghttp.NewPages(generic, w.s, time.Now)
	pages.MountOutside(r)
	r.Route("/{ws}", func(r chi.Router) {
		r.Use(shell.Inside)
		pages.MountInside(r)
		generic.Mount(r)
	})
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	w.url = srv.URL
}

// signIn takes the actor from a header; how one signs in is not this package's
// business.
func (w *site) signIn(next http.Handler) http.Handler {
	actors := map[string]context.Context{"admin": w.Admin, "rep": w.Rep, "other": w.Other}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if ctx, ok := actors[r.Header.Get("Test-Actor")]; ok {
			r = r.WithContext(auth.With(r.Context(), auth.From(ctx)))
		}
		next.ServeHTTP(rw, r)
	})
}

// do sends a request as an actor and follows nothing.
func (w *site) do(t *testing.T, actor, method, path, kind, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Test-Actor", actor)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.Do(req)
	must(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(raw)
}

// call speaks JSON.
func (w *site) call(t *testing.T, actor, method, path string, body any) (int, map[string]any) {
	t.Helper()
	text := ""
	if body != nil {
		raw, err := json.Marshal(body)
		must(t, err)
		text = string(raw)
	}
	resp, raw := w.do(t, actor, method, "/api/v1"+path, "application/json", text)
	var out map[string]any
	if raw != "" {
		must(t, json.Unmarshal([]byte(raw), &out))
	}
	return resp.StatusCode, out
}

// form posts a page's form, or gets the page when there is none.
func (w *site) form(t *testing.T, actor, path string, form url.Values) (*http.Response, string) {
	t.Helper()
	if form == nil {
		return w.do(t, actor, "GET", path, "", "")
	}
	return w.do(t, actor, "POST", path, "application/x-www-form-urlencoded", form.Encode())
}

func (w *site) provider(t *testing.T) string {
	t.Helper()
	host, port := w.sink.HostPort()
	status, out := w.call(t, "admin", "POST", "/providers", map[string]any{
		"name": "Desk", "type": "smtp", "channel": "email",
		"settings": map[string]any{"host": host, "port": port, "tls": "none", "from": "desk@crm.test"},
	})
	if status != 201 {
		t.Fatalf("add a provider: %d %v", status, out)
	}
	return out["id"].(string)
}

// become waits for a status over the API.
func (w *site) become(t *testing.T, id, status string) map[string]any {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		code, out := w.call(t, "admin", "GET", "/messages/"+id, nil)
		if code != 200 {
			t.Fatalf("read the message: %d %v", code, out)
		}
		if out["status"] == status {
			return out
		}
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("message is %v (%v), want %s", out["status"], out["last_error"], status)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func text(v any) string { return fmt.Sprint(v) }
