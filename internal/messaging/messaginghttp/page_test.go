package messaginghttp_test

import (
	"net/url"
	"strings"
	"testing"

	"crm/internal/messaging"
	"crm/internal/platform/mail/smtptest"
)

func (w *site) shows(t *testing.T, actor, path string, texts ...string) string {
	t.Helper()
	resp, doc := w.form(t, actor, path, nil)
	if resp.StatusCode != 200 {
		t.Fatalf("GET %s: %d %s", path, resp.StatusCode, doc)
	}
	for _, s := range texts {
		if !strings.Contains(doc, s) {
			t.Errorf("GET %s does not show %q", path, s)
		}
	}
	return doc
}

func TestComposePages(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	c, err := w.people.Create(w.Rep, &person{FirstName: "Ann", LastName: "Lee", Email: "ann@example.com"})
	must(t, err)
	w.shows(t, "rep", "/alpha/contacts/"+c.ID.String(), "/alpha/messages/new?contact_id="+c.ID.String())
	w.shows(t, "rep", "/alpha/messages/new?contact_id="+c.ID.String(), "Ann Lee", `name="contact_id"`, `name="subject"`)
	w.shows(t, "rep", "/alpha/messages/new", `name="to"`)
	typed := url.Values{"contact_id": {c.ID.String()}, "subject": {"Hi {{ contact.first_name }}"}, "body_text": {"Dear {{ contact.last_name }}"}, "class": {"transactional"}}
	resp, doc := w.form(t, "rep", "/alpha/messages/preview", typed)
	if resp.StatusCode != 200 || !strings.Contains(doc, "Dear Lee") || !strings.Contains(doc, "{{ contact.last_name }}") {
		t.Errorf("preview: %d", resp.StatusCode)
	}
	resp, doc = w.form(t, "rep", "/alpha/messages", url.Values{"contact_id": {c.ID.String()}, "subject": {""}, "body_text": {"kept text"}})
	if resp.StatusCode != 422 || !strings.Contains(doc, "An e-mail needs a subject.") || !strings.Contains(doc, "kept text") {
		t.Errorf("refused: %d", resp.StatusCode)
	}
	resp, _ = w.form(t, "rep", "/alpha/messages", typed)
	if resp.StatusCode != 303 {
		t.Fatalf("send: %d", resp.StatusCode)
	}
	path := resp.Header.Get("Location")
	w.become(t, path[strings.LastIndexByte(path, '/')+1:], "queued")
	w.shows(t, "rep", path, "Hi Ann", "Dear Lee", "Ann Lee", "Cancel")
	if resp, _ := w.form(t, "other", strings.Replace(path, "alpha", "beta", 1), nil); resp.StatusCode != 404 {
		t.Errorf("another tenant: %d", resp.StatusCode)
	}
	w.provider(t)
	w.become(t, path[strings.LastIndexByte(path, '/')+1:], "sent")
	w.shows(t, "rep", path, "Taken over", "Desk")
	if resp, _ := w.form(t, "rep", path+"/cancel", url.Values{}); resp.StatusCode != 409 {
		t.Errorf("cancel of a sent message: %d", resp.StatusCode)
	}
	w.shows(t, "rep", "/alpha/messages", "Hi Ann")
}

func TestMessageInDoubtOnItsPage(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	w.provider(t)
	w.sink.Script(smtptest.Rule{At: smtptest.AtDot, Times: 1, Hang: true})
	m, err := w.s.Send(w.Admin, messaging.Draft{To: "a@example.com", Subject: "Offer", Body: "x"})
	must(t, err)
	w.become(t, m.ID.String(), "in_doubt")
	path := "/alpha/messages/" + m.ID.String()
	w.shows(t, "admin", path, "may or may not have arrived", "Resend", "gets it twice")
	if resp, _ := w.form(t, "admin", path+"/retry", url.Values{}); resp.StatusCode != 303 {
		t.Errorf("resend: %d", resp.StatusCode)
	}
	w.become(t, m.ID.String(), "sent")
}

