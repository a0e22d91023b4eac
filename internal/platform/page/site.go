package page

import (
	"crypto/rand"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
)

// Handler answers one page request; what it returns becomes an error page.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Deps are what a Site needs. FlashKey signs flash messages and must be the same
// on all replicas; empty = a random one, for a single process.
type Deps struct {
	Secure   bool // served over TLS
	FlashKey []byte
	// Error draws the whole document that tells of a failure. e is never nil and
	// holds no private cause.
	Error func(r *http.Request, status int, e *errs.Error) templ.Component
}

// Site is the mechanism all pages share. Safe for concurrent use.
type Site struct {
	secure    bool
	flashKey  []byte
	errorPage func(r *http.Request, status int, e *errs.Error) templ.Component
}

// New makes a Site.
func New(d Deps) *Site {
	key := d.FlashKey
	if len(key) == 0 {
		key = []byte(rand.Text())
	}
	return &Site{secure: d.Secure, flashKey: key, errorPage: d.Error}
}

// OnError sets how failures are drawn, for a composition in which the drawing
// itself needs the Site. Called before serving only.
func (s *Site) OnError(f func(r *http.Request, status int, e *errs.Error) templ.Component) {
	s.errorPage = f
}

// Secure reports whether the site is served over TLS.
func (s *Site) Secure() bool { return s.secure }

// Handle makes an http.HandlerFunc of h.
func (s *Site) Handle(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.Fail(w, r, err)
		}
	}
}

// Fail answers with the error. It must be called before anything was written.
func (s *Site) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the reader has gone; there is nobody to tell
	}
	if WantsJSON(r) {
		rest.Problem(w, r, err)
		return
	}
	if errs.KindOf(err) == errs.Unauthenticated {
		http.Redirect(w, r, SignInPath(r), http.StatusSeeOther)
		return
	}
	status := rest.StatusOf(err)
	e := errs.As(err)
	if e == nil || status == http.StatusInternalServerError {
		slog.ErrorContext(r.Context(), "page failed", "error", err, "path", r.URL.Path, "request_id", rest.RequestID(r))
		e = errs.New(errs.Internal, "internal", "Something broke on our side.")
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if err := s.Render(w, r, status, s.errorPage(r, status, e)); err != nil {
		slog.ErrorContext(r.Context(), "draw the error page", "error", err, "path", r.URL.Path)
		http.Error(w, e.Message, status)
	}
}

// WantsJSON reports whether the caller is a script that reads JSON.
func WantsJSON(r *http.Request) bool {
	return r.Header.Get("X-Async") != "" || strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

// SignInPath is the sign-in page with the way back to where r wanted to go.
func SignInPath(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "/sign-in"
	}
	return "/sign-in?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
}

// LocalPath returns p when it is an address on this very site, and fallback when
// it is not: another host, another scheme, or something a browser might read as
// one.
func LocalPath(p, fallback string) string {
	if len(p) == 0 || len(p) > 2000 || p[0] != '/' || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\x00\r\n\t") {
		return fallback
	}
	u, err := url.Parse(p)
	if err != nil || u.Host != "" || u.Scheme != "" || strings.HasPrefix(u.Path, "//") {
		return fallback
	}
	return p
}

// Back is the page of this site the request came from, or fallback.
func Back(r *http.Request, fallback string) string {
	if p := LocalPath(r.FormValue("back"), ""); p != "" {
		return p
	}
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host {
		return fallback
	}
	return LocalPath(u.RequestURI(), fallback)
}

// SeeOther answers a POST that worked.
func SeeOther(w http.ResponseWriter, r *http.Request, to string) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
