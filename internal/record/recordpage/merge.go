package recordpage

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// chosenPrefix marks the radio buttons of a field; their value is the id of the
// record to take it from.
const chosenPrefix = "value."

// merging is a merge page being put together.
type merging struct {
	def     *record.Definition
	records []*record.Record
	names   *names
	format  ui.Format
	typed   func(string) string // what was chosen before a refusal
}

// mergeForm answers GET /{objects}/merge?id=…&id=…: the records side by side, one
// choice for each field they differ in, and what will move.
func (p *Pages) mergeForm(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	ids, err := chosenIDs(r.URL.Query()["id"])
	if err != nil {
		return err
	}
	return p.showMerge(w, r, o, http.StatusOK, ids, nil)
}

func (p *Pages) showMerge(w http.ResponseWriter, r *http.Request, o *record.Object, status int, ids []uuid.UUID, refused *errs.Error) error {
	m, err := p.merging(r, o, ids)
	if err != nil {
		return err
	}
	moves, err := o.Related(r.Context(), ids)
	if err != nil {
		return err
	}
	d := o.Def
	self := Path(r, d.Plural)
	body := ui.FormPage{
		Title: "Merge " + strconv.Itoa(len(m.records)) + " " + lower(d.LabelPlural), Back: &ui.Link{Label: "Possible duplicates", Href: self + "/duplicates"},
		Intro: "One of them stays and takes in the others. " + movesText(r.Context(), p.k, p.Format(r), moves) + " The others go to the bin, and their addresses lead to the one that stays. You can undo it afterwards.",
		Form:  ui.Form{Action: self + "/merge", Submit: "Merge", Busy: "Merging…", Cancel: self + "/duplicates", Groups: m.groups()},
	}
	for _, rec := range m.records {
		body.Form.Hidden = append(body.Form.Hidden, ui.Hidden{Name: "id", Value: rec.ID().String()})
	}
	if refused != nil {
		m.blame(&body.Form, refused)
	}
	return p.Page(w, r, status, Head{Title: body.Title, Section: section(d)}, body)
}

func (p *Pages) merging(r *http.Request, o *record.Object, ids []uuid.UUID) (*merging, error) {
	found, err := o.GetMany(r.Context(), ids)
	if err != nil {
		return nil, err
	}
	def, err := p.k.Definition(r.Context(), o.Def.Name)
	if err != nil {
		return nil, err
	}
	m := &merging{def: def, format: p.Format(r), typed: r.PostForm.Get}
	want := wanted{}
	for _, id := range ids {
		rec := found[id]
		if rec == nil || rec.Deleted() {
			return nil, errs.Missing(lower(def.Label))
		}
		if !may(auth.From(r.Context()), auth.Update, rec) || !may(auth.From(r.Context()), auth.Delete, rec) {
			return nil, auth.Denied(def.Name, auth.Delete)
		}
		m.records = append(m.records, rec)
		want.addRecord(rec, relationFields(def))
	}
	m.names, err = p.load(r.Context(), Path(r), want)
	return m, err
}

// groups are the choice of the record that stays, and of the fields that differ.
// The richest record is proposed: the one with most fields filled, then the oldest.
func (m *merging) groups() []ui.FieldGroup {
	stays := ui.Field{Name: "into", Label: "Which one stays?", Kind: ui.FieldRadio, Wide: true, Value: m.richest().ID().String()}
	if v := m.typed("into"); v != "" {
		stays.Value = v
	}
	for _, rec := range m.records {
		stays.Options = append(stays.Options, ui.Option{Value: rec.ID().String(), Label: rec.Title(), Hint: m.told(rec)})
	}
	values := ui.FieldGroup{Title: "Values to keep", Text: "Fields that only one of them has are kept. Tags, e-mail addresses and phone numbers of all are kept."}
	for _, f := range append(append([]*record.Field{}, m.def.Fields...), m.def.CustomFields()...) {
		if c, differs := m.choice(f); differs {
			values.Fields = append(values.Fields, c)
		}
	}
	groups := []ui.FieldGroup{{Fields: []ui.Field{stays}}}
	if len(values.Fields) > 0 {
		groups = append(groups, values)
	}
	return groups
}