func TestProviderPages(t *testing.T) {
	t.Parallel()
	w := newSite(t, smtptest.Options{Users: map[string]string{"u": "canary-1"}})
	host, port := w.sink.HostPort()
	w.shows(t, "admin", "/alpha/settings/providers", "No provider yet", "Add an SMTP server", "Add an HTTP endpoint")
	form := url.Values{"type": {"smtp"}, "name": {"Desk"}, "priority": {"3"}, "host": {host}, "port": {text(port)}, "tls": {"none"}, "username": {"u"}, "password": {"canary-0"}, "from": {"nobody"}}
	resp, doc := w.form(t, "admin", "/alpha/settings/providers", form)
	if resp.StatusCode != 422 || !strings.Contains(doc, "Enter the sender") || strings.Contains(doc, "canary") {
		t.Errorf("refused: %d", resp.StatusCode)
	}
	form.Set("from", "desk@crm.test")
	resp, _ = w.form(t, "admin", "/alpha/settings/providers", form)
	path := resp.Header.Get("Location")
	if resp.StatusCode != 303 || path == "" {
		t.Fatalf("add: %d", resp.StatusCode)
	}
	doc = w.shows(t, "admin", path, "Desk", host, "Leave it empty to keep it.", "Remove provider")
	if strings.Contains(doc, "canary") {
		t.Error("the page shows the password")
	}
	if resp, _ := w.form(t, "admin", path+"/test", url.Values{}); resp.StatusCode != 303 {
		t.Errorf("test: %d", resp.StatusCode)
	}
	w.shows(t, "admin", path, "auth")
	form = url.Values{"version": {"1"}, "name": {"Desk"}, "priority": {"3"}, "host": {host}, "port": {text(port)}, "tls": {"none"}, "username": {"u"}, "password": {"canary-1"}, "from": {"desk@crm.test"}, "state": {"active"}}
	if resp, doc := w.form(t, "admin", path, form); resp.StatusCode != 303 {
		t.Errorf("save: %d %s", resp.StatusCode, doc)
	}
	form.Set("version", "2")
	form.Set("host", "smtp.elsewhere.example")
	form.Set("password", "")
	if resp, doc := w.form(t, "admin", path, form); resp.StatusCode != 422 || !strings.Contains(doc, "Enter the password again") {
		t.Errorf("a new server with the old password: %d", resp.StatusCode)
	}
	if resp, _ := w.form(t, "rep", path+"/delete", url.Values{}); resp.StatusCode != 403 {
		t.Errorf("a rep removes it: %d", resp.StatusCode)
	}
	if resp, _ := w.form(t, "admin", path+"/delete", url.Values{}); resp.StatusCode != 303 {
		t.Errorf("delete: %d", resp.StatusCode)
	}
}

// TestUnsubscribePage: looking at the link changes nothing, in whichever way;
// posting does, once by a mail program and once by a person.
func TestUnsubscribePage(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	w.provider(t)
	m, err := w.s.Send(w.Admin, messaging.Draft{To: "reader@example.com", Subject: "News", Body: "News", Class: messaging.Marketing})
	must(t, err)
	w.become(t, m.ID.String(), "sent")
	_, rest, _ := strings.Cut(string(w.sink.Envelopes()[0].Raw), "<https://crm.test/u/")
	token, _, _ := strings.Cut(rest, ">")
	path := "/u/" + token
	suppressed := func() int {
		n := 0
		must(t, w.SQL.Owner.QueryRow(t.Context(), `select count(*) from suppressions where deleted_at is null`).Scan(&n))
		return n
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "GET"} {
		w.do(t, "", method, path, "", "")
	}
	doc := w.shows(t, "", path, "r•••@example.com", "alpha")
	if suppressed() != 0 || strings.Contains(doc, "reader@") {
		t.Fatal("looking at the link had an effect, or shows the address")
	}
	oneClick := url.Values{"List-Unsubscribe": {"One-Click"}}
	for range 2 {
		if resp, _ := w.form(t, "", path, oneClick); resp.StatusCode != 200 {
			t.Errorf("one click: %d", resp.StatusCode)
		}
	}
	if suppressed() != 1 {
		t.Errorf("%d suppressions", suppressed())
	}
	if resp, _ := w.form(t, "", path+"/undo", url.Values{}); resp.StatusCode != 303 || suppressed() != 0 {
		t.Errorf("undo: %d, %d suppressions", resp.StatusCode, suppressed())
	}
	if resp, _ := w.form(t, "", path, url.Values{}); resp.StatusCode != 303 || suppressed() != 1 {
		t.Errorf("by the button: %d, %d suppressions", resp.StatusCode, suppressed())
	}
	for _, method := range []url.Values{nil, oneClick} {
		if resp, doc := w.form(t, "", "/u/nonsense", method); resp.StatusCode != 404 || !strings.Contains(doc, "does not work any more") {
			t.Errorf("a made-up link: %d", resp.StatusCode)
		}
	}
}
