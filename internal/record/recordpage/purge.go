package recordpage

import (
	"net/http"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// purgeForm answers GET /{objects}/{id}/purge: the last question before a record is
// deleted for good.
func (p *Pages) purgeForm(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	s, err := p.sheet(r, o, nil)
	if err != nil {
		return err
	}
	if !may(s.actor, auth.Purge, s.rec) {
		return auth.Denied(o.Def.Name, auth.Purge)
	}
	moves, err := o.Related(r.Context(), []uuid.UUID{s.rec.ID()})
	if err != nil {
		return err
	}
	intro := "This cannot be undone. Nobody gets it back, neither you nor an admin. The history keeps what was changed, by whom and when."
	if len(moves) > 0 {
		intro += " What belongs to it stays and loses it: " + lower(counted(r.Context(), p.k, p.Format(r), moves)) + "."
	}
	body := ui.FormPage{
		Title: "Delete " + s.rec.Title() + " for good?", Back: &ui.Link{Label: s.rec.Title(), Href: s.href}, Intro: intro,
		Form: ui.Form{Action: s.href + "/purge", Submit: "Delete for good", Busy: "Deleting…", Danger: true, Cancel: s.href},
	}
	return p.Page(w, r, http.StatusOK, Head{Title: body.Title, Section: section(o.Def)}, body)
}

// purge answers POST /{objects}/{id}/purge.
func (p *Pages) purge(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	rec, err := o.Get(r.Context(), id)
	if err != nil {
		return err
	}
	if err := o.Purge(r.Context(), id); err != nil {
		return err
	}
	p.Site.SetFlash(w, page.Flash{Text: rec.Title() + " deleted for good."})
	return page.SeeOther(w, r, Path(r, o.Def.Plural)+"?trash=true")
}

// purgeMany deletes the chosen rows of the bin for good and counts what is still
// needed elsewhere.
func (p *Pages) purgeMany(r *http.Request, o *record.Object, ids []uuid.UUID) (page.Flash, error) {
	purged, refused := 0, 0
	for _, id := range ids {
		rec, err := o.Get(r.Context(), id)
		if err == nil && rec.Deleted() {
			err = o.Purge(r.Context(), id)
		}
		switch errs.KindOf(err) {
		case errs.Internal, errs.Unavailable:
			if err != nil {
				return page.Flash{}, err
			}
			purged++
		default:
			refused++
		}
	}
	f := p.Format(r)
	text := f.Integer(purged) + " deleted for good."
	if refused > 0 {
		text += " " + f.Integer(refused) + " not: something still needs them, or your role does not allow it."
	}
	return page.Flash{Text: text, Bad: purged == 0}, nil
}
