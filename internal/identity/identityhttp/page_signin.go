package identityhttp

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/web/ui"
)

// maxSignIn is the largest sign-in form, in bytes.
const maxSignIn = 16 << 10

func (p *Pages) signInForm(w http.ResponseWriter, r *http.Request) error {
	next := page.LocalPath(r.URL.Query().Get("next"), "")
	if auth.From(r.Context()) != nil {
		return p.start(w, r)
	}
	return p.showSignIn(w, r, http.StatusOK, ui.SignIn{Next: next})
}

func (p *Pages) showSignIn(w http.ResponseWriter, r *http.Request, status int, body ui.SignIn) error {
	body.Hints = p.hints(r.Context())
	body.ResetHref = "/forgot"
	if r.URL.Query().Get("new") == "password" {
		body.Intro = "Your new password is set. Sign in with it."
	}
	page.NoStore(w)
	return p.shell.Bare(w, r, status, ui.BareLayout{Title: "Sign in", Brand: p.shell.Product(), Robots: "noindex"}, templ.Join(body, ui.PasskeyButton{
		Begin: "/sign-in/passkey/begin", Finish: "/sign-in/passkey?" + url.Values{"next": {body.Next}}.Encode(), Label: "Sign in with a passkey", Failed: noPasskey,
	}))
}

// signIn answers POST /sign-in. Unknown and wrong read the same.
func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	if err := r.ParseForm(); err != nil {
		return errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	body := ui.SignIn{Email: strings.TrimSpace(r.PostForm.Get("email")), Next: page.LocalPath(r.PostForm.Get("next"), "")}
	session, err := p.s.SignIn(r.Context(), body.Email, r.PostForm.Get("password"), "", p.visit(r))
	switch e := errs.As(err); {
	case e != nil && e.Kind == errs.Unauthenticated:
		body.Error = e.Message
		return p.showSignIn(w, r, http.StatusUnprocessableEntity, body)
	case e != nil && e.Kind == errs.Limited:
		body.Locked = e.Message
		return p.showSignIn(w, r, http.StatusTooManyRequests, body)
	case e != nil && e.Kind == errs.Forbidden:
		body.Error = e.Message
		return p.showSignIn(w, r, http.StatusForbidden, body)
	case err != nil:
		return err
	}
	return p.enter(w, r, session, body.Next)
}

// enter opens the door: the cookie is set, and the person goes where they wanted to.
func (p *Pages) enter(w http.ResponseWriter, r *http.Request, s *identity.Session, next string) error {
	if s.Step != "" {
		return p.nextStep(w, r, s, next)
	}
	p.setSession(w, s)
	return page.SeeOther(w, r, afterSignIn(next, s.Slug))
}

// afterSignIn is where the person wanted to go, unless that is another workspace.
func afterSignIn(next, slug string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(next, "/"), "/")
	first, _, _ = strings.Cut(first, "?")
	if first == slug || first == "account" || first == "oauth" {
		return next
	}
	return "/" + slug + "/home"
}

func (p *Pages) setSession(w http.ResponseWriter, s *identity.Session) {
	http.SetCookie(w, p.sessionCookie(s.Token, int(s.ExpiresAt.Sub(p.now()).Seconds())))
	http.SetCookie(w, p.cookie(deviceCookie, s.Device, deviceAge))
}

// deviceCookie outlives sessions: it tells that somebody has come in from this
// browser before, and opens nothing.
const (
	deviceCookie = "crm_device"
	deviceAge    = 400 * 24 * 60 * 60 // seconds; browsers keep none longer
)

func (p *Pages) sessionCookie(token string, age int) *http.Cookie {
	return p.cookie("crm_session", token, age)
}

func (p *Pages) cookie(name, value string, age int) *http.Cookie {
	secure := p.shell.Site.Secure()
	return &http.Cookie{Name: page.HostCookie(name, secure), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
}

// visit is where the request comes from.
func (p *Pages) visit(r *http.Request) identity.Visit {
	v := identity.Visit{Address: p.address(r), Agent: r.UserAgent()}
	if c, err := r.Cookie(page.HostCookie(deviceCookie, p.shell.Site.Secure())); err == nil {
		v.Device = c.Value
	}
	return v
}

// signOut answers POST /sign-out. Pages the browser kept are thrown away, so that
// the back button shows nothing to the next person.
func (p *Pages) signOut(w http.ResponseWriter, r *http.Request) error {
	if auth.From(r.Context()) != nil {
		if err := p.s.SignOut(r.Context()); err != nil {
			return err
		}
	}
	http.SetCookie(w, p.sessionCookie("", -1))
	w.Header().Set("Clear-Site-Data", `"cache"`)
	return page.SeeOther(w, r, "/sign-in")
}
