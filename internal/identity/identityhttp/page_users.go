package identityhttp

import (
	"net/http"
	"slices"

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
	return p.showUsers(w, r, http.StatusOK, nil, nil)
}

// showUsers lists people; form is the refused one, nil = an empty one. made is the
// link of whoever was just invited, which is shown this once.
func (p *Pages) showUsers(w http.ResponseWriter, r *http.Request, status int, form *ui.Form, made *ui.Section) error {
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
		{ID: "add", Title: "Invite a person", Text: p.inviteText(), Form: form},
	}}
	if made != nil {
		body.Sections = slices.Insert(body.Sections, 0, *made)
		page.NoStore(w)
	}
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
	return ui.Form{Action: recordpage.Path(r, "settings", "users"), Submit: "Invite", Busy: "Inviting…", Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "name", Label: "Name", Required: true, Max: 200, Autocomplete: "off"},
		{Name: "email", Label: "E-mail", Kind: ui.FieldEmail, Required: true, Max: 254, Autocomplete: "off"},
		{Name: "role", Label: "Role", Kind: ui.FieldSelect, Required: true, Value: identity.SalesRep, Options: roleOptions(roles)},
		{Name: "team_id", Label: "Team", Kind: ui.FieldSelect, Options: teamOptions(teams)},
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
	n := identity.NewUser{Name: r.PostFormValue("name"), Email: r.PostFormValue("email"), Role: r.PostFormValue("role")}
	if team, err := uuid.Parse(r.PostFormValue("team_id")); err == nil {
		n.TeamID = &team
	}
	u, link, err := p.s.Invite(r.Context(), n)
	if err == nil && link.Mailed {
		p.shell.Site.SetFlash(w, page.Flash{Text: "An invitation is on its way to " + u.Email + "."})
		return page.SeeOther(w, r, recordpage.Path(r, "settings", "users"))
	}
	if err == nil {
		made := linkSection(u, link)
		return p.showUsers(w, r, http.StatusOK, nil, &made)
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
	return p.showUsers(w, r, http.StatusUnprocessableEntity, &form, nil)
}

func (p *Pages) user(w http.ResponseWriter, r *http.Request) error {
	u, err := p.person(r)
	if err != nil {
		return err
	}
	return p.showUser(w, r, http.StatusOK, u, nil)
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

func (p *Pages) showUser(w http.ResponseWriter, r *http.Request, status int, u *identity.User, made *ui.Section) error {
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
		linkOffer(r, u),
		{ID: "state", Title: "Signing in", Text: text, Actions: []ui.Action{toggle}},
	}}
	standing, err := p.standingSection(r, u)
	if err != nil {
		return err
	}
	body.Sections = append(body.Sections, standing)
	if made != nil {
		body.Sections = slices.Insert(body.Sections, 0, *made)
		page.NoStore(w)
	}
	return p.settingsPage(w, r, status, body)
}

func (p *Pages) inviteText() string {
	if p.s.Mails() {
		return "They get a mail with a link to choose their own password."
	}
	return "You get a link to hand over, by which they choose their own password."
}

// linkSection shows a link to hand over. It stands in this one answer only.
func linkSection(u *identity.User, link *identity.Link) ui.Section {
	return ui.Section{ID: "link", Title: "A link for " + u.Name, Secret: &ui.Secret{Label: "Link", Value: link.URL, Note: "Hand it over in person or by a safe way; whoever opens it first chooses the password. It works once and is not shown again."}}
}

// linkOffer is the button that makes a link: an invitation for those who have not come
// yet, a new password for those who have.
func linkOffer(r *http.Request, u *identity.User) ui.Section {
	act := ui.Action{Label: "Make a reset link", Icon: "key", Post: recordpage.Path(r, "settings", "users", u.ID.String(), "link")}
	out := ui.Section{ID: "password", Title: "Password", Text: "Nobody chooses a password for somebody else. A link lets them choose a new one; until then nothing changes."}
	switch {
	case u.State == "invited":
		act.Label, out.Text = "Invite again", "They have not chosen a password yet. A new link ends the one before."
	case u.State != "active":
		act.Off = "Enable the person first."
	}
	out.Actions = []ui.Action{act}
	return out
}

func (p *Pages) makeLink(w http.ResponseWriter, r *http.Request) error {
	u, err := p.person(r)
	if err != nil {
		return err
	}
	fresh := p.s.ResetLink
	if u.State == "invited" {
		fresh = p.s.InviteAgain
	}
	link, err := fresh(r.Context(), u.ID)
	if err != nil {
		return err
	}
	if link.Mailed {
		return p.backToUser(w, r, u, "A link is on its way to "+u.Email+".")
	}
	made := linkSection(u, link)
	return p.showUser(w, r, http.StatusOK, u, &made)
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
