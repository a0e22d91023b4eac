package identityhttp

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"crm/internal/identity"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/web/ui"
)

// outside answers with a page without a workspace whose address may be a secret: it is
// kept nowhere, told to nobody and found by no search.
func (p *Pages) outside(w http.ResponseWriter, r *http.Request, status int, title string, body ui.PublicForm) error {
	page.NoStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	return p.shell.Bare(w, r, status, ui.BareLayout{Title: title, Brand: p.shell.Product(), Robots: "noindex"}, body)
}

func (p *Pages) gone(w http.ResponseWriter, r *http.Request, err error) error {
	if e := errs.As(err); e != nil && e.Code == "link_expired" {
		page.NoStore(w)
		body := ui.Notice{Title: "This link no longer works", Text: e.Message, Actions: []ui.Action{{Label: "Sign in", Href: "/sign-in"}}}
		return p.shell.Bare(w, r, http.StatusNotFound, ui.BareLayout{Title: body.Title, Brand: p.shell.Product(), Robots: "noindex"}, body)
	}
	return err
}

// newPassword is the field of every form in which one is chosen.
func newPassword(label string) ui.Field {
	return ui.Field{Name: "password", Label: label, Kind: ui.FieldPassword, Required: true, Max: 1024, Autocomplete: "new-password", Help: passwordHelp}
}

func (p *Pages) join(w http.ResponseWriter, r *http.Request) error {
	who, err := p.s.LinkOwner(r.Context(), chi.URLParam(r, "token"))
	if err != nil {
		return p.gone(w, r, err)
	}
	return p.outside(w, r, http.StatusOK, "Welcome", joinForm(r, who))
}

func joinForm(r *http.Request, who *identity.Invited) ui.PublicForm {
	return ui.PublicForm{Title: "Welcome to " + who.Workspace, Intro: "You sign in as " + who.Email + ".", Form: ui.Form{Action: r.URL.Path, Submit: "Begin", Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "name", Label: "Your name", Value: who.Name, Required: true, Max: 200, Autocomplete: "name"}, newPassword("Choose a password"),
	}}}}}
}

func (p *Pages) acceptInvite(w http.ResponseWriter, r *http.Request) error {
	token := chi.URLParam(r, "token")
	session, err := p.s.AcceptInvite(r.Context(), token, strings.TrimSpace(r.PostFormValue("name")), r.PostFormValue("password"), p.visit(r))
	if err == nil {
		return p.enter(w, r, session, "")
	}
	return p.linkAgain(w, r, "Welcome", joinForm, err)
}

// linkAgain shows the form of a link once more with what was refused.
func (p *Pages) linkAgain(w http.ResponseWriter, r *http.Request, title string, form func(*http.Request, *identity.Invited) ui.PublicForm, err error) error {
	who, whoErr := p.s.LinkOwner(r.Context(), chi.URLParam(r, "token"))
	if whoErr != nil {
		return p.gone(w, r, errors.Join(err, whoErr))
	}
	body := form(r, who)
	fields := body.Form.Groups[0].Fields
	typed(r, fields)
	if body.Form.Errors, err = refusals(err, fields); err != nil {
		return err
	}
	return p.outside(w, r, http.StatusUnprocessableEntity, title, body)
}

func (p *Pages) resetForm(w http.ResponseWriter, r *http.Request) error {
	who, err := p.s.LinkOwner(r.Context(), chi.URLParam(r, "token"))
	if err != nil {
		return p.gone(w, r, err)
	}
	return p.outside(w, r, http.StatusOK, "New password", newPasswordPage(r, who))
}

func newPasswordPage(r *http.Request, who *identity.Invited) ui.PublicForm {
	return ui.PublicForm{Title: "A new password", Intro: "For " + who.Email + " at " + who.Workspace + ". It signs out every device.", Form: ui.Form{Action: r.URL.Path, Submit: "Set password", Groups: []ui.FieldGroup{{Fields: []ui.Field{newPassword("New password")}}}}}
}

func (p *Pages) resetPassword(w http.ResponseWriter, r *http.Request) error {
	if err := p.s.ResetPassword(r.Context(), chi.URLParam(r, "token"), r.PostFormValue("password")); err != nil {
		return p.linkAgain(w, r, "New password", newPasswordPage, err)
	}
	return page.SeeOther(w, r, "/sign-in?new=password")
}

func (p *Pages) forgotForm(w http.ResponseWriter, r *http.Request) error {
	if !p.s.Mails() {
		body := ui.Notice{Title: "Forgot your password?", Text: "This installation sends no mail. Ask an admin of your workspace: they can make a link for you.", Actions: []ui.Action{{Label: "Sign in", Href: "/sign-in"}}}
		return p.shell.Bare(w, r, http.StatusOK, ui.BareLayout{Title: body.Title, Brand: p.shell.Product(), Robots: "noindex"}, body)
	}
	return p.outside(w, r, http.StatusOK, "Forgot your password?", forgotPage())
}

func forgotPage() ui.PublicForm {
	return ui.PublicForm{Title: "Forgot your password?", Intro: "We send you a link to choose a new one.", Form: ui.Form{Action: "/forgot", Submit: "Send the link", Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "email", Label: "E-mail", Kind: ui.FieldEmail, Required: true, Max: 254, Autocomplete: "username"},
	}}}}}
}

// forgot answers the same whether or not anybody has the address.
func (p *Pages) forgot(w http.ResponseWriter, r *http.Request) error {
	err := p.s.Forgot(r.Context(), strings.TrimSpace(r.PostFormValue("email")), p.visit(r))
	body := forgotPage()
	if err != nil {
		fields := body.Form.Groups[0].Fields
		typed(r, fields)
		if body.Form.Errors, err = refusals(err, fields); err != nil {
			return err
		}
		return p.outside(w, r, http.StatusUnprocessableEntity, "Forgot your password?", body)
	}
	body.Thanks = &ui.Thanks{Title: "Look into your mailbox", Text: "If somebody has an account with this address, a link is on its way. It works for an hour.", Link: &ui.Link{Label: "Sign in", Href: "/sign-in"}}
	return p.outside(w, r, http.StatusOK, "Forgot your password?", body)
}
