package messaging_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"crm/internal/messaging"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/mail/smtptest"
	"crm/internal/record"
)

func TestScheduledMessageGoesOutWhenDue(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	c, err := p.people.Create(w.Rep, &person{FirstName: "Ann", LastName: "Lee", Email: "ann@example.com"})
	must(t, err)
	at := time.Now().Add(400 * time.Millisecond)
	m := p.send(t, w.Rep, messaging.Draft{ContactID: &c.ID, Subject: "Hi {{ contact.first_name }}", Body: "<p>Dear {{ contact.name }}</p>", SendAt: &at})
	if m.Status != messaging.Scheduled || m.ToAddress != "ann@example.com" || *m.OwnerID != w.RepID {
		t.Fatalf("made: %+v", m)
	}
	m = p.become(t, w.Rep, m.ID, messaging.Sent)
	must(t, w.sink.Wait(t.Context(), 1))
	e := w.sink.Envelopes()[0]
	if e.Subject != "Hi Ann" || e.MessageID != m.MessageID || e.From != "desk@crm.test" || !strings.Contains(string(e.Raw), "Dear Ann Lee") {
		t.Errorf("on the wire: %+v\n%s", e, e.Raw)
	}
	if e.At.Before(at) || m.SentAt == nil || *m.Attempts != 1 || m.NextAttemptAt != nil {
		t.Errorf("sent at %v, due %v: %+v", e.At, at, m)
	}
	story, err := p.s.Story(w.Rep, m.ID)
	must(t, err)
	if len(story.Attempts) != 1 || story.Attempts[0].Result != "sent" || story.Attempts[0].FinishedAt == nil || story.Attempts[0].Provider != "sink 10" {
		t.Errorf("attempts: %+v", story.Attempts)
	}
	if got := words(story); !slices.Equal(got, []string{"scheduled", "sent"}) {
		t.Errorf("events: %v", got)
	}
	timeline, err := p.k.Timeline(w.Admin, "contact", c.ID, 0, 10)
	must(t, err)
	if len(timeline) != 3 || timeline[0].Type() != "message.sent" {
		t.Errorf("the contact's timeline: %+v", timeline)
	}
}

func words(s *messaging.Story) []string {
	var out []string
	for _, e := range s.Events {
		out = append(out, e.Type)
	}
	return out
}

func TestTextIsFilledInWhenTheMessageIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t)
	acme, err := p.accounts.Create(w.Admin, &company{Name: "Acme <GmbH>"})
	must(t, err)
	c, err := p.people.Create(w.Admin, &person{FirstName: "Ann", Email: "ann@example.com", AccountID: &acme.ID})
	must(t, err)
	lead, err := p.leads.Create(w.Admin, &prospect{FirstName: "Leo", Email: "leo@example.com", Company: "Leo Ltd"})
	must(t, err)
	tpl, err := p.s.Templates.Create(w.Admin, &messaging.Template{
		Name: "Offer", Channel: "email", Subject: "{{ code }} for {{ account.name }}",
		Body: `<p>Hi {{ contact.first_name | default: "there" }} at {{ account.name }}, {{ sender.name }}</p>`,
	})
	must(t, err)
	given := map[string]any{"code": "A-1"}
	tests := []struct {
		name          string
		draft         messaging.Draft
		subject, html string
	}{
		{"contact", messaging.Draft{ContactID: &c.ID}, "A-1 for Acme <GmbH>", "<p>Hi Ann at Acme &lt;GmbH&gt;, tenant_admin</p>"},
		{"lead", messaging.Draft{LeadID: &lead.ID}, "A-1 for Leo Ltd", "<p>Hi Leo at Leo Ltd, tenant_admin</p>"},
		{"address", messaging.Draft{To: "x@example.com"}, "A-1 for", "<p>Hi there at , tenant_admin</p>"},
	}
	for _, tt := range tests {
		tt.draft.TemplateID, tt.draft.Variables = &tpl.ID, given
		m := p.send(t, w.Admin, tt.draft)
		if strings.TrimSpace(m.Subject) != tt.subject || m.BodyHTML != tt.html || m.BodyText == "" || strings.Contains(m.BodyText, "<p>") {
			t.Errorf("%s: %q %q %q", tt.name, m.Subject, m.BodyHTML, m.BodyText)
		}
	}
}

func TestDraftsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t)
	silent, err := p.people.Create(w.Admin, &person{LastName: "Silent"})
	must(t, err)
	foreign, err := p.people.Create(w.Other, &person{LastName: "Foreign", Email: "f@example.com"})
	must(t, err)
	tests := []struct {
		name  string
		draft messaging.Draft
		field string
	}{
		{"nobody", messaging.Draft{Subject: "x", Body: "x"}, "to"},
		{"no address", messaging.Draft{To: "nobody", Subject: "x", Body: "x"}, "to"},
		{"two people", messaging.Draft{ContactID: &silent.ID, LeadID: &silent.ID, Subject: "x", Body: "x"}, "lead_id"},
		{"contact without address", messaging.Draft{ContactID: &silent.ID, Subject: "x", Body: "x"}, "contact_id"},
		{"contact of another tenant", messaging.Draft{ContactID: &foreign.ID, Subject: "x", Body: "x"}, "contact_id"},
		{"template of another tenant", messaging.Draft{To: "a@example.com", TemplateID: &foreign.ID}, "template_id"},
		{"no subject", messaging.Draft{To: "a@example.com", Body: "x"}, "subject"},
		{"no body", messaging.Draft{To: "a@example.com", Subject: "x"}, "body"},
		{"broken text", messaging.Draft{To: "a@example.com", Subject: "x", Body: "{{ oops"}, "body_text"},
		{"variable not given", messaging.Draft{To: "a@example.com", Subject: "{{ code }}", Body: "x"}, "variables"},
		{"misspelt field", messaging.Draft{To: "a@example.com", Subject: "{{ contact.frist_name }}", Body: "x"}, "subject"},
		{"reserved variable", messaging.Draft{To: "a@example.com", Subject: "x", Body: "x", Variables: map[string]any{"contact": 1}}, "variables"},
		{"unknown class", messaging.Draft{To: "a@example.com", Subject: "x", Body: "x", Class: "spam"}, "class"},
		{"unknown channel", messaging.Draft{To: "a@example.com", Subject: "x", Body: "x", Channel: "fax"}, "channel"},
	}
	for _, tt := range tests {
		_, err := p.s.Send(w.Admin, tt.draft)
		e := errs.As(err)
		if e == nil || e.Kind != errs.Invalid || e.Fields[0].Field != tt.field {
			t.Errorf("%s: %v, want a refusal of %s", tt.name, err, tt.field)
		}
	}
	if n := w.count(t, `select count(*) from messages`); n != 0 {
		t.Errorf("%d messages were made", n)
	}
}

func TestTemplatesAreCheckedWhenSaved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t)
	_, err := p.s.Templates.Create(w.Admin, &messaging.Template{Name: "x", Channel: "email", Subject: "{{ contact.first_name", Body: "<p>ok</p>\n<a href={{ x }}>"})
	e := errs.As(err)
	if e == nil || len(e.Fields) != 2 || e.Fields[0].Field != "subject" || e.Fields[1].Field != "body" || !strings.HasPrefix(e.Fields[1].Message, "Line 2") {
		t.Fatalf("refused as %v %+v", err, e)
	}
}

func TestCancelBeforeTheWire(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	at := time.Now().Add(time.Hour)
	d := plain("later@example.com")
	d.SendAt = &at
	m := p.send(t, w.Admin, d)
	for range 2 {
		m, err := p.s.Cancel(w.Admin, m.ID)
		if err != nil || m.Status != messaging.Cancelled || m.NextAttemptAt != nil {
			t.Fatalf("cancel: %+v %v", m, err)
		}
	}
	if err := p.s.Deliver(w.system(), m.ID); err != nil {
		t.Fatal(err)
	}
	sent := p.send(t, w.Admin, plain("now@example.com"))
	p.become(t, w.Admin, sent.ID, messaging.Sent)
	if _, err := p.s.Cancel(w.Admin, sent.ID); errs.KindOf(err) != errs.Conflict {
		t.Errorf("cancel of a sent message: %v", err)
	}
	if w.sink.Count("later@example.com") != 0 {
		t.Error("a cancelled message went out")
	}
}

