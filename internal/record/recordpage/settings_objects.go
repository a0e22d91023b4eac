package recordpage

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// customObject is the object whose records are the tenants' own objects.
const customObject = "custom_object"

// mountObjects puts the pages about objects and their fields into the settings.
func (p *Pages) mountObjects(r chi.Router) {
	h := p.Site.Handle
	r.Get("/settings/objects", h(p.objectsPage))
	r.Post("/settings/objects", h(p.addObject))
	r.Post("/settings/objects/{id}/archive", h(p.binObject(record.OpDelete, " archived. Its records are kept.")))
	r.Post("/settings/objects/{id}/restore", h(p.binObject(record.OpRestore, " is back, with its records.")))
	r.Get("/settings/fields", h(p.fieldsPage))
	r.Get("/settings/fields/{objects}", h(p.with(p.fieldsOf)))
	r.Post("/settings/fields/{objects}", h(p.with(p.addField)))
	r.Get("/settings/fields/{objects}/new", h(p.with(p.newFieldForm)))
	r.Get("/settings/fields/{objects}/{id}", h(p.with(p.fieldForm)))
	r.Post("/settings/fields/{objects}/{id}", h(p.with(p.changeField)))
	r.Post("/settings/fields/{objects}/{id}/hide", h(p.with(p.hideField)))
	r.Post("/settings/fields/{objects}/{id}/restore", h(p.with(p.restoreField)))
}

// objectSettings are their lines of the menu.
func (p *Pages) objectSettings() []SettingsItem {
	var out []SettingsItem
	if _, ok := p.k.Object(customObject); ok {
		out = append(out, SettingsItem{Group: "Data", Key: "objects", Label: "Custom objects", Path: "settings/objects", Object: customObject})
	}
	return append(out, SettingsItem{Group: "Data", Key: "fields", Label: "Custom fields", Path: "settings/fields", Object: "custom_field"})
}

// setting answers with a page of the settings, inside their menu.
func (p *Pages) setting(w http.ResponseWriter, r *http.Request, status int, body ui.SettingsPage) error {
	a, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	body.Menu = p.SettingsMenu(a, chi.URLParam(r, "ws"))
	return p.Page(w, r, status, Head{Title: body.Title + " · Settings", Section: "settings"}, body)
}

func (p *Pages) objectsPage(w http.ResponseWriter, r *http.Request) error {
	return p.showObjects(w, r, http.StatusOK, nil)
}

func (p *Pages) showObjects(w http.ResponseWriter, r *http.Request, status int, form *ui.Form) error {
	if _, _, err := auth.Require(r.Context(), customObject, auth.Update); err != nil {
		return err
	}
	o, ok := p.k.Object(customObject)
	if !ok {
		return errNoPage()
	}
	living, err := o.List(r.Context(), record.Query{Limit: record.MaxLimit, Sort: "label"})
	if err != nil {
		return err
	}
	archived, err := o.List(r.Context(), record.Query{Limit: record.MaxLimit, Sort: "label", Trash: true})
	if err != nil {
		return err
	}
	if form == nil {
		f := objectForm(r, o.Def)
		form = &f
	}
	body := ui.SettingsPage{
		Title: "Custom objects", Current: "objects",
		Intro: "An object is a kind of record, like a project or a contract. It has lists, pages, search, imports, exports and an API from the moment it is made; roles decide who works with it.",
		Sections: []ui.Section{
			{ID: "objects", Title: "Your objects", Table: objectTable(r, living.Records)},
			{ID: "add", Title: "Make an object", Form: form},
		},
	}
	if len(archived.Records) > 0 {
		body.Sections = append(body.Sections, ui.Section{ID: "archived", Title: "Archived", Text: "They are hidden everywhere. Their records and fields are kept.", Table: archivedTable(r, archived.Records)})
	}
	return p.setting(w, r, status, body)
}

func objectTable(r *http.Request, objects []*record.Record) *ui.Table {
	out := &ui.Table{Caption: "Your objects", Empty: "None yet.", Columns: []ui.Column{{Label: "Object", Width: ui.WidthWide}, {Label: "Name for programs", Phone: ui.PhoneSub}, {Label: "Changed", Phone: ui.PhoneHidden}}}
	for _, o := range objects {
		id := o.ID().String()
		out.Rows = append(out.Rows, ui.Row{
			ID: id,
			Cells: []ui.Value{
				ui.TextLink{Text: o.Text("label_plural"), Href: Path(r, o.Text("plural"))}, ui.Text(o.Text("name")), changedAt(o),
			},
			Actions: []ui.Action{
				{Label: "Fields", Href: Path(r, "settings", "fields", o.Text("plural"))},
				{Label: "Edit", Href: Path(r, "custom_objects", id, "edit")},
				{Label: "Archive", Post: Path(r, "settings", "objects", id, "archive"), Busy: "Archiving…"},
			},
		})
	}
	return out
}

