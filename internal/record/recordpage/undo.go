package recordpage

import (
	"net/http"
	"strings"

	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// undo answers POST /undo: one change by seq, or a whole batch.
func (p *Pages) undo(w http.ResponseWriter, r *http.Request) error {
	back := page.Back(r, Path(r, "home"))
	var done *record.Undone
	var err error
	if seq := seqOf(r.PostFormValue("seq")); seq > 0 {
		done, err = p.k.Undo(r.Context(), seq)
	} else if batch, ok := id.Parse(r.PostFormValue("batch_id")); ok {
		done, err = p.k.UndoBatch(r.Context(), batch)
	} else {
		return errs.New(errs.Malformed, "no_change", "Say which change to undo.")
	}
	if err != nil {
		return err
	}
	p.Site.SetFlash(w, undoneFlash(p.Format(r), p.k, done))
	return page.SeeOther(w, r, back)
}

// undoneFlash says what was taken back, and which fields were changed again since
// and stay.
func undoneFlash(f ui.Format, k *record.Kernel, done *record.Undone) page.Flash {
	if len(done.Conflicts) == 0 {
		switch done.Reversed {
		case 0:
			return page.Flash{Text: "There was nothing left to take back."}
		case 1:
			return page.Flash{Text: "Taken back."}
		}
		return page.Flash{Text: f.Integer(done.Reversed) + " changes taken back."}
	}
	var fields []string
	for _, c := range done.Conflicts {
		label := c.Field
		if o, ok := k.Object(c.Object); ok {
			if field, ok := o.Def.Field(c.Field); ok {
				label = field.Label
			}
		}
		if !strings.Contains(strings.Join(fields, "|"), label) && len(fields) < 4 {
			fields = append(fields, label)
		}
	}
	text := "Changed again since, so left as it is: " + strings.Join(fields, ", ") + "."
	if done.Reversed > 0 {
		text = f.Integer(done.Reversed) + " taken back. " + text
	}
	return page.Flash{Text: text, Bad: done.Reversed == 0}
}