// TestUndo takes back what has not left, and nothing else.
func TestUndo(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	at := time.Now().Add(time.Hour)
	d := plain("later@example.com")
	d.SendAt = &at
	waiting := p.send(t, w.Admin, d)
	_, err := p.s.Cancel(w.Admin, waiting.ID)
	must(t, err)
	must(t, w.undoLast(t, p, waiting))
	if m := p.become(t, w.Admin, waiting.ID, messaging.Scheduled); m.NextAttemptAt == nil || !m.NextAttemptAt.Equal(*waiting.SendAt) {
		t.Errorf("after the undo of a cancel: %+v", m)
	}
	story, err := p.s.Story(w.Admin, waiting.ID)
	must(t, err)
	_, err = p.k.Undo(w.Admin, story.Events[0].Seq)
	must(t, err)
	if m := p.become(t, w.Admin, waiting.ID, messaging.Cancelled); m.DeletedAt == nil {
		t.Errorf("after the undo of the message: %+v", m)
	}
	gone := p.send(t, w.Admin, plain("now@example.com"))
	p.become(t, w.Admin, gone.ID, messaging.Sent)
	if err := w.undoLast(t, p, gone); errs.KindOf(err) != errs.Conflict {
		t.Errorf("undo of sending: %v", err)
	}
	if _, err := p.s.Messages.One(w.Admin, record.Operation{Kind: record.OpCreate, Patch: record.Patch{"to_address": "x@example.com"}}); errs.KindOf(err) != errs.Conflict {
		t.Errorf("a message made behind the back of Send: %v", err)
	}
}

func (w *world) undoLast(t *testing.T, p *process, m *messaging.Message) error {
	t.Helper()
	story, err := p.s.Story(w.Admin, m.ID)
	must(t, err)
	_, err = p.k.Undo(w.Admin, story.Events[len(story.Events)-1].Seq)
	return err
}

func TestTemporaryRefusalsAreTriedAgain(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	w.sink.Script(smtptest.Rule{At: smtptest.AtRcpt, Times: 2, Code: 451, Enhanced: [3]int{4, 3, 0}, Text: "come back"})
	m := p.send(t, w.Admin, plain("grey@example.com"))
	m = p.become(t, w.Admin, m.ID, messaging.Sent)
	story, err := p.s.Story(w.Admin, m.ID)
	must(t, err)
	if *m.Attempts != 3 || len(story.Attempts) != 3 || story.Attempts[0].Result != "temporary" || story.Attempts[0].Code != 451 || m.LastError != "" {
		t.Errorf("%+v\n%+v", m, story.Attempts)
	}
	if got := words(story); !slices.Equal(got, []string{"queued", "deferred", "deferred", "sent"}) {
		t.Errorf("events: %v", got)
	}
	if w.sink.Count("grey@example.com") != 1 {
		t.Error("not delivered exactly once")
	}
}

func TestGivingUpAndRetry(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	w.sink.Script(smtptest.Rule{At: smtptest.AtRcpt, Times: 4, Code: 451, Text: "no"})
	m := p.send(t, w.Admin, plain("late@example.com"))
	m = p.become(t, w.Admin, m.ID, messaging.Failed)
	if *m.Attempts != 4 || !strings.Contains(m.LastError, "451") {
		t.Errorf("%+v", m)
	}
	_, err := p.s.Retry(w.Admin, m.ID)
	must(t, err)
	m = p.become(t, w.Admin, m.ID, messaging.Sent)
	if *m.Attempts != 5 || w.sink.Count("late@example.com") != 1 {
		t.Errorf("after retry: %+v", m)
	}
	if _, err := p.s.Retry(w.Admin, m.ID); errs.KindOf(err) != errs.Conflict {
		t.Errorf("retry of a sent message: %v", err)
	}
}

