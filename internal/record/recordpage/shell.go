package recordpage

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/web/ui"
)

// Workspace is the tenant as pages need it.
type Workspace struct {
	Slug string
	Name string
}

// ShellDeps are what the frame needs. Workspace names the actor's own tenant.
// Counts feeds the numbers beside menu items, by section; nil = none.
type ShellDeps struct {
	Site      *page.Site
	Kernel    *record.Kernel
	Now       func() time.Time
	Workspace func(ctx context.Context) (Workspace, error)
	Counts    func(ctx context.Context) (map[string]int, error)
	Product   string // shown outside workspaces; default "CRM"
}

// Shell draws the frame around every page inside a workspace.
type Shell struct {
	Site *page.Site

	k        *record.Kernel
	now      func() time.Time
	named    func(ctx context.Context) (Workspace, error)
	counts   func(ctx context.Context) (map[string]int, error)
	product  string
	sections map[string]Section
	settings []SettingsItem

	mu    sync.Mutex
	known map[uuid.UUID]knownWorkspace
}

type knownWorkspace struct {
	Workspace
	at time.Time
}

// workspaceTTL bounds how long a renamed workspace keeps its old name.
const workspaceTTL = 5 * time.Second

// NewShell makes the frame and takes over the drawing of failures.
func NewShell(d ShellDeps) *Shell {
	s := &Shell{
		Site: d.Site, k: d.Kernel, now: d.Now, named: d.Workspace, counts: d.Counts, product: d.Product,
		sections: map[string]Section{}, known: map[uuid.UUID]knownWorkspace{},
	}
	if s.product == "" {
		s.product = "CRM"
	}
	d.Site.OnError(s.errorDocument)
	return s
}

// Head is what a page says about itself. Back to the list is part of the body.
type Head struct {
	Title   string // "{thing} · {list}"
	Section string // key of the menu item
	Banner  *ui.Banner
}

// Page answers with body inside the workspace's frame.
func (s *Shell) Page(w http.ResponseWriter, r *http.Request, status int, h Head, body templ.Component) error {
	l, err := s.layout(r, h)
	if err != nil {
		return err
	}
	l.Toast = s.toast(w, r, l.Workspace.Slug)
	return s.Site.Render(w, r, status, ui.Screen{Layout: *l, Body: body})
}

func (s *Shell) layout(r *http.Request, h Head) (*ui.Layout, error) {
	ctx := r.Context()
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	ws, err := s.workspace(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	if s.counts != nil {
		if counts, err = s.counts(ctx); err != nil {
			return nil, err
		}
	}
	return &ui.Layout{
		Workspace: ui.Workspace{Slug: ws.Slug, Name: ws.Name},
		User:      ui.User{ID: a.ID.String(), Name: a.Name, Role: roleName(a.Role)},
		Section:   h.Section, Nav: s.nav(ctx, a, ws.Slug, counts), Title: h.Title, Banner: h.Banner,
		Theme: theme(r), Nonce: page.Nonce(ctx), Format: s.Format(r), SettingsHref: s.settingsHref(a, ws.Slug),
	}, nil
}

// Format is how values read for this reader.
func (s *Shell) Format(r *http.Request) ui.Format {
	return ui.Format{Zone: zoneOf(auth.From(r.Context())), Now: s.now()}
}

// Product is the name shown outside workspaces.
func (s *Shell) Product() string { return s.product }

// Bare answers with a page outside any workspace.
func (s *Shell) Bare(w http.ResponseWriter, r *http.Request, status int, frame ui.BareLayout, body templ.Component) error {
	frame.Theme, frame.Nonce, frame.Format = theme(r), page.Nonce(r.Context()), s.Format(r)
	return s.Site.Render(w, r, status, ui.BareScreen{Frame: frame, Body: body})
}

// workspace is the actor's tenant, remembered for a moment because every page
// asks.
func (s *Shell) workspace(ctx context.Context) (Workspace, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return Workspace{}, err
	}
	s.mu.Lock()
	k, ok := s.known[a.TenantID]
	s.mu.Unlock()
	if ok && s.now().Sub(k.at) < workspaceTTL {
		return k.Workspace, nil
	}
	ws, err := s.named(ctx)
	if err != nil {
		return Workspace{}, err
	}
	s.mu.Lock()
	s.known[a.TenantID] = knownWorkspace{ws, s.now()}
	s.mu.Unlock()
	return ws, nil
}