// told sets records of the same name apart.
func (m *merging) told(rec *record.Record) string {
	var parts []string
	for _, name := range []string{"email", "phone", "domain", "company", "created_at"} {
		f, ok := m.def.Field(name)
		if !ok || f.Title || rec.Get(name) == nil {
			continue
		}
		s := m.names.plain(f, rec.Get(name), m.format)
		if name == "created_at" {
			s = "since " + s
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

func (m *merging) richest() *record.Record {
	best, most := m.records[0], -1
	for _, rec := range m.records {
		n := 0
		for _, v := range rec.Values {
			if v != nil {
				n++
			}
		}
		if n > most {
			best, most = rec, n
		}
	}
	return best
}

// choice is the question about a field of which there are two values or more.
func (m *merging) choice(f *record.Field) (ui.Field, bool) {
	if f.ReadOnly || f.Hidden || f.Sticky {
		return ui.Field{}, false
	}
	switch f.Type.Name() {
	case "id", "version", "custom", "json", "list":
		return ui.Field{}, false
	}
	out := ui.Field{Name: chosenPrefix + fieldName(f), Label: f.Label, Kind: ui.FieldRadio}
	best := m.richest()
	var seen []any
	for _, rec := range m.records {
		v := fieldValue(rec, f)
		if v == nil || has(seen, v) {
			continue
		}
		seen = append(seen, v)
		id := rec.ID().String()
		out.Options = append(out.Options, ui.Option{Value: id, Label: cut(m.names.plain(f, v, m.format), 200)})
		if out.Value == "" || record.Same(v, fieldValue(best, f)) {
			out.Value = id
		}
	}
	if v := m.typed(out.Name); v != "" {
		out.Value = v
	}
	return out, len(seen) > 1
}

func has(list []any, v any) bool {
	for _, x := range list {
		if record.Same(x, v) {
			return true
		}
	}
	return false
}

// blame puts a refusal beside the question it is about.
func (m *merging) blame(f *ui.Form, refused *errs.Error) {
	known := false
	for g := range f.Groups {
		for i := range f.Groups[g].Fields {
			field := &f.Groups[g].Fields[i]
			for _, e := range refused.Fields {
				if field.Name == chosenPrefix+e.Field || field.Name == e.Field {
					field.Error, known = e.Message, true
				}
			}
		}
	}
	if !known {
		f.Errors = append(f.Errors, refused.Message)
	}
}

// movesText counts what will move along, as far as the reader may see it.
func movesText(ctx context.Context, k *record.Kernel, f ui.Format, moves map[string]int) string {
	if len(moves) == 0 {
		return "Nothing else belongs to them."
	}
	return counted(ctx, k, f, moves) + " will belong to it."
}

// counted lists numbers of records in words: "2 deals and 1 activity".
func counted(ctx context.Context, k *record.Kernel, f ui.Format, moves map[string]int) string {
	var parts []string
	for _, o := range k.ObjectsFor(ctx) {
		n := moves[o.Def.Plural]
		if n == 0 {
			continue
		}
		noun := lower(o.Def.LabelPlural)
		if n == 1 {
			noun = lower(o.Def.Label)
		}
		parts = append(parts, f.Integer(n)+" "+noun)
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// doMerge answers POST /{objects}/merge.
func (p *Pages) doMerge(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	if err := r.ParseForm(); err != nil {
		return errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	ids, err := chosenIDs(r.PostForm["id"])
	if err != nil {
		return err
	}
	m := record.Merge{Into: uuidOf(r.PostForm.Get("into")), Chosen: map[string]uuid.UUID{}}
	for _, id := range ids {
		if id != m.Into {
			m.From = append(m.From, id)
		}
	}
	for key := range r.PostForm {
		if name, ok := strings.CutPrefix(key, chosenPrefix); ok {
			m.Chosen[name] = uuidOf(r.PostForm.Get(key))
		}
	}
	done, err := o.Merge(r.Context(), m)
	if e := errs.As(err); e != nil && (e.Kind == errs.Invalid || e.Kind == errs.Conflict) && e.Code != "merged" && e.Code != "deleted" {
		return p.showMerge(w, r, o, http.StatusUnprocessableEntity, ids, e)
	}
	if err != nil {
		return err
	}
	p.Site.SetFlash(w, page.Flash{Text: strconv.Itoa(len(done.From)+1) + " " + lower(o.Def.LabelPlural) + " merged into " + done.Record.Title() + ".", Batch: done.BatchID})
	return page.SeeOther(w, r, hrefOf(Path(r), done.Record))
}
