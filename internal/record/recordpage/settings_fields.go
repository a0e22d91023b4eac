package recordpage

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// customField names the right to define fields.
const customField = "custom_field"

// typeNames are the field types in words.
var typeNames = map[string]string{
	"text": "Text", "long_text": "Long text", "rich_text": "Formatted text", "integer": "Whole number", "decimal": "Number", "percent": "Percent", "money": "Amount of money",
	"boolean": "Yes or no", "date": "Date", "datetime": "Date and time", "duration": "Duration", "select": "Choice", "multi_select": "Several choices", "list": "Words",
	"email": "E-mail", "phone": "Phone", "url": "Web address", "address": "Postal address", "rating": "Stars", "json": "JSON", "file": "File", "user": "Person", "team": "Team",
	"relation": "Relation to another record", "auto_number": "Running number", "formula": "Formula", "roll_up": "Roll-up of related records",
}

// fieldsPage answers GET /settings/fields: every object with its own fields.
func (p *Pages) fieldsPage(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := auth.Require(r.Context(), customField, auth.Update); err != nil {
		return err
	}
	fields, err := p.k.CustomFields(r.Context())
	if err != nil {
		return err
	}
	names := map[string][]string{}
	for _, f := range fields {
		if f.DeletedAt == nil {
			names[f.Object] = append(names[f.Object], f.Label)
		}
	}
	table := &ui.Table{Caption: "Objects", Columns: []ui.Column{{Label: "Object"}, {Label: "Own fields", Width: ui.WidthWide, Phone: ui.PhoneSub}}}
	for _, o := range p.k.ObjectsFor(r.Context()) {
		if o.Def.Name == customObject {
			continue
		}
		table.Rows = append(table.Rows, ui.Row{ID: o.Def.Name, Cells: []ui.Value{
			ui.TextLink{Text: o.Def.LabelPlural, Href: Path(r, "settings", "fields", o.Def.Plural)}, ui.Text(cut(strings.Join(names[o.Def.Name], ", "), 120)),
		}})
	}
	return p.setting(w, r, http.StatusOK, ui.SettingsPage{
		Title: "Custom fields", Current: "fields", Intro: "Give any object fields of your own. They are in lists, forms, filters, imports, exports and the API at once.",
		Sections: []ui.Section{{ID: "objects", Title: "Objects", Table: table}},
	})
}

// fieldsOf answers GET /settings/fields/{objects}.
func (p *Pages) fieldsOf(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	if _, _, err := auth.Require(r.Context(), customField, auth.Update); err != nil {
		return err
	}
	fields, err := p.k.CustomFields(r.Context())
	if err != nil {
		return err
	}
	var shown, hidden []record.CustomField
	for _, f := range fields {
		switch {
		case f.Object != o.Def.Name:
		case f.DeletedAt != nil:
			hidden = append(hidden, f)
		default:
			shown = append(shown, f)
		}
	}
	sortFields(shown)
	body := ui.SettingsPage{
		Title: "Fields of " + lower(o.Def.LabelPlural), Current: "fields", Intro: "Every record has name, owner, tags and dates besides. Those belong to the product and stay as they are.",
		Sections: []ui.Section{
			{ID: "fields", Title: "Own fields", Table: fieldTable(r, o, shown)},
			{ID: "add", Title: "Add a field", Form: typeForm(r, o)},
		},
	}
	if !o.Def.Own() {
		body.Sections[0].Text = standardFields(o.Def)
		body.Intro = "These stand beside the fields that the product brings."
	}
	if len(hidden) > 0 {
		body.Sections = append(body.Sections, ui.Section{ID: "hidden", Title: "Hidden fields", Text: "Their values are kept for 30 days after hiding, then they are deleted for good.", Table: hiddenTable(r, o, hidden)})
	}
	return p.setting(w, r, http.StatusOK, body)
}

// standardFields names what an object has by itself.
func standardFields(d *record.Definition) string {
	var names []string
	for _, f := range d.Fields {
		if shownField(f) && !f.ReadOnly && len(names) < 12 {
			names = append(names, f.Label)
		}
	}
	return "Besides, among others: " + strings.Join(names, ", ") + "."
}

