// Package pagetest opens pages the way a browser without script does: real
// handlers over a real database, a cookie jar, and answers one can look into. It
// stands on recordtest; whoever tests pages of a context adds them to the World
// before Serve.
package pagetest

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/internal/record/recordtest"
)

// World is a site over a recordtest.Env. Its workspace is "alpha".
type World struct {
	*recordtest.Env
	Site  *page.Site
	Shell *recordpage.Shell
	Pages *recordpage.Pages
	Live  *page.Live
	// Outside and Inside mount further pages, before Serve.
	Outside []func(r chi.Router)
	Inside  []func(r chi.Router)
	// Session finds the actor of a request that no Browser.As has set.
	Session func(r *http.Request) *auth.Actor

	srv    *httptest.Server
	actors map[string]*auth.Actor
}

// Option changes what the generic pages are made with.
type Option func(*recordpage.Deps)

// New makes a world; the objects must be registered on e.K already.
func New(t testing.TB, e *recordtest.Env, options ...Option) *World {
	t.Helper()
	w := &World{Env: e, Site: page.New(page.Deps{}), Live: page.NewLive(), actors: map[string]*auth.Actor{}}
	w.Shell = recordpage.NewShell(recordpage.ShellDeps{Site: w.Site, Kernel: e.K, Now: time.Now, Workspace: w.workspace})
	d := recordpage.Deps{Shell: w.Shell, Kernel: e.K, Now: time.Now}
	for _, o := range options {
		o(&d)
	}
	w.Pages = recordpage.New(d)
	recordpage.WatchLive(e.K, w.Live)
	return w
}

func (w *World) workspace(ctx context.Context) (recordpage.Workspace, error) {
	var out recordpage.Workspace
	err := w.DB.Read(ctx, db.Query{SQL: "select slug, name from tenants where id = app_tenant()"}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[recordpage.Workspace])
		return err
	})
	return out, err
}

// Serve starts the site.
func (w *World) Serve(t testing.TB) {
	t.Helper()
	r := chi.NewRouter()
	r.Use(w.signedIn, w.Site.Headers)
	for _, mount := range w.Outside {
		mount(r)
	}
	r.Get("/live", w.Site.Handle(w.Live.Stream))
	r.Route("/{ws}", func(r chi.Router) {
		r.Use(w.Shell.Inside)
		for _, mount := range w.Inside {
			mount(r)
		}
		w.Pages.Mount(r)
	})
	w.srv = httptest.NewServer(http.NewCrossOriginProtection().Handler(r))
	t.Cleanup(func() {
		w.Live.Close()
		w.srv.Close()
	})
}

const actorHeader = "X-Test-Actor"

func (w *World) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		a := w.actors[r.Header.Get(actorHeader)]
		if a == nil && w.Session != nil {
			a = w.Session(r)
		}
		if a != nil {
			c := *a
			c.Via = auth.ViaWeb
			r = r.WithContext(auth.With(r.Context(), &c))
		}
		next.ServeHTTP(rw, r)
	})
}

// Browser is one person's browser: it keeps cookies and does not follow redirects.
type Browser struct {
	w      *World
	t      testing.TB
	client *http.Client
	actor  string
}

// As opens a browser for the actor of ctx; a ctx without one is nobody.
func (w *World) As(t testing.TB, ctx context.Context) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{w: w, t: t, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if a := auth.From(ctx); a != nil {
		b.actor = uuid.NewString()
		w.actors[b.actor] = a
	}
	return b
}

// Answer is what came back.
type Answer struct {
	t        testing.TB
	Status   int
	Location string
	Header   http.Header
	Body     string // as sent
	Text     string // without tags, entities resolved, spaces folded
}

// Get fetches a page.
func (b *Browser) Get(path string) *Answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil, nil)
}

// Post sends a form; the fields are name, value, name, value….
func (b *Browser) Post(path string, fields ...string) *Answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, path, strings.NewReader(form.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
}

// Follow fetches where an answer points to; it must be a 303.
func (b *Browser) Follow(a *Answer) *Answer {
	b.t.Helper()
	if a.Status != http.StatusSeeOther {
		b.t.Fatalf("status %d instead of 303: %.600s", a.Status, a.Text)
	}
	return b.Get(a.Location)
}

// URL is the address of a path, for clients of the test's own.
func (w *World) URL(path string) string { return w.srv.URL + path }

// Request makes a request in the name of the browser's actor.
func (b *Browser) Request(ctx context.Context, method, path string, body io.Reader) *http.Request {
	b.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, b.w.srv.URL+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set(actorHeader, b.actor)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return req
}

func (b *Browser) do(method, path string, body io.Reader, header http.Header) *Answer {
	b.t.Helper()
	req := b.Request(b.t.Context(), method, path, body)
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &Answer{t: b.t, Status: resp.StatusCode, Location: resp.Header.Get("Location"), Header: resp.Header, Body: string(raw), Text: plain(string(raw))}
}

var (
	tag    = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

func plain(s string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(tag.ReplaceAllString(s, " ")), " "))
}

// Is checks the status and that the page says each of the texts.
func (a *Answer) Is(status int, texts ...string) *Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d instead of %d: %.800s", a.Status, status, a.Text)
	}
	for _, s := range texts {
		if !strings.Contains(a.Text, s) && !strings.Contains(a.Body, s) {
			a.t.Errorf("the page does not say %q: %.3000s", s, a.Text)
		}
	}
	return a
}

// Lacks checks that the page says none of the texts.
func (a *Answer) Lacks(texts ...string) *Answer {
	a.t.Helper()
	for _, s := range texts {
		if strings.Contains(a.Text, s) || strings.Contains(a.Body, s) {
			a.t.Errorf("the page says %q", s)
		}
	}
	return a
}

// Hidden returns the value of the first hidden field with this name.
func (a *Answer) Hidden(name string) string {
	a.t.Helper()
	m := regexp.MustCompile(`<input type="hidden" name="` + regexp.QuoteMeta(name) + `" value="([^"]*)"`).FindStringSubmatch(a.Body)
	if m == nil {
		a.t.Fatalf("there is no hidden field %q on the page", name)
	}
	return html.UnescapeString(m[1])
}

// Make creates a record of an object from canonical values.
func (w *World) Make(t testing.TB, ctx context.Context, object string, values record.Patch) *record.Record {
	t.Helper()
	o, ok := w.K.Object(object)
	if !ok {
		t.Fatalf("there is no object %q", object)
	}
	res, err := o.One(ctx, record.Operation{Kind: record.OpCreate, Patch: values})
	if err != nil {
		t.Fatal(err)
	}
	return res.Record
}
