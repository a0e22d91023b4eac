package recordpage

import (
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// shownLetters is how many dead letters the page lists.
const shownLetters = 100

// mountJournal puts the page about the journal's readers into the settings.
func (p *Pages) mountJournal(r chi.Router) {
	h := p.Site.Handle
	r.Get("/settings/journal", h(p.journal))
	r.Post("/settings/journal/replay", h(p.replay))
}

// journal answers GET /settings/journal: how far each reader is, and what it gave
// up on.
func (p *Pages) journal(w http.ResponseWriter, r *http.Request) error {
	a, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	lags, err := p.k.Lags(r.Context())
	if err != nil {
		return err
	}
	letters, err := p.k.DeadLetters(r.Context(), 0, shownLetters)
	if err != nil {
		return err
	}
	body := ui.SettingsPage{
		Title: "Background work", Current: "journal", Menu: p.SettingsMenu(a, chi.URLParam(r, "ws")),
		Intro: "Every change is written to the journal. Scores, seals and other automatic work follow it.",
		Sections: []ui.Section{
			{ID: "readers", Title: "What follows the journal", Table: p.lagTable(r, lags)},
			{ID: "dead-letters", Title: "Set aside", Text: "Changes that could not be worked after several tries. Mend the cause, then try again.", Table: letterTable(r, letters)},
		},
	}
	if len(letters) > 1 {
		body.Sections[1].Actions = []ui.Action{{Label: "Try all again", Post: Path(r, "settings", "journal", "replay"), Busy: "Working…"}}
	}
	return p.Page(w, r, http.StatusOK, Head{Title: body.Title + " · Settings", Section: "settings"}, body)
}

func (p *Pages) lagTable(r *http.Request, lags []record.Lag) *ui.Table {
	out := &ui.Table{Caption: "What follows the journal", Empty: "Nothing follows the journal.", Columns: []ui.Column{{Label: "Work", Width: ui.WidthWide}, {Label: "Still to do"}, {Label: "Oldest", Phone: ui.PhoneBelow}, {Label: "State", Phone: ui.PhoneAside}}}
	for _, l := range lags {
		row := ui.Row{ID: l.Subscriber, Cells: []ui.Value{ui.Text(l.Subscriber), ui.Text(p.Format(r).Integer(int(l.Behind))), ui.None{}, ui.Choice{Label: "Works", Tone: ui.ToneGood}}}
		if !l.Oldest.IsZero() {
			row.Cells[2] = ui.Time{At: l.Oldest}
		}
		if l.Failures > 0 {
			row.Cells[3] = ui.Choice{Label: "Failing", Tone: ui.ToneBad}
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func letterTable(r *http.Request, letters []record.DeadLetter) *ui.Table {
	out := &ui.Table{Caption: "Changes set aside", Empty: "Nothing was set aside.", Columns: []ui.Column{{Label: "Change", Width: ui.WidthWide}, {Label: "Work"}, {Label: "What went wrong", Phone: ui.PhoneSub}, {Label: "When", Phone: ui.PhoneBelow}}}
	for _, l := range letters {
		seq := strconv.FormatInt(l.Seq, 10)
		out.Rows = append(out.Rows, ui.Row{
			ID:    l.Subscriber + "-" + seq,
			Cells: []ui.Value{ui.Text(l.Object + " " + l.Action + " (" + seq + ")"), ui.Text(l.Subscriber), ui.Text(l.Error), ui.Time{At: l.At}},
			Actions: []ui.Action{{
				Label: "Try again", Post: Path(r, "settings", "journal", "replay"), Busy: "Working…",
				Fields: []ui.Hidden{{Name: "subscriber", Value: l.Subscriber}, {Name: "seq", Value: seq}},
			}},
		})
	}
	return out
}

// replay answers POST /settings/journal/replay: one letter, or all of them.
func (p *Pages) replay(w http.ResponseWriter, r *http.Request) error {
	flash := page.Flash{Text: "Done. It is no longer set aside."}
	if seq := seqOf(r.PostFormValue("seq")); seq > 0 {
		err := p.k.Replay(r.Context(), r.PostFormValue("subscriber"), seq)
		if errs.KindOf(err) == errs.Conflict {
			flash = page.Flash{Text: errs.As(err).Message, Bad: true}
		} else if err != nil {
			return err
		}
	} else {
		done, err := p.k.ReplayAll(r.Context())
		if err != nil {
			return err
		}
		f := p.Format(r)
		flash = page.Flash{Text: f.Integer(done.Replayed) + " done, " + f.Integer(done.Failed) + " failed again.", Bad: done.Failed > 0}
	}
	p.Site.SetFlash(w, flash)
	return page.SeeOther(w, r, Path(r, "settings", "journal"))
}
