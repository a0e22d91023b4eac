package identityhttp

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

func (p *Pages) signInSettings(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := auth.Require(r.Context(), "tenant", auth.Update); err != nil {
		return err
	}
	now, err := p.s.SignInSettings(r.Context())
	if err != nil {
		return err
	}
	form, err := p.settingsForm(r, now)
	if err != nil {
		return err
	}
	return p.showSignInSettings(w, r, http.StatusOK, form)
}

func (p *Pages) showSignInSettings(w http.ResponseWriter, r *http.Request, status int, form ui.Form) error {
	return p.settingsPage(w, r, status, ui.SettingsPage{Title: "Signing in", Current: "sign-in", Sections: []ui.Section{
		{ID: "rules", Title: "Rules for everybody", Text: "Shorter limits hold at once. A second factor is asked for at the next sign-in.", Form: &form},
	}})
}

func (p *Pages) settingsForm(r *http.Request, now identity.SignInSettings) (ui.Form, error) {
	roles, err := p.s.Roles.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	var options []ui.Option
	for _, role := range roles {
		options = append(options, ui.Option{Value: role.ID.String(), Label: role.Name})
	}
	var chosen []string
	for _, id := range now.MFARoles {
		chosen = append(chosen, id.String())
	}
	return ui.Form{Action: recordpage.Path(r, "settings", "sign-in"), Submit: "Save", Busy: "Saving…", Narrow: true, Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "idle_minutes", Label: "Sign out after so many minutes without use", Kind: ui.FieldNumber, Value: strconv.Itoa(now.IdleMinutes), Required: true, Low: "5", High: "129600", Step: "1", Help: "20160 minutes are two weeks."},
		{Name: "absolute_minutes", Label: "Sign in anew after so many minutes", Kind: ui.FieldNumber, Value: strconv.Itoa(now.AbsoluteMinutes), Required: true, Low: "30", High: "525600", Step: "1", Help: "86400 minutes are sixty days."},
		{Name: "mfa", Label: "Second factor", Kind: ui.FieldRadio, Value: now.MFA, Options: []ui.Option{
			{Value: identity.MFAOptional, Label: "Whoever wants one"}, {Value: identity.MFARoles, Label: "Required for the roles below"}, {Value: identity.MFAAll, Label: "Required for everybody"},
		}},
		{Name: "mfa_roles", Label: "Roles that need a second factor", Kind: ui.FieldMulti, Options: options, Values: chosen},
		{Name: "passwords_off", Label: "No passwords: people sign in with the company's sign-in or a passkey", Kind: ui.FieldCheck, Value: strconv.FormatBool(now.PasswordsOff), Help: "Whoever may change this page can still use a password, so that a broken sign-in at the company locks nobody out for good."},
	}}}}, err
}

func (p *Pages) saveSignInSettings(w http.ResponseWriter, r *http.Request) error {
	in, err := settingsOf(r)
	if err == nil {
		err = p.s.SetSignInSettings(r.Context(), in)
	}
	if err == nil {
		p.shell.Site.SetFlash(w, page.Flash{Text: "Saved."})
		return page.SeeOther(w, r, recordpage.Path(r, "settings", "sign-in"))
	}
	form, formErr := p.settingsForm(r, in)
	if formErr != nil {
		return err
	}
	if form.Errors, err = refusals(err, form.Groups[0].Fields); err != nil {
		return err
	}
	return p.showSignInSettings(w, r, http.StatusUnprocessableEntity, form)
}

func settingsOf(r *http.Request) (identity.SignInSettings, error) {
	in := identity.SignInSettings{MFA: r.PostFormValue("mfa"), PasswordsOff: r.PostFormValue("passwords_off") == "1"}
	var refused errs.Fields
	for name, into := range map[string]*int{"idle_minutes": &in.IdleMinutes, "absolute_minutes": &in.AbsoluteMinutes} {
		n, err := strconv.Atoi(r.PostFormValue(name))
		if err != nil {
			refused.Add(name, "not_a_number", "Enter a whole number of minutes.")
		}
		*into = n
	}
	for _, text := range r.PostForm["mfa_roles"] {
		id, err := uuid.Parse(text)
		if err != nil {
			refused.Add("mfa_roles", "unknown_role", "Choose roles from the list.")
			continue
		}
		in.MFARoles = append(in.MFARoles, id)
	}
	return in, refused.Err()
}