// Home is the address people land on after signing in.
func (s *Shell) Home(ctx context.Context) (string, error) {
	ws, err := s.workspace(ctx)
	return "/" + ws.Slug + "/home", err
}

// Inside lets only members of the workspace named in the path through. For
// everybody else it does not exist.
func (s *Shell) Inside(next http.Handler) http.Handler {
	return s.Site.Handle(func(w http.ResponseWriter, r *http.Request) error {
		ws, err := s.workspace(r.Context())
		if err != nil {
			return err
		}
		if chi.URLParam(r, "ws") != ws.Slug {
			return errs.New(errs.NotFound, "no_such_page", "The page may have moved, or it belongs to a workspace you cannot see.")
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// Path is an address inside the workspace of the request.
func Path(r *http.Request, parts ...string) string {
	return "/" + strings.Join(append([]string{chi.URLParam(r, "ws")}, parts...), "/")
}

// toast turns the waiting flash message into the page's toast.
func (s *Shell) toast(w http.ResponseWriter, r *http.Request, slug string) *ui.Toast {
	f := s.Site.TakeFlash(w, r)
	if f == nil {
		return nil
	}
	t := &ui.Toast{Text: f.Text, Bad: f.Bad}
	switch {
	case f.Seq != 0:
		t.UndoURL, t.UndoFields = "/"+slug+"/undo", []ui.Hidden{{Name: "seq", Value: strconv.FormatInt(f.Seq, 10)}}
	case f.Batch != uuid.Nil:
		t.UndoURL, t.UndoFields = "/"+slug+"/undo", []ui.Hidden{{Name: "batch_id", Value: f.Batch.String()}}
	}
	if f.Link != "" {
		t.Link = &ui.Link{Label: f.Label, Href: f.Link}
	}
	return t
}

// errorDocument draws a failure inside the workspace when there is one.
func (s *Shell) errorDocument(r *http.Request, status int, e *errs.Error) templ.Component {
	body := ui.ErrorPage{Status: status, Actions: []ui.Action{{Label: "Home", Href: "/", Weight: ui.Primary}}}
	if e.Kind != errs.Internal {
		body.Text = e.Message
		body.Title = errorTitle(e.Kind)
	} else {
		body.RequestID = rest.RequestID(r)
	}
	if l, err := s.layout(r, Head{Title: "Not here"}); err == nil && chi.URLParam(r, "ws") == l.Workspace.Slug {
		body.Actions[0].Href = "/" + l.Workspace.Slug + "/home"
		return ui.Screen{Layout: *l, Body: body}
	}
	return ui.BareScreen{Frame: ui.BareLayout{Title: s.product, Brand: s.product, Theme: theme(r), Nonce: page.Nonce(r.Context()), Robots: "noindex"}, Body: body}
}

// errorTitle is "" where the component's own words fit.
func errorTitle(k errs.Kind) string {
	switch k {
	case errs.Malformed:
		return "This address cannot be read"
	case errs.Conflict, errs.Stale:
		return "That did not work as things stand now"
	case errs.Invalid:
		return "Not saved"
	case errs.Limited:
		return "Too many tries"
	case errs.TooSlow:
		return "That took too long to come"
	case errs.NoRoom:
		return "The server is full"
	case errs.TooLarge:
		return "That is too large"
	case errs.Unavailable:
		return "Back in a moment"
	}
	return ""
}

func theme(r *http.Request) ui.Theme {
	c, err := r.Cookie(ui.ThemeCookie)
	if err != nil {
		return ui.ThemeAuto
	}
	return ui.ThemeFrom(c.Value)
}

// zoneOf is the actor's time zone, UTC when there is none.
func zoneOf(a *auth.Actor) *time.Location {
	if a == nil || a.TimeZone == "" || strings.EqualFold(a.TimeZone, "local") {
		return time.UTC
	}
	if loc, err := time.LoadLocation(a.TimeZone); err == nil {
		return loc
	}
	return time.UTC
}

func roleName(key string) string {
	if key == "" {
		return ""
	}
	s := strings.ReplaceAll(key, "_", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}