func TestHardBounceSuppressesTheAddress(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	w.sink.Script(smtptest.Rule{Rcpt: "gone@example.com", At: smtptest.AtRcpt, Code: 550, Enhanced: [3]int{5, 1, 1}, Text: "no such user"})
	first := p.send(t, w.Admin, plain("Gone@example.com"))
	first = p.become(t, w.Admin, first.ID, messaging.Bounced)
	if !strings.Contains(first.LastError, "no such user") {
		t.Errorf("%+v", first)
	}
	second := p.send(t, w.Admin, plain("gone@example.com"))
	if second.Status != messaging.Suppressed || second.LastError == "" {
		t.Fatalf("the next one: %+v", second)
	}
	list, err := p.s.Suppressions.Find(w.Admin, record.Query{})
	must(t, err)
	if len(list) != 1 || list[0].Reason != messaging.HardBounce || list[0].Address != "gone@example.com" {
		t.Fatalf("suppressions: %+v", list)
	}
	if _, err := p.s.Suppressions.One(w.Admin, record.Operation{Kind: record.OpDelete, ID: list[0].ID}); err != nil {
		t.Fatal(err)
	}
	third := p.send(t, w.Admin, plain("gone@example.com"))
	p.become(t, w.Admin, third.ID, messaging.Bounced)
	if n := w.sink.Stats().Refused; n != 2 {
		t.Errorf("the sink was asked %d times", n)
	}
}

func TestRefusalsThatAreNotTheAddresses(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	w.sink.Script(smtptest.Rule{Rcpt: "spam@example.com", At: smtptest.AtDot, Code: 554, Enhanced: [3]int{5, 7, 1}, Text: "looks like spam"})
	m := p.send(t, w.Admin, plain("spam@example.com"))
	p.become(t, w.Admin, m.ID, messaging.Failed)
	if n := w.count(t, `select count(*) from suppressions`); n != 0 {
		t.Error("a refusal of the content suppressed the address")
	}
}

// TestSuppressionIsCheckedBeforeTheWire adds the address after the message was
// made.
func TestSuppressionIsCheckedBeforeTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t)
	w.smtp(t, p, w.sink, 10)
	m := p.send(t, w.Admin, plain("stop@example.com"))
	_, err := p.s.Suppressions.Create(w.Admin, &messaging.Suppression{Address: "Stop@Example.com", Channel: "email", Reason: messaging.Manual})
	must(t, err)
	p.start(t)
	p.become(t, w.Admin, m.ID, messaging.Suppressed)
	other := p.send(t, w.Admin, plain("go@example.com"))
	p.become(t, w.Admin, other.ID, messaging.Sent)
	if w.sink.Count("stop@example.com") != 0 {
		t.Error("a suppressed address got mail")
	}
	if _, err := p.s.Suppressions.Create(w.Admin, &messaging.Suppression{Address: "stop@example.com", Channel: "email", Reason: messaging.Manual}); errs.KindOf(err) != errs.Conflict {
		t.Errorf("the same address twice: %v", err)
	}
}

func TestDoNotContactHoldsBackMarketing(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	c, err := p.people.Create(w.Admin, &person{LastName: "Private", Email: "private@example.com", DoNotContact: true})
	must(t, err)
	d := messaging.Draft{ContactID: &c.ID, Subject: "x", Body: "x", Class: messaging.Marketing}
	if m := p.send(t, w.Admin, d); m.Status != messaging.Suppressed {
		t.Errorf("marketing: %+v", m)
	}
	d.Class = messaging.Transactional
	m := p.send(t, w.Admin, d)
	p.become(t, w.Admin, m.ID, messaging.Sent)
}

func TestRepsSeeTheirOwnAndOthersSeeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t)
	m := p.send(t, w.Admin, plain("a@example.com"))
	for name, ctx := range map[string]context.Context{"rep": w.Rep, "other tenant": w.Other} {
		if _, err := p.s.Story(ctx, m.ID); errs.KindOf(err) != errs.NotFound {
			t.Errorf("%s reads: %v", name, err)
		}
		if _, err := p.s.Cancel(ctx, m.ID); errs.KindOf(err) != errs.NotFound {
			t.Errorf("%s cancels: %v", name, err)
		}
		if _, err := p.s.Retry(ctx, m.ID); errs.KindOf(err) != errs.NotFound {
			t.Errorf("%s retries: %v", name, err)
		}
	}
	nobody := auth.As(w.Rep, func(a *auth.Actor) { a.Grants = auth.Grants{} })
	if _, err := p.s.Send(nobody, plain("a@example.com")); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("without the right: %v", err)
	}
}
