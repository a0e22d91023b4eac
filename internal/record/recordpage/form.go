package recordpage

import (
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// formState is a form being drawn: the record as it is, what was typed over it,
// and what was refused.
type formState struct {
	def     *record.Definition
	rec     *record.Record // blank for a new one
	typed   url.Values     // nil before anything was sent
	refused []errs.FieldError
	loose   []string // problems of no field
	isNew   bool
	version int64
}

// newForm answers GET /{objects}/new. Values in the query fill fields.
func (p *Pages) newForm(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	st, err := p.blank(r, o)
	if err != nil {
		return err
	}
	if q := r.URL.Query(); len(q) > 0 {
		patch, _ := readForm(withoutBooleans(editable(st.def)), q, st.def, zoneOf(auth.From(r.Context())), auth.From(r.Context()).Currency)
		for name, v := range patch {
			if _, standard := st.rec.Def.Field(name); standard {
				st.rec.Set(name, v)
			}
		}
		// A name someone typed into a relation: "Create 'Ada Khan'".
		if name := q.Get("name"); name != "" {
			fillName(st.rec, name)
		}
	}
	return p.showForm(w, r, o, http.StatusOK, st)
}

// withoutBooleans leaves out boxes: a query that does not name one says nothing
// about it.
func withoutBooleans(fields []*record.Field) []*record.Field {
	var out []*record.Field
	for _, f := range fields {
		if f.Type.Name() != "boolean" {
			out = append(out, f)
		}
	}
	return out
}

// fillName puts a typed name where the object keeps its names.
func fillName(rec *record.Record, name string) {
	for _, f := range rec.Def.Fields {
		if f.Title && f.Type.Name() == "text" && rec.Get(f.Name) == nil {
			rec.Set(f.Name, cut(record.CleanText(name), 200))
			return
		}
	}
}

func (p *Pages) blank(r *http.Request, o *record.Object) (*formState, error) {
	a, _, err := auth.Require(r.Context(), o.Def.Name, auth.Create)
	if err != nil {
		return nil, err
	}
	def, err := p.k.Definition(r.Context(), o.Def.Name)
	if err != nil {
		return nil, err
	}
	rec := def.New()
	if def.Owned && a.Kind == auth.User {
		rec.Set("owner_id", a.ID)
	}
	return &formState{def: def, rec: rec, isNew: true}, nil
}

// create answers POST /{objects}.
func (p *Pages) create(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	st, err := p.blank(r, o)
	if err != nil {
		return err
	}
	patch, err := p.readInto(r, st)
	if err != nil {
		return err
	}
	if len(st.refused) == 0 {
		res, err := o.One(r.Context(), record.Operation{Kind: record.OpCreate, Patch: patch})
		if err == nil {
			return p.created(w, r, res)
		}
		if err := st.refuse(err); err != nil {
			return err
		}
	}
	return p.showForm(w, r, o, http.StatusUnprocessableEntity, st)
}

func (p *Pages) created(w http.ResponseWriter, r *http.Request, res record.Result) error {
	rec := res.Record
	p.Site.SetFlash(w, page.Flash{Text: rec.Title() + " added.", Seq: res.Seq})
	if r.PostForm.Get("another") != "" {
		return page.SeeOther(w, r, Path(r, rec.Def.Plural, "new"))
	}
	return page.SeeOther(w, r, page.LocalPath(r.PostForm.Get("return"), hrefOf(Path(r), rec)))
}

// readInto reads the sent form into a patch and notes what was refused.
func (p *Pages) readInto(r *http.Request, st *formState) (record.Patch, error) {
	if err := r.ParseForm(); err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	a := auth.From(r.Context())
	st.typed = r.PostForm
	patch, refused := readForm(editable(st.def), r.PostForm, st.def, zoneOf(a), a.Currency)
	st.refused = refused
	return patch, nil
}

// refuse notes why the kernel refused; an error that is no refusal of input comes
// back.
func (st *formState) refuse(err error) error {
	e := errs.As(err)
	if e == nil || (e.Kind != errs.Invalid && e.Kind != errs.Conflict) {
		return err
	}
	st.refused = append(st.refused, e.Fields...)
	known := false
	for _, f := range editable(st.def) {
		known = known || errorOf(e.Fields, f) != ""
	}
	if !known {
		st.loose = append(st.loose, e.Message)
	}
	return nil
}

// editForm answers GET /{objects}/{id}/edit.
func (p *Pages) editForm(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	st, err := p.existing(r, o)
	if err != nil {
		return err
	}
	return p.showForm(w, r, o, http.StatusOK, st)
}

func (p *Pages) existing(r *http.Request, o *record.Object) (*formState, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	rec, err := o.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if !may(auth.From(r.Context()), auth.Update, rec) {
		return nil, auth.Denied(o.Def.Name, auth.Update)
	}
	def, err := p.k.Definition(r.Context(), o.Def.Name)
	return &formState{def: def, rec: rec, version: rec.Version()}, err
}

// update answers POST /{objects}/{id}. Who lost a race keeps what was typed.
func (p *Pages) update(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	st, err := p.existing(r, o)
	if err != nil {
		return err
	}
	patch, err := p.readInto(r, st)
	if err != nil {
		return err
	}
	status := http.StatusUnprocessableEntity
	if len(st.refused) == 0 {
		res, clash, err := p.save(r.Context(), o, st.rec.ID(), formVersion(r), patch)
		switch {
		case err == nil && clash == nil:
			p.Site.SetFlash(w, savedFlash(res))
			return page.SeeOther(w, r, page.LocalPath(r.PostForm.Get("return"), hrefOf(Path(r), st.rec)))
		case clash != nil:
			if err := p.explain(r, st, clash); err != nil {
				return err
			}
			status = http.StatusConflict
		default:
			if err := st.refuse(err); err != nil {
				return err
			}
		}
	}
	return p.showForm(w, r, o, status, st)
}

func savedFlash(res record.Result) page.Flash {
	if res.Seq == 0 {
		return page.Flash{Text: "Nothing to change."}
	}
	return page.Flash{Text: res.Record.Title() + " saved.", Seq: res.Seq}
}

// explain says beside each field who changed it meanwhile and to what; sending
// the form again then keeps one's own values.
func (p *Pages) explain(r *http.Request, st *formState, c *clash) error {
	st.rec, st.version = c.current, c.current.Version()
	w := wanted{}
	w.addRecord(c.current, relationFields(st.def))
	n, err := p.load(r.Context(), Path(r), w)
	if err != nil {
		return err
	}
	for _, f := range c.fields {
		st.refused = append(st.refused, errs.FieldError{Field: fieldName(f), Code: "changed", Message: c.sentence(n, f, p.Format(r))})
	}
	st.loose = append(st.loose, "What you typed is still here. Save again to keep yours, or cancel to keep theirs.")
	return nil
}

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
	return p.Page(w, r, status, Head{Title: body.Title, Section: section(d)}, body)
}

// form draws every editable field, in groups.
func (p *Pages) form(r *http.Request, st *formState) (ui.Form, error) {
	d := st.def
	out := ui.Form{Action: Path(r, d.Plural), Submit: "Add " + lower(d.Label), Busy: "Adding…", Cancel: Path(r, d.Plural), Errors: st.loose}
	if st.isNew {
		out.Extra = []ui.Action{{Label: "Add and start another", Post: out.Action, Fields: []ui.Hidden{{Name: "another", Value: "1"}}}}
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
	var addresses []ui.FieldGroup
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
	c := control(f, v, Path(r), p.k, options, zoneOf(a), a.Currency)
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
		id, _ := st.rec.Get(f.Name).(uuid.UUID)
		current[f.Target] = append(current[f.Target], id, uuidOf(st.typed.Get(f.Name)))
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
