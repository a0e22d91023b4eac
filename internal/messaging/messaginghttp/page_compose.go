package messaginghttp

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/messaging"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// messageAct is an act of the service on one message.
type messageAct func(ctx context.Context, message uuid.UUID) (*messaging.Message, error)

// compose answers GET /messages/new?contact_id=&lead_id=&template_id=.
func (p *Pages) compose(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := auth.Require(r.Context(), "message", auth.Create); err != nil {
		return err
	}
	c, err := p.composer(r)
	if err != nil {
		return err
	}
	return p.drawComposer(w, r, http.StatusOK, c)
}

func (p *Pages) drawComposer(w http.ResponseWriter, r *http.Request, status int, c *ui.Composer) error {
	return p.pages.Page(w, r, status, recordpage.Head{Title: "New message · Messages", Section: "messages"}, *c)
}

// composer is the empty form, filled with what the address says.
func (p *Pages) composer(r *http.Request) (*ui.Composer, error) {
	templates, err := p.templateOptions(r)
	if err != nil {
		return nil, err
	}
	c := &ui.Composer{Title: "New message", Back: &ui.Link{Label: "Messages", Href: recordpage.Path(r, "messages")}}
	fields := []ui.Field{
		{Name: "template_id", Label: "Template", Kind: ui.FieldSelect, Options: templates, Value: r.FormValue("template_id"), Help: "Leave it empty to write your own text.", Wide: true},
		{Name: "subject", Label: "Subject", Max: 500, Wide: true},
		{Name: "body_text", Label: "Text", Kind: ui.FieldLong, Rows: 10, Wide: true, Help: "May hold places such as {{ contact.first_name }}."},
		{Name: "class", Label: "Kind", Kind: ui.FieldSelect, Value: messaging.Transactional, Options: []ui.Option{
			{Value: messaging.Transactional, Label: "Personal or necessary"}, {Value: messaging.Marketing, Label: "Marketing: with a way to unsubscribe"},
		}},
		{Name: "send_at", Label: "Send at", Kind: ui.FieldDateTime, Help: "Empty means now."},
	}
	to, hidden, err := p.recipientOf(r)
	if err != nil {
		return nil, err
	}
	if c.To = to; to == nil {
		fields = append([]ui.Field{{Name: "to", Label: "To", Kind: ui.FieldEmail, Required: true, Autocomplete: "off", Wide: true, Focus: true}}, fields...)
	}
	c.Form = ui.Form{
		ID: "compose", Action: recordpage.Path(r, "messages"), Submit: "Send", Busy: "Sending…", Hidden: hidden, Groups: []ui.FieldGroup{{Fields: fields}},
		Extra: []ui.Action{{Label: "Preview", Post: recordpage.Path(r, "messages", "preview")}}, Cancel: recordpage.Path(r, "messages"), Draft: "message:" + r.FormValue("contact_id") + r.FormValue("lead_id"),
	}
	return c, nil
}

func (p *Pages) templateOptions(r *http.Request) ([]ui.Option, error) {
	out := []ui.Option{{Value: "", Label: "None"}}
	if auth.From(r.Context()).Grants.Scope("template", auth.Read) == auth.None {
		return out, nil
	}
	list, err := p.s.Templates.Find(r.Context(), record.Query{Limit: record.MaxLimit, Sort: "name", Filter: p.s.Templates.Where("channel", record.Eq, messaging.Email)})
	for _, t := range list {
		out = append(out, ui.Option{Value: t.ID.String(), Label: t.Name})
	}
	return out, err
}

// recipientOf names the contact or lead the address is about; nil for neither.
func (p *Pages) recipientOf(r *http.Request) (*ui.Ref, []ui.Hidden, error) {
	for _, object := range []string{"contact", "lead"} {
		ref, ok := id.Parse(r.FormValue(object + "_id"))
		if !ok {
			continue
		}
		names, err := p.pages.Titles(r.Context(), object, []uuid.UUID{ref})
		if err != nil {
			return nil, nil, err
		}
		if names[ref] == "" {
			return nil, nil, errs.Missing(object)
		}
		return &ui.Ref{Name: names[ref], Href: recordpage.Path(r, object+"s", ref.String())}, []ui.Hidden{{Name: object + "_id", Value: ref.String()}}, nil
	}
	return nil, nil, nil
}

// draftOf reads the composer. A time is in the reader's zone.
func (p *Pages) draftOf(r *http.Request) (messaging.Draft, error) {
	d := messaging.Draft{
		Channel: messaging.Email, Class: r.PostFormValue("class"), To: strings.TrimSpace(r.PostFormValue("to")),
		Subject: strings.TrimSpace(r.PostFormValue("subject")), BodyText: strings.ReplaceAll(r.PostFormValue("body_text"), "\r\n", "\n"),
	}
	for name, dst := range map[string]**uuid.UUID{"contact_id": &d.ContactID, "lead_id": &d.LeadID, "template_id": &d.TemplateID} {
		if ref, ok := id.Parse(r.PostFormValue(name)); ok {
			*dst = &ref
		}
	}
	if s := r.PostFormValue("send_at"); s != "" {
		at, err := time.ParseInLocation("2006-01-02T15:04", s, p.pages.Format(r).Zone)
		if err != nil {
			return d, errs.Field("send_at", "not_a_time", "Choose a day and a time.")
		}
		d.SendAt = &at
	}
	return d, nil
}

func (p *Pages) send(w http.ResponseWriter, r *http.Request) error {
	d, err := p.draftOf(r)
	var m *messaging.Message
	if err == nil {
		m, err = p.s.Send(r.Context(), d)
	}
	if err != nil {
		return p.refusedDraft(w, r, err)
	}
	done := "Message queued."
	switch m.Status {
	case messaging.Scheduled:
		done = "Message scheduled."
	case messaging.Suppressed:
		done = "Not sent: " + m.LastError
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: done, Bad: m.Status == messaging.Suppressed})
	return page.SeeOther(w, r, recordpage.Path(r, "messages", m.ID.String()))
}

// preview shows the finished text beside the form; nothing is kept.
func (p *Pages) preview(w http.ResponseWriter, r *http.Request) error {
	d, err := p.draftOf(r)
	var m *messaging.Message
	if err == nil {
		if _, _, err = auth.Require(r.Context(), "message", auth.Create); err != nil {
			return err
		}
		m, err = p.s.Preview(r.Context(), d)
	}
	if err != nil {
		return p.refusedDraft(w, r, err)
	}
	c, err := p.composer(r)
	if err != nil {
		return err
	}
	keepTyped(r, &c.Form)
	c.Preview = m.Subject + "\n\n" + m.BodyText
	return p.drawComposer(w, r, http.StatusOK, c)
}

func keepTyped(r *http.Request, f *ui.Form) {
	for i := range f.Groups[0].Fields {
		f.Groups[0].Fields[i].Value = r.PostFormValue(f.Groups[0].Fields[i].Name)
	}
}

// refusedDraft shows the form again with what is wrong.
func (p *Pages) refusedDraft(w http.ResponseWriter, r *http.Request, refusal error) error {
	c, err := p.composer(r)
	if err != nil {
		return err
	}
	if err := refill(r, &c.Form, refusal); err != nil {
		return err
	}
	return p.drawComposer(w, r, http.StatusUnprocessableEntity, c)
}
