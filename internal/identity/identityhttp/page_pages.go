package identityhttp

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// PageDeps are what identity's pages need. Address is the peer a limit counts;
// nil = the connection's. Hints are lines under the sign-in form, such as the demo
// accounts; nil = none.
type PageDeps struct {
	Shell   *recordpage.Shell
	Service *identity.Service
	Now     func() time.Time
	Address func(r *http.Request) string
	Hints   func(ctx context.Context) []string
}

// Pages serves signing in and out, one's own account, and the settings about
// people and keys.
type Pages struct {
	shell   *recordpage.Shell
	s       *identity.Service
	now     func() time.Time
	address func(r *http.Request) string
	hints   func(ctx context.Context) []string
}

// NewPages makes the pages and puts them into the settings menu.
func NewPages(d PageDeps) *Pages {
	p := &Pages{shell: d.Shell, s: d.Service, now: d.Now, address: d.Address, hints: d.Hints}
	if p.address == nil {
		p.address = peer
	}
	if p.hints == nil {
		p.hints = func(context.Context) []string { return nil }
	}
	d.Shell.AddSettings(
		recordpage.SettingsItem{Group: "People", Key: "users", Label: "Users", Path: "settings/users", Object: "user"},
		recordpage.SettingsItem{Group: "People", Key: "teams", Label: "Teams", Path: "settings/teams", Object: "team"},
		recordpage.SettingsItem{Group: "People", Key: "roles", Label: "Roles", Path: "settings/roles", Object: "role"},
		recordpage.SettingsItem{Group: "People", Key: "sign-in", Label: "Signing in", Path: "settings/sign-in", Object: "tenant"},
		recordpage.SettingsItem{Group: "Programs", Key: "api-keys", Label: "API keys", Path: "settings/api-keys", Object: "api_key", Action: auth.Create},
	)
	return p
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// MountOutside puts the pages without a workspace under r.
func (p *Pages) MountOutside(r chi.Router) {
	h := p.shell.Site.Handle
	r.Get("/", h(p.start))
	r.Get("/sign-in", h(p.signInForm))
	r.Post("/sign-in", h(p.signIn))
	r.Get("/sign-in/code", h(p.codeForm))
	r.Post("/sign-in/code", h(p.passCode))
	r.Post("/sign-in/code/passkey/begin", h(p.beginPasskeyStep))
	r.Post("/sign-in/code/passkey", h(p.passPasskey))
	r.Post("/sign-in/passkey/begin", h(p.beginPasskeySignIn))
	r.Post("/sign-in/passkey", h(p.passkeySignIn))
	r.Post("/account/passkeys/begin", h(p.beginPasskey))
	r.Post("/account/passkeys", h(p.addPasskey))
	r.Post("/account/passkeys/remove", h(p.removePasskey))
	r.Get("/sign-in/enrol", h(p.enrolForm))
	r.Post("/sign-in/enrol", h(p.confirmEnrol))
	r.Get("/account/two-step", h(p.factors))
	r.Post("/account/two-step", h(p.startApp))
	r.Post("/account/two-step/confirm", h(p.confirmApp))
	r.Post("/account/two-step/codes", h(p.newCodes))
	r.Post("/account/two-step/remove", h(p.removeApp))
	r.Post("/sign-out", h(p.signOut))
	r.Get("/join/{token}", h(p.join))
	r.Post("/join/{token}", h(p.acceptInvite))
	r.Get("/reset/{token}", h(p.resetForm))
	r.Post("/reset/{token}", h(p.resetPassword))
	r.Get("/forgot", h(p.forgotForm))
	r.Post("/forgot", h(p.forgot))
	r.Get("/account", h(p.account))
	r.Post("/account", h(p.saveAccount))
	r.Post("/account/password", h(p.changePassword))
	r.Post("/account/sessions/{id}/end", h(p.endSession))
	r.Post("/account/sessions/end-others", h(p.endOtherSessions))
}

// MountInside puts the settings under r, the router of a workspace.
func (p *Pages) MountInside(r chi.Router) {
	h := p.shell.Site.Handle
	r.Get("/settings", h(p.settings))
	r.Get("/settings/users", h(p.users))
	r.Post("/settings/users", h(p.addUser))
	r.Get("/settings/users/{id}", h(p.user))
	r.Post("/settings/users/{id}/link", h(p.makeLink))
	r.Post("/settings/users/{id}/state", h(p.setState))
	r.Post("/settings/users/{id}/let-in", h(p.letIn))
	r.Post("/settings/users/{id}/sign-out", h(p.signOutUser))
	r.Post("/settings/users/{id}/reset-mfa", h(p.resetMFA))
	r.Get("/settings/sign-in", h(p.signInSettings))
	r.Post("/settings/sign-in", h(p.saveSignInSettings))
	r.Get("/settings/teams", h(p.teams))
	r.Post("/settings/teams", h(p.addTeam))
	r.Get("/settings/roles", h(p.roles))
	r.Get("/settings/api-keys", h(p.keys))
	r.Post("/settings/api-keys", h(p.addKey))
	r.Post("/settings/api-keys/{id}/revoke", h(p.revokeKeyPage))
}

// start sends people where they work.
func (p *Pages) start(w http.ResponseWriter, r *http.Request) error {
	to := "/sign-in"
	if auth.From(r.Context()) != nil {
		home, err := p.shell.Home(r.Context())
		if err != nil {
			return err
		}
		to = home
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// settingsPage answers with a page of the settings, inside its own menu.
func (p *Pages) settingsPage(w http.ResponseWriter, r *http.Request, status int, page ui.SettingsPage) error {
	a, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	page.Menu = p.shell.SettingsMenu(a, chi.URLParam(r, "ws"))
	return p.shell.Page(w, r, status, recordpage.Head{Title: page.Title + " · Settings", Section: "settings"}, page)
}

// settings opens the first page of the menu.
func (p *Pages) settings(w http.ResponseWriter, r *http.Request) error {
	a, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	menu := p.shell.SettingsMenu(a, chi.URLParam(r, "ws"))
	if len(menu) == 0 {
		return errs.New(errs.Forbidden, "no_settings", "Your role cannot change settings of this workspace. Ask an admin for it.")
	}
	http.Redirect(w, r, menu[0].Items[0].Href, http.StatusSeeOther)
	return nil
}

// refusals puts the messages of an Invalid error beside their fields; what fits
// none comes back as loose lines. Other errors come back whole.
func refusals(err error, fields []ui.Field) (loose []string, rest error) {
	e := errs.As(err)
	if e == nil || !refusable(e.Kind) {
		return nil, err
	}
	placed := false
	for _, fe := range e.Fields {
		for i := range fields {
			if fields[i].Name == fe.Field {
				fields[i].Error, placed = fe.Message, true
			}
		}
	}
	if !placed {
		loose = []string{e.Message}
	}
	return loose, nil
}

// refusable are failures that the person at the form can do something about.
func refusable(k errs.Kind) bool {
	return k == errs.Invalid || k == errs.Conflict || k == errs.Limited
}

// typed puts what was sent back into the controls, secrets excepted.
func typed(r *http.Request, fields []ui.Field) {
	for i := range fields {
		if fields[i].Kind != ui.FieldPassword {
			fields[i].Value = r.PostFormValue(fields[i].Name)
		}
	}
}