func fieldTable(r *http.Request, o *record.Object, fields []record.CustomField) *ui.Table {
	out := &ui.Table{Caption: "Own fields", Empty: "None yet. Choose a type below to add the first one.", Columns: []ui.Column{
		{Label: "Field", Width: ui.WidthWide}, {Label: "Type", Phone: ui.PhoneSub}, {Label: "Rules", Phone: ui.PhoneBelow}, {Label: "Name for programs", Phone: ui.PhoneHidden},
	}}
	for i := range fields {
		f := &fields[i]
		at := []string{"settings", "fields", o.Def.Plural, f.ID.String()}
		out.Rows = append(out.Rows, ui.Row{
			ID:    f.ID.String(),
			Cells: []ui.Value{ui.TextLink{Text: f.Label, Href: Path(r, at...)}, ui.Text(typeNames[f.Type]), ui.Text(rulesInWords(f)), ui.Text("custom." + f.Name)},
			Actions: []ui.Action{
				{Label: "Edit", Href: Path(r, at...)},
				{Label: "Hide", Post: Path(r, append(at, "hide")...), Busy: "Hiding…"},
			},
		})
	}
	return out
}

func hiddenTable(r *http.Request, o *record.Object, fields []record.CustomField) *ui.Table {
	out := &ui.Table{Caption: "Hidden fields", Columns: []ui.Column{{Label: "Field", Width: ui.WidthWide}, {Label: "Type", Phone: ui.PhoneSub}, {Label: "Hidden", Phone: ui.PhoneBelow}}}
	for i := range fields {
		f := &fields[i]
		out.Rows = append(out.Rows, ui.Row{
			ID: f.ID.String(), Cells: []ui.Value{ui.Text(f.Label), ui.Text(typeNames[f.Type]), ui.Time{At: *f.DeletedAt}},
			Actions: []ui.Action{{Label: "Restore", Post: Path(r, "settings", "fields", o.Def.Plural, f.ID.String(), "restore"), Busy: "Restoring…"}},
		})
	}
	return out
}

// rulesInWords is what a field asks of its values, shortly.
func rulesInWords(f *record.CustomField) string {
	var out []string
	for _, rule := range []struct {
		is   bool
		word string
	}{
		{f.Required, "needed"},
		{len(f.RequiredWhen) > 0, "needed sometimes"},
		{f.Unique, "unique"},
		{f.Indexed && !f.Unique, "indexed"},
		{f.Min != "" || f.Max != "" || f.Pattern != "", "bounded"},
		{f.Pending, "being computed"},
	} {
		if rule.is {
			out = append(out, rule.word)
		}
	}
	return strings.Join(out, ", ")
}

// typeForm asks for the type first: what else there is to say depends on it.
func typeForm(r *http.Request, o *record.Object) *ui.Form {
	return &ui.Form{Action: Path(r, "settings", "fields", o.Def.Plural, "new"), Get: true, Submit: "Continue", Groups: []ui.FieldGroup{{Fields: []ui.Field{
		{Name: "label", Label: "Label", Required: true, Max: 200}, {Name: "type", Label: "Type", Kind: ui.FieldSelect, Options: typeOptions(), Value: "text", Required: true},
	}}}}
}

func typeOptions() []ui.Option {
	var out []ui.Option
	for _, t := range record.CustomTypes() {
		out = append(out, ui.Option{Value: t, Label: typeNames[t]})
	}
	return out
}

// ofPath finds the field of the path among those of the object.
func (p *Pages) ofPath(r *http.Request, o *record.Object) (*record.CustomField, error) {
	u, ok := id.Parse(chi.URLParam(r, "id"))
	if !ok {
		return nil, errs.Missing("custom field")
	}
	f, err := p.k.CustomField(r.Context(), u)
	if err == nil && f.Object != o.Def.Name {
		err = errs.Missing("custom field")
	}
	return f, err
}

func (p *Pages) hideField(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	f, err := p.ofPath(r, o)
	if err != nil {
		return err
	}
	return p.fieldDone(w, r, o, p.k.HideCustomField(r.Context(), f.ID), f.Label+" is hidden. Its values are kept for 30 days.")
}

func (p *Pages) restoreField(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	f, err := p.ofPath(r, o)
	if err != nil {
		return err
	}
	return p.fieldDone(w, r, o, p.k.RestoreCustomField(r.Context(), f.ID), f.Label+" is back, with its values.")
}

// fieldDone goes back to the object's fields and says what became of it.
func (p *Pages) fieldDone(w http.ResponseWriter, r *http.Request, o *record.Object, err error, done string) error {
	switch {
	case errs.KindOf(err) == errs.Conflict:
		p.Site.SetFlash(w, page.Flash{Text: errs.As(err).Message, Bad: true})
	case err != nil:
		return err
	default:
		p.Site.SetFlash(w, page.Flash{Text: done})
	}
	return page.SeeOther(w, r, Path(r, "settings", "fields", o.Def.Plural))
}
