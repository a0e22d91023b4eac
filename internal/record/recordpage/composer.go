package recordpage

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// activityObject is where notes, calls and tasks are kept. The pages only need its
// usual fields: type, subject, body, due_at, done_at, related.
const activityObject = "activity"

// composer is the row of small forms above the timeline.
func (s *sheet) composer() []ui.ComposerForm {
	_, known := s.p.k.Object(activityObject)
	if !known || s.o.Def.Name == activityObject || s.o.Def.System || s.actor.Grants.Scope(activityObject, auth.Create) == auth.None {
		return nil
	}
	form := func(kind, submit, busy string, fields ...ui.Field) ui.Form {
		for i := range fields {
			fields[i].Key, fields[i].Wide = kind, true
		}
		return ui.Form{
			Action: s.href + "/activities", Submit: submit, Busy: busy, Hidden: []ui.Hidden{{Name: "type", Value: kind}},
			Groups: []ui.FieldGroup{{Fields: fields}}, Draft: kind + ":" + s.rec.ID().String(),
		}
	}
	now := s.p.now().In(zoneOf(s.actor))
	return []ui.ComposerForm{
		{Key: "note", Label: "Note", Icon: "notebook-pen", Letter: "n", Form: form("note", "Save note", "Saving…",
			ui.Field{Name: "body", Label: "Note", Kind: ui.FieldLong, HideLabel: true, Placeholder: "What should the next person know?", Rows: 3})},
		{Key: "call", Label: "Log call", Icon: "phone", Letter: "l", Form: form("call", "Log call", "Saving…",
			ui.Field{Name: "body", Label: "What was said", Kind: ui.FieldLong, Rows: 3},
			ui.Field{Name: "outcome", Label: "Outcome", Placeholder: "Wants an offer by Friday", Max: 500})},
		{Key: "task", Label: "Task", Icon: "circle-check", Letter: "t", Form: form("task", "Add task", "Adding…",
			ui.Field{Name: "subject", Label: "What is to be done", Max: 200, Placeholder: "Call back about the offer"},
			ui.Field{Name: "due_at", Label: "Due", Kind: ui.FieldDateTime, Quick: quickDates(now)})},
	}
}

// quickDates are the usual choices for "when", at nine in the morning.
func quickDates(now time.Time) []ui.Option {
	at := func(days int) string {
		d := now.AddDate(0, 0, days)
		return time.Date(d.Year(), d.Month(), d.Day(), 9, 0, 0, 0, d.Location()).Format("2006-01-02T15:04")
	}
	monday := (8 - int(now.Weekday())) % 7
	if monday == 0 {
		monday = 7
	}
	return []ui.Option{{Value: at(1), Label: "Tomorrow"}, {Value: at(monday), Label: "Next Monday"}, {Value: at(14), Label: "In two weeks"}}
}

// addActivity answers POST /{objects}/{id}/activities.
func (p *Pages) addActivity(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	about, err := o.Get(r.Context(), id)
	if err != nil {
		return err
	}
	activities, ok := p.k.Object(activityObject)
	if !ok {
		return errNoPage()
	}
	if err := r.ParseForm(); err != nil {
		return errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	patch, err := p.activity(r.Context(), activities, r.PostForm, about)
	if err == nil {
		var res record.Result
		if res, err = activities.One(r.Context(), record.Operation{Kind: record.OpCreate, Patch: patch}); err == nil {
			p.Site.SetFlash(w, page.Flash{Text: activityDone[r.PostForm.Get("type")], Seq: res.Seq})
			return page.SeeOther(w, r, hrefOf(Path(r), about))
		}
	}
	if errs.KindOf(err) != errs.Invalid {
		return err
	}
	return p.refusedActivity(w, r, o, errs.As(err))
}

var activityDone = map[string]string{"note": "Note saved.", "call": "Call logged.", "task": "Task added."}

// activity reads the composer. A call has happened; it gets its moment now.
func (p *Pages) activity(ctx context.Context, o *record.Object, form url.Values, about *record.Record) (record.Patch, error) {
	a := auth.From(ctx)
	kind, body, subject := form.Get("type"), strings.TrimSpace(form.Get("body")), strings.TrimSpace(form.Get("subject"))
	if activityDone[kind] == "" {
		return nil, errs.New(errs.Malformed, "unknown_type", "Choose a note, a call or a task.")
	}
	values := map[string]string{"type": kind, "body": body}
	switch kind {
	case "note":
		if body == "" {
			return nil, errs.Field("body", "required", "Write the note first.")
		}
		line, _, _ := strings.Cut(body, "\n")
		subject = cut(line, 120)
	case "call":
		subject = "Call with " + about.Title()
		values["done_at"] = p.now().UTC().Format(time.RFC3339)
		values["outcome"] = form.Get("outcome")
	case "task":
		if subject == "" {
			return nil, errs.Field("subject", "required", "Say what is to be done.")
		}
		values["due_at"] = inUTC(form.Get("due_at"), zoneOf(a))
	}
	values["subject"] = subject
	def, err := p.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	patch, err := def.ParseText(values, record.FromText, a.Currency)
	if err != nil {
		return nil, err
	}
	patch["related"] = []any{map[string]any{"object": about.Def.Name, "id": about.ID().String()}}
	return patch, nil
}

// refusedActivity shows the record again with what was typed and what is missing.
func (p *Pages) refusedActivity(w http.ResponseWriter, r *http.Request, o *record.Object, e *errs.Error) error {
	s, err := p.sheet(r, o, nil)
	if err != nil {
		return err
	}
	body, err := s.page()
	if err != nil {
		return err
	}
	kind := r.PostForm.Get("type")
	for i := range body.Composer {
		c := &body.Composer[i]
		if c.Key != kind {
			continue
		}
		refill(&c.Form, r.PostForm, e)
		body.Composer = append([]ui.ComposerForm{*c}, append(body.Composer[:i:i], body.Composer[i+1:]...)...)
		break
	}
	return p.Page(w, r, http.StatusUnprocessableEntity, Head{Title: s.rec.Title() + " · " + o.Def.LabelPlural, Section: section(o.Def)}, body)
}

func refill(f *ui.Form, typed url.Values, e *errs.Error) {
	placed := false
	for g := range f.Groups {
		for i := range f.Groups[g].Fields {
			field := &f.Groups[g].Fields[i]
			field.Value = typed.Get(field.Name)
			for _, fe := range e.Fields {
				if fe.Field == field.Name {
					field.Error, placed = fe.Message, true
				}
			}
		}
	}
	if !placed {
		f.Errors = []string{e.Message}
	}
}

// completeActivity answers POST /activities/{id}/done.
func (p *Pages) completeActivity(w http.ResponseWriter, r *http.Request) error {
	o, ok := p.k.Object(activityObject)
	if !ok {
		return errNoPage()
	}
	id, err := pathID(r)
	if err != nil {
		return err
	}
	patch := record.Patch{"done_at": p.now().UTC().Truncate(time.Microsecond)}
	res, err := o.One(r.Context(), record.Operation{Kind: record.OpUpdate, ID: id, Patch: patch, Action: "completed"})
	if err != nil {
		return err
	}
	p.Site.SetFlash(w, page.Flash{Text: "Done: " + res.Record.Title(), Seq: res.Seq})
	return page.SeeOther(w, r, page.Back(r, Path(r, "home")))
}
