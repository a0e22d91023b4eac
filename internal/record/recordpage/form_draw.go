package recordpage

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

func (p *Pages) showForm(w http.ResponseWriter, r *http.Request, o *record.Object, status int, st *formState) error {
	form, err := p.form(r, st)
	if err != nil {
		return err
	}
	d := o.Def
	list := Path(r, d.Plural)
	body := ui.FormPage{Title: "New " + lower(d.Label), Back: &ui.Link{Label: d.LabelPlural, Href: list}, Form: form}
	if !st.isNew {
		body.Title = "Edit " + st.rec.Title()
		body.Back = &ui.Link{Label: st.rec.Title(), Href: hrefOf(Path(r), st.rec)}
	}
	return p.Page(w, r, status, Head{Title: body.Title, Section: section(d), Banner: st.warning}, body)
}

// form draws every editable field, in groups.
func (p *Pages) form(r *http.Request, st *formState) (ui.Form, error) {
	d := st.def
	out := ui.Form{Action: Path(r, d.Plural), Submit: "Add " + lower(d.Label), Busy: "Adding…", Cancel: Path(r, d.Plural), Errors: st.loose}
	if st.isNew {
		out.Extra = []ui.Action{{Label: "Add and start another", Post: out.Action, Fields: []ui.Hidden{{Name: "another", Value: "1"}}}}
		if st.warning != nil {
			anyway := ui.Action{Label: "Add anyway", Post: out.Action, Fields: []ui.Hidden{{Name: "allow_duplicate", Value: "1"}}}
			out.Extra = append([]ui.Action{anyway}, out.Extra...)
		}
	} else {
		href := hrefOf(Path(r), st.rec)
		out.Action, out.Submit, out.Busy, out.Cancel = href, "Save", "Saving…", href
		out.Hidden = []ui.Hidden{{Name: "version", Value: itoa(st.version)}}
	}
	if ret := page.LocalPath(r.FormValue("return"), ""); ret != "" {
		out.Hidden, out.Cancel = append(out.Hidden, ui.Hidden{Name: "return", Value: ret}), ret
	}
	fields, err := p.controls(r, st)
	out.Groups = fields
	return out, err
}

// controls sorts the fields: what matters first, who it belongs to, addresses,
// then the workspace's own fields.
func (p *Pages) controls(r *http.Request, st *formState) ([]ui.FieldGroup, error) {
	var main, owner, own ui.FieldGroup
	owner.Title, own.Title = "Who takes care of it", "More fields"
	var addresses, sections []ui.FieldGroup
	options, err := p.targetOptions(r, st)
	if err != nil {
		return nil, err
	}
	for _, f := range editable(st.def) {
		if st.isNew && late(f) && st.rec.Get(f.Name) == nil && st.typed.Get(f.Name) == "" && errorOf(st.refused, f) == "" {
			continue
		}
		if f.Type.Name() == "address" {
			addresses = append(addresses, ui.FieldGroup{Title: f.Label, Fields: p.typedAddress(f, st)})
			continue
		}
		c := p.typedControl(r, f, st, options[f.Target])
		switch {
		case f.Custom && f.Section != "":
			i := slices.IndexFunc(sections, func(g ui.FieldGroup) bool { return g.Title == f.Section })
			if i < 0 {
				i, sections = len(sections), append(sections, ui.FieldGroup{Title: f.Section})
			}
			sections[i].Fields = append(sections[i].Fields, c)
		case f.Custom, f.Name == "external_id":
			own.Fields = append(own.Fields, c)
		case f.Name == "owner_id", f.Name == "team_id", f.Name == "tags":
			owner.Fields = append(owner.Fields, c)
		default:
			main.Fields = append(main.Fields, c)
		}
	}
	if len(main.Fields) > 0 && st.isNew {
		main.Fields[0].Focus = true
	}
	groups := append([]ui.FieldGroup{main}, addresses...)
	if st.def.Owned {
		groups = append(groups, owner)
	}
	groups = append(groups, sections...)
	if len(own.Fields) == 0 {
		return groups, nil
	}
	return append(groups, own), nil
}

// late reports whether a field is only known once the record has lived a while,
// so that a form for a new one need not ask.
func late(f *record.Field) bool {
	switch f.Name {
	case "lost_reason", "disqualify_reason", "forecast_category", "probability", "referrer", "landing_page", "last_contacted_at", "done_at", "outcome", "external_id":
		return true
	}
	return f.Name == "status" && f.Default == nil
}

// typedControl shows what was typed over what is stored.
func (p *Pages) typedControl(r *http.Request, f *record.Field, st *formState, options []ui.Option) ui.Field {
	a := auth.From(r.Context())
	v := st.rec.Get(fieldName(f))
	if f.Custom {
		v = canonical(f, v)
	}
	c := control(r.Context(), f, v, Path(r), p.k, options, zoneOf(a), a.Currency)
	c.Error = errorOf(st.refused, f)
	if st.typed == nil {
		return c
	}
	if values, sent := st.typed[c.Name]; sent || c.Kind == ui.FieldCheck || c.Kind == ui.FieldMulti {
		c.Value, c.Values = firstText(values), values
	}
	if cur := st.typed.Get(c.Name + "_currency"); c.Kind == ui.FieldMoney && cur != "" {
		c.Currency = cur
	}
	return c
}

func (p *Pages) typedAddress(f *record.Field, st *formState) []ui.Field {
	fields := addressFields(f, st.rec.Get(f.Name))
	for i := range fields {
		if values, sent := st.typed[fields[i].Name]; sent {
			fields[i].Value = firstText(values)
		}
	}
	fields[0].Error = errorOf(st.refused, f)
	return fields
}

func firstText(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// targetOptions loads the choices of every relation, once per object.
func (p *Pages) targetOptions(r *http.Request, st *formState) (map[string][]ui.Option, error) {
	current := map[string][]uuid.UUID{}
	for _, f := range editable(st.def) {
		if f.Target == "" {
			continue
		}
		id, _ := fieldValue(st.rec, f).(uuid.UUID)
		current[f.Target] = append(current[f.Target], id, uuidOf(st.typed.Get(fieldName(f))))
	}
	out := map[string][]ui.Option{}
	for object, ids := range current {
		list, err := p.options(r.Context(), object, ids, st.rec)
		if err != nil {
			return nil, err
		}
		out[object] = list
	}
	return out, nil
}
