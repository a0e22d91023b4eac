package identityhttp

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

func (p *Pages) teams(w http.ResponseWriter, r *http.Request) error {
	return p.showTeams(w, r, http.StatusOK, nil)
}

func (p *Pages) showTeams(w http.ResponseWriter, r *http.Request, status int, form *ui.Form) error {
	if _, _, err := auth.Require(r.Context(), "team", auth.Update); err != nil {
		return err
	}
	teams, err := p.s.Teams.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	if err != nil {
		return err
	}
	people, err := p.s.Users.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	if err != nil {
		return err
	}
	if form == nil {
		f := teamForm(r, teams)
		form = &f
	}
	return p.settingsPage(w, r, status, ui.SettingsPage{Title: "Teams", Current: "teams", Intro: "A manager sees what the people of their team own, and of the teams below it.", Sections: []ui.Section{
		{ID: "teams", Title: "Teams", Table: teamTable(r, teams, people)}, {ID: "add", Title: "Add a team", Form: form},
	}})
}

func teamTable(r *http.Request, teams []*identity.Team, people []*identity.User) *ui.Table {
	names, members := map[uuid.UUID]string{}, map[uuid.UUID][]string{}
	for _, t := range teams {
		names[t.ID] = t.Name
	}
	for _, u := range people {
		if u.TeamID != nil {
			members[*u.TeamID] = append(members[*u.TeamID], u.Name)
		}
	}
	out := &ui.Table{Caption: "Teams", Empty: "No teams yet.", Columns: []ui.Column{{Label: "Name", Width: ui.WidthWide}, {Label: "Part of", Phone: ui.PhoneBelow}, {Label: "People", Phone: ui.PhoneSub}}}
	for _, t := range teams {
		out.Rows = append(out.Rows, ui.Row{ID: t.ID.String(), Cells: []ui.Value{
			ui.TextLink{Text: t.Name, Href: recordpage.Path(r, "teams", t.ID.String())}, ui.Text(nameOf(names, t.ParentID)), ui.Text(strings.Join(members[t.ID], ", ")),
		}})
	}
	return out
}

func teamForm(r *http.Request, teams []*identity.Team) ui.Form {
	return ui.Form{Action: recordpage.Path(r, "settings", "teams"), Submit: "Add team", Busy: "Adding…", Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "name", Label: "Name", Required: true, Max: 200}, {Name: "parent_id", Label: "Part of", Kind: ui.FieldSelect, Options: teamOptions(teams)},
	}}}}
}

func (p *Pages) addTeam(w http.ResponseWriter, r *http.Request) error {
	patch, err := p.s.Teams.Def.ParseText(map[string]string{"name": r.PostFormValue("name"), "parent_id": r.PostFormValue("parent_id")}, record.FromText, "")
	if err == nil {
		var res record.Result
		if res, err = p.s.Teams.One(r.Context(), record.Operation{Kind: record.OpCreate, Patch: patch}); err == nil {
			p.shell.Site.SetFlash(w, page.Flash{Text: res.Record.Title() + " added.", Seq: res.Seq})
			return page.SeeOther(w, r, recordpage.Path(r, "settings", "teams"))
		}
	}
	teams, listErr := p.s.Teams.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	if listErr != nil {
		return err
	}
	form := teamForm(r, teams)
	typed(r, form.Groups[0].Fields)
	if form.Errors, err = refusals(err, form.Groups[0].Fields); err != nil {
		return err
	}
	return p.showTeams(w, r, http.StatusUnprocessableEntity, &form)
}

// roles lists what each role may do, in words.
func (p *Pages) roles(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := auth.Require(r.Context(), "role", auth.Update); err != nil {
		return err
	}
	roles, err := p.s.Roles.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	if err != nil {
		return err
	}
	body := ui.SettingsPage{Title: "Roles", Current: "roles", Intro: "A role says what a person may do, and on whose records: their own, their team's, or all."}
	for _, role := range roles {
		body.Sections = append(body.Sections, ui.Section{ID: role.Key, Title: role.Name, Text: role.Description, Table: grantTable(role)})
	}
	return p.settingsPage(w, r, http.StatusOK, body)
}

// actions are the columns of a role's table.
var actions = []auth.Action{auth.Read, auth.Create, auth.Update, auth.Delete}

func grantTable(role *identity.Role) *ui.Table {
	out := &ui.Table{Caption: "Rights of " + role.Name, Empty: "No rights.", Columns: []ui.Column{{Label: "Records", Width: ui.WidthWide}, {Label: "See", Phone: ui.PhoneAside}, {Label: "Add"}, {Label: "Change", Phone: ui.PhoneSub}, {Label: "Delete"}}}
	rows := map[string]map[string]string{}
	for grant, scope := range role.Grants {
		object, action, _ := strings.Cut(grant, ":")
		if rows[object] == nil {
			rows[object] = map[string]string{}
		}
		rows[object][action], _ = scope.(string)
	}
	for _, object := range slices.Sorted(maps.Keys(rows)) {
		row := ui.Row{ID: role.Key + "-" + object, Cells: []ui.Value{ui.Text(objectWord(object))}}
		for _, a := range actions {
			row.Cells = append(row.Cells, scopeWord(rows[object][string(a)]))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func objectWord(object string) string {
	if object == "*" {
		return "Everything else"
	}
	s := strings.ReplaceAll(object, "_", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

func scopeWord(scope string) ui.Value {
	switch scope {
	case "all":
		return ui.Choice{Label: "All", Tone: ui.ToneGood}
	case "team":
		return ui.Choice{Label: "Team's", Tone: ui.ToneAccent}
	case "own":
		return ui.Choice{Label: "Own", Tone: ui.ToneWarn}
	}
	return ui.None{}
}
