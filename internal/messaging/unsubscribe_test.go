package messaging_test

import (
	"strings"
	"testing"

	"crm/internal/messaging"
	"crm/internal/platform/errs"
	"crm/internal/platform/mail/smtptest"
	"crm/internal/record"
)

// linkIn finds the token in the List-Unsubscribe header of a message.
func linkIn(t *testing.T, e smtptest.Envelope) string {
	t.Helper()
	raw := strings.ReplaceAll(string(e.Raw), "\r\n ", " ")
	_, rest, ok := strings.Cut(raw, "List-Unsubscribe: <https://crm.test/u/")
	if !ok || !strings.Contains(raw, "List-Unsubscribe-Post: List-Unsubscribe=One-Click") {
		t.Fatalf("no one-click header in\n%s", raw)
	}
	token, _, _ := strings.Cut(rest, ">")
	body := strings.ReplaceAll(string(e.Raw), "=\r\n", "")
	if !strings.Contains(body, "/u/"+token) || strings.Contains(body, "this-recipient") {
		t.Errorf("the visible link is not the header's:\n%s", body)
	}
	return token
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	c, err := p.people.Create(w.Admin, &person{LastName: "Reader", Email: "reader@example.com"})
	must(t, err)
	marketing := messaging.Draft{ContactID: &c.ID, Subject: "News", Body: "<html><body><p>News</p></body></html>", Class: messaging.Marketing}
	m := p.send(t, w.Admin, marketing)
	p.become(t, w.Admin, m.ID, messaging.Sent)
	token := linkIn(t, w.sink.Envelopes()[0])

	ctx := t.Context() // nobody is signed in
	for range 3 {
		sub, err := p.s.Subscription(ctx, token)
		if err != nil || sub.Unsubscribed || sub.Address != "r•••@example.com" || sub.Tenant != "alpha" {
			t.Fatalf("looking at the link: %+v %v", sub, err)
		}
	}
	for range 2 {
		must(t, p.s.Unsubscribe(ctx, token))
	}
	if sub, err := p.s.Subscription(ctx, token); err != nil || !sub.Unsubscribed {
		t.Fatalf("after unsubscribing: %+v %v", sub, err)
	}
	list, err := p.s.Suppressions.Find(w.Admin, record.Query{})
	must(t, err)
	if len(list) != 1 || list[0].Reason != messaging.Unsubscribed {
		t.Fatalf("suppressions: %+v", list)
	}
	if m := p.send(t, w.Admin, marketing); m.Status != messaging.Suppressed {
		t.Errorf("more marketing: %s", m.Status)
	}
	needed := p.send(t, w.Admin, messaging.Draft{ContactID: &c.ID, Subject: "Your invoice", Body: "x"})
	p.become(t, w.Admin, needed.ID, messaging.Sent)
	if strings.Contains(string(w.sink.Envelopes()[1].Raw), "List-Unsubscribe") {
		t.Error("a transactional message offers to unsubscribe")
	}
	timeline, err := p.k.Timeline(w.Admin, "contact", c.ID, 0, 20)
	must(t, err)
	told := false
	for _, e := range timeline {
		told = told || e.Type() == "message.unsubscribed" && e.ActorName == "recipient"
	}
	if !told {
		t.Error("the contact's timeline does not tell of it")
	}
	must(t, p.s.Resubscribe(ctx, token))
	again := p.send(t, w.Admin, marketing)
	p.become(t, w.Admin, again.ID, messaging.Sent)
	for _, wrong := range []string{"", "x", token[:len(token)-1], strings.ToLower(token)} {
		if err := p.s.Unsubscribe(ctx, wrong); errs.KindOf(err) != errs.NotFound {
			t.Errorf("token %q: %v", wrong, err)
		}
	}
}

// TestBounceOutweighsUnsubscription: what only held back marketing must not keep a
// dead address on the list of the living.
func TestBounceOutweighsUnsubscription(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	_, err := p.s.Suppressions.Create(w.Admin, &messaging.Suppression{Address: "x@example.com", Channel: "email", Reason: messaging.Unsubscribed})
	must(t, err)
	w.sink.Script(smtptest.Rule{At: smtptest.AtRcpt, Code: 550, Enhanced: [3]int{5, 1, 1}})
	m := p.send(t, w.Admin, plain("x@example.com"))
	p.become(t, w.Admin, m.ID, messaging.Bounced)
	if m := p.send(t, w.Admin, plain("x@example.com")); m.Status != messaging.Suppressed {
		t.Errorf("after the bounce: %s", m.Status)
	}
}
