package identityhttp

import (
	"net/http"

	"github.com/google/uuid"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

func (p *Pages) users(w http.ResponseWriter, r *http.Request) error {
	return p.showUsers(w, r, http.StatusOK, nil)
}

// showUsers lists people; form is the refused one, nil = an empty one.
func (p *Pages) showUsers(w http.ResponseWriter, r *http.Request, status int, form *ui.Form) error {
	if _, _, err := auth.Require(r.Context(), "user", auth.Update); err != nil {
		return err
	}
	people, err := p.s.Users.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	if err != nil {
		return err
	}
	roles, err := p.s.Roles.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	if err != nil {
		return err
	}
	teams, err := p.s.Teams.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	if err != nil {
		return err
	}
	if form == nil {
		f := userForm(r, roles, teams)
		form = &f
	}
	body := ui.SettingsPage{Title: "Users", Current: "users", Sections: []ui.Section{
		{ID: "people", Title: "People", Table: userTable(r, people, roles, teams)},
		{ID: "add", Title: "Add a person", Text: "They sign in with this password and can change it on their account page.", Form: form},
	}}
	return p.settingsPage(w, r, status, body)
}

func userTable(r *http.Request, people []*identity.User, roles []*identity.Role, teams []*identity.Team) *ui.Table {
	roleNames, teamNames := map[uuid.UUID]string{}, map[uuid.UUID]string{}
	for _, role := range roles {
		roleNames[role.ID] = role.Name
	}
	for _, t := range teams {
		teamNames[t.ID] = t.Name
	}
	out := &ui.Table{Caption: "People of this workspace", Columns: []ui.Column{{Label: "Name", Width: ui.WidthWide}, {Label: "E-mail", Phone: ui.PhoneSub}, {Label: "Role", Phone: ui.PhoneBelow}, {Label: "Team"}, {Label: "State", Phone: ui.PhoneAside}}}
	for _, u := range people {
		href := recordpage.Path(r, "settings", "users", u.ID.String())
		out.Rows = append(out.Rows, ui.Row{ID: u.ID.String(), Dim: u.State == "disabled", Cells: []ui.Value{
			ui.TextLink{Text: u.Name, Href: href, Avatar: &ui.Avatar{Name: u.Name}}, ui.Text(u.Email), ui.Text(nameOf(roleNames, u.RoleID)), ui.Text(nameOf(teamNames, u.TeamID)), stateChoice(u.State),
		}})
	}
	return out
}

func nameOf(names map[uuid.UUID]string, id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return names[*id]
}

func stateChoice(state string) ui.Choice {
	switch state {
	case "active":
		return ui.Choice{Label: "Active", Tone: ui.ToneGood}
	case "invited":
		return ui.Choice{Label: "Invited", Tone: ui.ToneAccent}
	}
	return ui.Choice{Label: "Disabled"}
}

func userForm(r *http.Request, roles []*identity.Role, teams []*identity.Team) ui.Form {
	return ui.Form{Action: recordpage.Path(r, "settings", "users"), Submit: "Add person", Busy: "Adding…", Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "name", Label: "Name", Required: true, Max: 200, Autocomplete: "off"},
		{Name: "email", Label: "E-mail", Kind: ui.FieldEmail, Required: true, Max: 254, Autocomplete: "off"},
		{Name: "role", Label: "Role", Kind: ui.FieldSelect, Required: true, Value: identity.SalesRep, Options: roleOptions(roles)},
		{Name: "team_id", Label: "Team", Kind: ui.FieldSelect, Options: teamOptions(teams)},
		{Name: "password", Label: "First password", Kind: ui.FieldPassword, Required: true, Max: 1024, Autocomplete: "new-password", Help: passwordHelp},
	}}}}
}

func roleOptions(roles []*identity.Role) []ui.Option {
	var out []ui.Option
	for _, role := range roles {
		out = append(out, ui.Option{Value: role.Key, Label: role.Name, Hint: role.Description})
	}
	return out
}

func teamOptions(teams []*identity.Team) []ui.Option {
	var out []ui.Option
	for _, t := range teams {
		out = append(out, ui.Option{Value: t.ID.String(), Label: t.Name})
	}
	return out
}