func archivedTable(r *http.Request, objects []*record.Record) *ui.Table {
	out := &ui.Table{Caption: "Archived objects", Columns: []ui.Column{{Label: "Object", Width: ui.WidthWide}, {Label: "Name for programs", Phone: ui.PhoneSub}}}
	for _, o := range objects {
		out.Rows = append(out.Rows, ui.Row{
			ID: o.ID().String(), Cells: []ui.Value{ui.Text(o.Text("label_plural")), ui.Text(o.Text("name"))},
			Actions: []ui.Action{{Label: "Restore", Post: Path(r, "settings", "objects", o.ID().String(), "restore"), Busy: "Restoring…"}},
		})
	}
	return out
}

func objectForm(r *http.Request, d *record.Definition) ui.Form {
	icon, _ := d.Field("icon")
	return ui.Form{Action: Path(r, "settings", "objects"), Submit: "Make object", Busy: "Making…", Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "label", Label: "What one is called", Placeholder: "Project", Required: true, Max: 80},
		{Name: "label_plural", Label: "What many are called", Placeholder: "Projects", Help: "Left empty, an English plural is guessed.", Max: 80},
		{Name: "name", Label: "Name for programs", Placeholder: "project", Help: "Small letters and _. Left empty, it is made from the label. It stays for good.", Max: 40},
		{Name: "plural", Label: "Address", Placeholder: "projects", Help: "The last part of its address. It stays for good.", Max: 40},
		{Name: "icon", Label: "Icon", Kind: ui.FieldSelect, Options: choices(icon)},
		{Name: "owned", Label: "Records have owners", Kind: ui.FieldCheck, Value: "1", Help: "Roles can then be limited to their own records, or their team's."},
	}}}}
}

// objectFields are the fields the form sends.
var objectFields = []string{"label", "label_plural", "name", "plural", "icon", "owned"}

func (p *Pages) addObject(w http.ResponseWriter, r *http.Request) error {
	o, ok := p.k.Object(customObject)
	if !ok {
		return errNoPage()
	}
	sent := map[string]string{}
	for _, name := range objectFields {
		sent[name] = r.PostFormValue(name)
	}
	sent["owned"] = yesNo(sent["owned"] != "")
	patch, err := o.Def.ParseText(sent, record.FromText, "")
	if err == nil {
		var made *record.Record
		if made, err = p.k.AddObject(r.Context(), patch, nil); err == nil {
			p.Site.SetFlash(w, page.Flash{Text: made.Text("label_plural") + " made. Add its fields."})
			return page.SeeOther(w, r, Path(r, "settings", "fields", made.Text("plural")))
		}
	}
	form := objectForm(r, o.Def)
	if form.Errors, err = refusedForm(r, err, form.Groups); err != nil {
		return err
	}
	return p.showObjects(w, r, http.StatusUnprocessableEntity, &form)
}

func yesNo(yes bool) string {
	if yes {
		return "true"
	}
	return "false"
}

// refusedForm puts what was sent back into the controls, with the messages of a
// refusal beside them; what fits none comes back as loose lines. Other errors come
// back whole.
func refusedForm(r *http.Request, err error, groups []ui.FieldGroup) (loose []string, rest error) {
	e := errs.As(err)
	if e == nil || e.Kind != errs.Invalid && e.Kind != errs.Conflict {
		return nil, err
	}
	messages := map[string]string{}
	for _, f := range e.Fields {
		messages[f.Field] = f.Message
	}
	placed := 0
	for g := range groups {
		for i := range groups[g].Fields {
			f := &groups[g].Fields[i]
			if f.Off == "" {
				f.Value = r.PostFormValue(f.Name)
			}
			if m, ok := messages[f.Name]; ok {
				f.Error = m
				placed++
			}
		}
	}
	if placed < max(len(messages), 1) {
		loose = []string{e.Message}
	}
	return loose, nil
}

func changedAt(rec *record.Record) ui.Value {
	at, ok := rec.Get("updated_at").(time.Time)
	if !ok {
		return ui.None{}
	}
	return ui.Time{At: at}
}

// binObject archives an object or brings it back.
func (p *Pages) binObject(kind record.OpKind, done string) page.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		o, ok := p.k.Object(customObject)
		if !ok {
			return errNoPage()
		}
		id, err := pathID(r)
		if err != nil {
			return err
		}
		res, err := o.One(r.Context(), record.Operation{Kind: kind, ID: id})
		switch {
		case errs.KindOf(err) == errs.Conflict:
			p.Site.SetFlash(w, page.Flash{Text: errs.As(err).Message, Bad: true})
		case err != nil:
			return err
		default:
			p.Site.SetFlash(w, page.Flash{Text: res.Record.Text("label_plural") + done, Seq: res.Seq})
		}
		return page.SeeOther(w, r, Path(r, "settings", "objects"))
	}
}
