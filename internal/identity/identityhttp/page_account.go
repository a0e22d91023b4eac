package identityhttp

import (
	"context"
	"net/http"
	"time"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// own lets people change what is theirs to change although their role may not
// change users. The caller makes sure that it is their own record.
func own(ctx context.Context) context.Context {
	return auth.As(ctx, func(a *auth.Actor) {
		a.Grants = auth.Grants{"user:read": auth.All, "user:update": auth.All}
	})
}

func (p *Pages) me(r *http.Request) (*identity.User, error) {
	a, err := auth.Must(r.Context())
	if err != nil {
		return nil, err
	}
	if a.Kind != auth.User {
		return nil, errs.New(errs.Forbidden, "no_account", "Only people have an account page.")
	}
	return p.s.Users.Get(own(r.Context()), a.ID)
}

func (p *Pages) account(w http.ResponseWriter, r *http.Request) error {
	me, err := p.me(r)
	if err != nil {
		return err
	}
	return p.showAccount(w, r, http.StatusOK, accountForm(me), passwordForm())
}

func (p *Pages) showAccount(w http.ResponseWriter, r *http.Request, status int, profile, password ui.Form) error {
	body := ui.SettingsPage{Title: "My account", Sections: []ui.Section{
		{ID: "profile", Title: "You", Form: &profile},
		{ID: "two-step", Title: "Two-step sign-in", Text: "A code from your phone, or a passkey.", Actions: []ui.Action{{Label: "Two-step sign-in", Icon: "key", Href: "/account/two-step"}}},
		{ID: "password", Title: "Password", Text: "Changing it signs out every other device.", Form: &password},
	}}
	sessions, err := p.sessionSection(r)
	if err != nil {
		return err
	}
	body.Sections = append(body.Sections, sessions)
	return p.shell.Page(w, r, status, recordpage.Head{Title: "My account"}, body)
}

// zones are the ones offered by name; the person's own is always among them.
var zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Paris", "Europe/Madrid", "Europe/Warsaw", "Europe/Istanbul", "Africa/Johannesburg", "Africa/Lagos",
	"America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "America/Mexico_City",
	"Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Asia/Shanghai", "Asia/Tokyo", "Asia/Seoul", "Australia/Sydney", "Pacific/Auckland",
}

func zoneOptions(current string) []ui.Option {
	out := []ui.Option{{Value: "", Label: "The workspace's"}}
	known := current == ""
	for _, z := range zones {
		out = append(out, ui.Option{Value: z, Label: z})
		known = known || z == current
	}
	if !known {
		out = append(out, ui.Option{Value: current, Label: current})
	}
	return out
}

func accountForm(me *identity.User) ui.Form {
	return ui.Form{Action: "/account", Submit: "Save", Busy: "Saving…", Narrow: true, Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "name", Label: "Name", Value: me.Name, Required: true, Max: 200, Autocomplete: "name"},
		{Name: "email", Label: "E-mail", Value: me.Email, Off: "An admin of the workspace can change it."},
		{Name: "time_zone", Label: "Time zone", Kind: ui.FieldSelect, Value: me.TimeZone, Options: zoneOptions(me.TimeZone), Help: "Times on pages are shown in it."},
	}}}}
}

// passwordHelp says what is asked of a password.
const passwordHelp = "12 characters or more. Four words that have nothing to do with each other are easier to keep than signs."

func passwordForm() ui.Form {
	return ui.Form{Action: "/account/password", Submit: "Change password", Busy: "Changing…", Narrow: true, Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "current", Label: "Password now", Kind: ui.FieldPassword, Required: true, Autocomplete: "current-password", Max: 1024},
		{Name: "password", Label: "New password", Kind: ui.FieldPassword, Required: true, Autocomplete: "new-password", Max: 1024, Help: passwordHelp},
	}}}}
}

func (p *Pages) saveAccount(w http.ResponseWriter, r *http.Request) error {
	me, err := p.me(r)
	if err != nil {
		return err
	}
	form := accountForm(me)
	patch, err := p.accountPatch(r)
	var res record.Result
	if err == nil {
		res, err = p.s.Users.One(own(r.Context()), record.Operation{Kind: record.OpUpdate, ID: me.ID, Patch: patch})
	}
	if err != nil {
		fields := form.Groups[0].Fields
		email := fields[1].Value
		typed(r, fields)
		fields[1].Value = email
		if form.Errors, err = refusals(err, fields); err != nil {
			return err
		}
		return p.showAccount(w, r, http.StatusUnprocessableEntity, form, passwordForm())
	}
	text := "Saved."
	if res.Seq == 0 {
		text = "Nothing to change."
	}
	p.shell.Site.SetFlash(w, page.Flash{Text: text})
	return page.SeeOther(w, r, "/account")
}

func (p *Pages) accountPatch(r *http.Request) (record.Patch, error) {
	zone := r.PostFormValue("time_zone")
	if _, err := time.LoadLocation(zone); err != nil {
		return nil, errs.Field("time_zone", "unknown_zone", "Choose a time zone from the list.")
	}
	return p.s.Users.Def.ParseText(map[string]string{"name": r.PostFormValue("name"), "time_zone": zone}, record.FromText, "")
}

// changePassword answers POST /account/password. The current one is asked for, so
// that an open screen is not enough to take an account over.
func (p *Pages) changePassword(w http.ResponseWriter, r *http.Request) error {
	me, err := p.me(r)
	if err != nil {
		return err
	}
	session, err := p.s.ChangePassword(r.Context(), r.PostFormValue("current"), r.PostFormValue("password"), p.visit(r))
	if err != nil {
		form := passwordForm()
		if form.Errors, err = refusals(err, form.Groups[0].Fields); err != nil {
			return err
		}
		return p.showAccount(w, r, http.StatusUnprocessableEntity, accountForm(me), form)
	}
	p.setSession(w, session)
	p.shell.Site.SetFlash(w, page.Flash{Text: "Password changed. Other devices are signed out."})
	return page.SeeOther(w, r, "/account")
}
