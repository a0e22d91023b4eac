package identityhttp

import (
	"net/http"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

func (p *Pages) keys(w http.ResponseWriter, r *http.Request) error {
	return p.showKeys(w, r, http.StatusOK, nil, nil)
}

// showKeys lists the keys; made is the one that was just created, whose token is
// shown this once.
func (p *Pages) showKeys(w http.ResponseWriter, r *http.Request, status int, form *ui.Form, made *identity.APIKey) error {
	if _, _, err := auth.Require(r.Context(), "api_key", auth.Create); err != nil {
		return err
	}
	keys, err := p.s.APIKeys(r.Context())
	if err != nil {
		return err
	}
	if form == nil {
		f, err := p.keyForm(r)
		if err != nil {
			return err
		}
		form = &f
	}
	body := ui.SettingsPage{Title: "API keys", Current: "api-keys", Intro: "A key lets a program act with the rights of a role. Give each program its own."}
	if made != nil {
		body.Sections = append(body.Sections, ui.Section{ID: "made", Title: made.Name, Secret: &ui.Secret{Label: "Key", Value: made.Token, Note: "It is not shown again. Keep it in your password store."}})
	}
	body.Sections = append(body.Sections,
		ui.Section{ID: "keys", Title: "Keys", Table: keyTable(r, keys)},
		ui.Section{ID: "add", Title: "Make a key", Form: form})
	page.NoStore(w)
	return p.settingsPage(w, r, status, body)
}

func keyTable(r *http.Request, keys []identity.APIKey) *ui.Table {
	out := &ui.Table{Caption: "API keys", Empty: "No keys yet.", Columns: []ui.Column{{Label: "Name", Width: ui.WidthWide}, {Label: "Begins with", Phone: ui.PhoneSub}, {Label: "Role"}, {Label: "Made"}, {Label: "Last used", Phone: ui.PhoneBelow}, {Label: "State", Phone: ui.PhoneAside}}}
	for _, k := range keys {
		row := ui.Row{ID: k.ID.String(), Cells: []ui.Value{ui.Text(k.Name), ui.Text(k.Prefix + "…"), ui.Text(objectWord(k.Role)), ui.Time{At: k.CreatedAt}, ui.None{}, ui.Choice{Label: "Works", Tone: ui.ToneGood}}}
		if k.LastUsedAt != nil {
			row.Cells[4] = ui.Time{At: *k.LastUsedAt}
		}
		if k.RevokedAt != nil {
			row.Dim, row.Cells[5] = true, ui.Choice{Label: "Revoked"}
		} else {
			row.Actions = []ui.Action{{Label: "Revoke", Post: recordpage.Path(r, "settings", "api-keys", k.ID.String(), "revoke"), Ask: "Revoke “" + k.Name + "”? Programs that use it stop working at once, and it cannot be brought back."}}
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func (p *Pages) keyForm(r *http.Request) (ui.Form, error) {
	roles, err := p.s.Roles.Find(r.Context(), record.Query{Limit: record.MaxLimit})
	return ui.Form{Action: recordpage.Path(r, "settings", "api-keys"), Submit: "Make key", Busy: "Making…", Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "name", Label: "What uses it", Required: true, Max: 200, Placeholder: "Website form"},
		{Name: "role", Label: "Role", Kind: ui.FieldSelect, Required: true, Value: identity.SalesRep, Options: roleOptions(roles)},
	}}}}, err
}

func (p *Pages) addKey(w http.ResponseWriter, r *http.Request) error {
	key, err := p.s.CreateAPIKey(r.Context(), r.PostFormValue("name"), r.PostFormValue("role"))
	if err == nil {
		// No redirect: the token exists in this one answer only.
		return p.showKeys(w, r, http.StatusOK, nil, key)
	}
	form, formErr := p.keyForm(r)
	if formErr != nil {
		return err
	}
	typed(r, form.Groups[0].Fields)
	if form.Errors, err = refusals(err, form.Groups[0].Fields); err != nil {
		return err
	}
	return p.showKeys(w, r, http.StatusUnprocessableEntity, &form, nil)
}

func (p *Pages) revokeKeyPage(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := p.s.RevokeAPIKey(r.Context(), id); err != nil {
		return err
	}
	p.shell.Site.SetFlash(w, page.Flash{Text: "Key revoked."})
	return page.SeeOther(w, r, recordpage.Path(r, "settings", "api-keys"))
}
