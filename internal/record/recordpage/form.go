package recordpage

import (
	"net/http"
	"net/url"

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
	warning *ui.Banner // that there may be this record already
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
		res, err := o.One(r.Context(), record.Operation{Kind: record.OpCreate, Patch: patch, Unique: r.PostForm.Get("allow_duplicate") == ""})
		if err == nil {
			return p.created(w, r, res)
		}
		if st.warnDouble(Path(r), err) {
			return p.showForm(w, r, o, http.StatusConflict, st)
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
