package recordpage

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

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
		var running bool
		if done, running, err = p.takeBack(r.Context(), batch); running {
			p.Site.SetFlash(w, page.Flash{Text: "That is a lot: it is being taken back in the background."})
			return page.SeeOther(w, r, back)
		}
	} else {
		return errs.New(errs.Malformed, "no_change", "Say which change to undo.")
	}
	if err != nil {
		return err
	}
	p.Site.SetFlash(w, undoneFlash(r.Context(), p.Format(r), p.k, done))
	return page.SeeOther(w, r, back)
}

// takeBack undoes a batch; running says that a job will go on with it.
func (p *Pages) takeBack(ctx context.Context, batch uuid.UUID) (done *record.Undone, running bool, err error) {
	if p.undoBatch == nil {
		done, err = p.k.UndoBatch(ctx, batch)
		return done, false, err
	}
	run, err := p.undoBatch(ctx, batch)
	if err != nil {
		return nil, false, err
	}
	return run.Undone(), run.State == record.UndoRunning, nil
}

// undoneFlash says what was taken back, and which fields were changed again since
// and stay.
func undoneFlash(ctx context.Context, f ui.Format, k *record.Kernel, done *record.Undone) page.Flash {
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
		if label == "" {
			label = wholeRecord(ctx, k, c)
		}
		if o, ok := k.ObjectFor(ctx, c.Object); ok {
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

// wholeRecord names what was kept as a whole.
func wholeRecord(ctx context.Context, k *record.Kernel, c record.UndoConflict) string {
	if o, ok := k.ObjectFor(ctx, c.Object); ok {
		return "a " + lower(o.Def.Label)
	}
	return "a record"
}