func (p *Pages) addUser(w http.ResponseWriter, r *http.Request) error {
	n := identity.NewUser{Name: r.PostFormValue("name"), Email: r.PostFormValue("email"), Role: r.PostFormValue("role"), Password: r.PostFormValue("password")}
	if team, err := uuid.Parse(r.PostFormValue("team_id")); err == nil {
		n.TeamID = &team
	}
	u, err := p.s.CreateUser(r.Context(), n)
	if err == nil {
		p.shell.Site.SetFlash(w, page.Flash{Text: u.Name + " can sign in now."})
		return page.SeeOther(w, r, recordpage.Path(r, "settings", "users"))
	}
	roles, rolesErr := p.s.Roles.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	teams, teamsErr := p.s.Teams.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	if rolesErr != nil || teamsErr != nil {
		return err
	}
	form := userForm(r, roles, teams)
	typed(r, form.Groups[0].Fields)
	if form.Errors, err = refusals(err, form.Groups[0].Fields); err != nil {
		return err
	}
	return p.showUsers(w, r, http.StatusUnprocessableEntity, &form)
}

func (p *Pages) user(w http.ResponseWriter, r *http.Request) error {
	u, err := p.person(r)
	if err != nil {
		return err
	}
	return p.showUser(w, r, http.StatusOK, u, newPasswordForm(r, u))
}

func (p *Pages) person(r *http.Request) (*identity.User, error) {
	if _, _, err := auth.Require(r.Context(), "user", auth.Update); err != nil {
		return nil, err
	}
	id, err := rest.PathID(r, "id")
	if err != nil {
		return nil, err
	}
	return p.s.Users.Get(r.Context(), id)
}

func newPasswordForm(r *http.Request, u *identity.User) ui.Form {
	return ui.Form{Action: recordpage.Path(r, "settings", "users", u.ID.String(), "password"), Submit: "Set password", Busy: "Setting…", Narrow: true, Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "password", Label: "New password", Kind: ui.FieldPassword, Required: true, Max: 1024, Autocomplete: "new-password", Help: "Signs them out everywhere."},
	}}}}
}

func (p *Pages) showUser(w http.ResponseWriter, r *http.Request, status int, u *identity.User, form ui.Form) error {
	toggle := ui.Action{Label: "Disable", Icon: "lock", Fields: []ui.Hidden{{Name: "state", Value: "disabled"}}}
	text := "A disabled person cannot sign in. Their records and history stay."
	if u.State == "disabled" {
		toggle = ui.Action{Label: "Enable", Icon: "check", Fields: []ui.Hidden{{Name: "state", Value: "active"}}}
	}
	toggle.Post = recordpage.Path(r, "settings", "users", u.ID.String(), "state")
	if a := auth.From(r.Context()); a.ID == u.ID {
		toggle.Off = "This is your own account; another admin can disable it."
	}
	body := ui.SettingsPage{Title: u.Name, Intro: u.Email, Current: "users", Sections: []ui.Section{
		{ID: "facts", Title: "Role, team and name", Text: "Kept with the person's history.", Actions: []ui.Action{{Label: "Edit", Icon: "pencil", Href: recordpage.Path(r, "users", u.ID.String())}}},
		{ID: "password", Title: "Password", Form: &form},
		{ID: "state", Title: "Signing in", Text: text, Actions: []ui.Action{toggle}},
	}}
	standing, err := p.standingSection(r, u)
	if err != nil {
		return err
	}
	body.Sections = append(body.Sections, standing)
	return p.settingsPage(w, r, status, body)
}

func (p *Pages) setPassword(w http.ResponseWriter, r *http.Request) error {
	u, err := p.person(r)
	if err != nil {
		return err
	}
	if err := p.s.SetPassword(r.Context(), u.ID, r.PostFormValue("password")); err != nil {
		form := newPasswordForm(r, u)
		if form.Errors, err = refusals(err, form.Groups[0].Fields); err != nil {
			return err
		}
		return p.showUser(w, r, http.StatusUnprocessableEntity, u, form)
	}
	p.shell.Site.SetFlash(w, page.Flash{Text: "New password set. " + u.Name + " is signed out everywhere."})
	return page.SeeOther(w, r, recordpage.Path(r, "settings", "users", u.ID.String()))
}

func (p *Pages) setState(w http.ResponseWriter, r *http.Request) error {
	u, err := p.person(r)
	if err != nil {
		return err
	}
	state := r.PostFormValue("state")
	if state != "active" && state != "disabled" {
		return errs.New(errs.Malformed, "unknown_state", "A person is active or disabled.")
	}
	res, err := p.s.Users.One(r.Context(), record.Operation{Kind: record.OpUpdate, ID: u.ID, Patch: record.Patch{"state": state}})
	if err != nil {
		return err
	}
	text := u.Name + " can no longer sign in."
	if state == "active" {
		text = u.Name + " can sign in again."
	}
	p.shell.Site.SetFlash(w, page.Flash{Text: text, Seq: res.Seq})
	return page.SeeOther(w, r, recordpage.Path(r, "settings", "users", u.ID.String()))
}
