package recordpage

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record"
)

// updateField answers POST /{objects}/{id}/fields/{field}: one value in place.
func (p *Pages) updateField(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	st, err := p.existing(r, o)
	if err != nil {
		return err
	}
	name, err := url.PathUnescape(chi.URLParam(r, "field"))
	f, ok := st.def.Field(name)
	if err != nil || !ok || f.ReadOnly {
		return errs.New(errs.NotFound, "unknown_field", "There is no field %q to change.", name)
	}
	if err := r.ParseForm(); err != nil {
		return errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	patch, refused := readForm([]*record.Field{f}, r.PostForm, st.def, zoneOf(auth.From(r.Context())), auth.From(r.Context()).Currency)
	if len(refused) > 0 {
		return p.showRecord(w, r, o, http.StatusUnprocessableEntity, &openField{name, r.PostForm, refused[0].Message}, nil)
	}
	if len(patch) == 0 {
		return errs.New(errs.Malformed, "no_value", "The form held no value for %s.", f.Label)
	}
	return p.saveField(w, r, o, st, f, patch)
}

func (p *Pages) saveField(w http.ResponseWriter, r *http.Request, o *record.Object, st *formState, f *record.Field, patch record.Patch) error {
	res, c, err := p.save(r.Context(), o, st.rec.ID(), formVersion(r), patch)
	if c != nil {
		return p.showClash(w, r, o, st, f, c)
	}
	if e := errs.As(err); e != nil && (e.Kind == errs.Invalid || e.Kind == errs.Conflict) {
		text := e.Message
		if own := errorOf(e.Fields, f); own != "" {
			text = own
		}
		return p.showRecord(w, r, o, http.StatusUnprocessableEntity, &openField{fieldName(f), r.PostForm, text}, nil)
	}
	if err != nil {
		return err
	}
	if res.Seq != 0 {
		p.Site.SetFlash(w, page.Flash{Text: f.Label + " saved.", Seq: res.Seq})
	}
	return page.SeeOther(w, r, hrefOf(Path(r), st.rec))
}

// showClash keeps the edit open with one's own value; theirs is what the page
// shows behind it. Saving again keeps mine, cancelling keeps theirs.
func (p *Pages) showClash(w http.ResponseWriter, r *http.Request, o *record.Object, st *formState, f *record.Field, c *clash) error {
	want := wanted{}
	want.addRecord(c.current, []*record.Field{f})
	n, err := p.load(r.Context(), Path(r), want)
	if err != nil {
		return err
	}
	text := c.sentence(n, f, p.Format(r)) + " Save again to keep yours, cancel to keep theirs."
	return p.showRecord(w, r, o, http.StatusConflict, &openField{fieldName(f), r.PostForm, text}, nil)
}

// delete answers POST /{objects}/{id}/delete: into the bin, with a way back.
func (p *Pages) delete(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	return p.bin(w, r, o, record.OpDelete, " moved to the bin.")
}

// restore answers POST /{objects}/{id}/restore.
func (p *Pages) restore(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	return p.bin(w, r, o, record.OpRestore, " restored.")
}

func (p *Pages) bin(w http.ResponseWriter, r *http.Request, o *record.Object, kind record.OpKind, done string) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	res, err := o.One(r.Context(), record.Operation{Kind: kind, ID: id})
	if err != nil {
		return err
	}
	p.Site.SetFlash(w, page.Flash{Text: res.Record.Title() + done, Seq: res.Seq})
	if kind == record.OpDelete {
		return page.SeeOther(w, r, Path(r, o.Def.Plural))
	}
	return page.SeeOther(w, r, hrefOf(Path(r), res.Record))
}
