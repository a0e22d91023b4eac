package messaging_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"crm/internal/messaging"
	"crm/internal/platform/errs"
	"crm/internal/platform/mail/smtptest"
)

func TestWithoutProviderMessagesWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t).start(t)
	m := p.send(t, w.Admin, plain("wait@example.com"))
	wait(t, func() bool {
		var err error
		m, err = p.s.Messages.Get(w.Admin, m.ID)
		must(t, err)
		return m.LastError != ""
	}, func() string { return "nothing is said about the missing provider" })
	if m.Status != messaging.Queued || m.LastError != "No provider for email. Add one in Settings → Providers." {
		t.Errorf("%+v", m)
	}
	w.smtp(t, p, w.sink, 10)
	p.become(t, w.Admin, m.ID, messaging.Sent)
}

// TestNextProvider: a route that is down is passed over; a refusal is not.
func TestNextProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, closed.Close())
	down := closed.Addr().(*net.TCPAddr)
	_, err = p.s.CreateProvider(w.Admin, messaging.ProviderInput{
		Name: new("down"), Type: new("smtp"), Priority: new(1),
		Settings: map[string]any{"host": "127.0.0.1", "port": down.Port, "tls": "none", "from": "a@crm.test"},
	})
	must(t, err)
	w.smtp(t, p, w.sink, 2)
	third := smtptest.Start(t)
	w.smtp(t, p, third, 3)
	p.start(t)
	m := p.send(t, w.Admin, plain("over@example.com"))
	m = p.become(t, w.Admin, m.ID, messaging.Sent)
	story, err := p.s.Story(w.Admin, m.ID)
	must(t, err)
	if len(story.Attempts) != 2 || story.Attempts[0].Result != "temporary" || story.Attempts[0].Step != "connect" || story.Attempts[1].Provider != "sink 2" {
		t.Errorf("attempts: %+v", story.Attempts)
	}
	w.sink.Script(smtptest.Rule{Rcpt: "bad@example.com", At: smtptest.AtRcpt, Code: 550, Enhanced: [3]int{5, 1, 1}}, smtptest.Rule{Rcpt: "doubt@example.com", At: smtptest.AtDot, Reset: true})
	bad, doubt := p.send(t, w.Admin, plain("bad@example.com")), p.send(t, w.Admin, plain("doubt@example.com"))
	p.become(t, w.Admin, bad.ID, messaging.Bounced)
	p.become(t, w.Admin, doubt.ID, messaging.InDoubt)
	if n := third.Stats().Messages; n != 0 {
		t.Errorf("the third provider got %d messages after a refusal and a doubt", n)
	}
}

// TestWrongPasswordTakesTheProviderOut: the first message says why, the others
// wait, and new settings let them go.
func TestWrongPasswordTakesTheProviderOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, smtptest.Options{Users: map[string]string{"crm": "right"}})
	p := w.build(t).start(t)
	host, port := w.sink.HostPort()
	prov, err := p.s.CreateProvider(w.Admin, messaging.ProviderInput{
		Name: new("signed in"), Type: new("smtp"),
		Settings: map[string]any{"host": host, "port": port, "tls": "none", "username": "crm", "password": "wrong", "from": "a@crm.test"},
	})
	must(t, err)
	check, err := p.s.TestProvider(w.Admin, prov.ID)
	must(t, err)
	if check.OK || check.Step != "auth" || check.Message == "" {
		t.Errorf("test: %+v", check)
	}
	first := p.send(t, w.Admin, plain("first@example.com"))
	first = p.become(t, w.Admin, first.ID, messaging.Failed)
	if !strings.Contains(first.LastError, "auth") || strings.Contains(first.LastError, "wrong") {
		t.Errorf("last error: %q", first.LastError)
	}
	second := p.send(t, w.Admin, plain("second@example.com"))
	wait(t, func() bool {
		second, err = p.s.Messages.Get(w.Admin, second.ID)
		must(t, err)
		return strings.HasPrefix(second.LastError, "No provider for email works")
	}, func() string { return second.LastError })
	if got, err := p.s.Provider(w.Admin, prov.ID); err != nil || got.State != messaging.Unhealthy || got.LastError == "" {
		t.Errorf("provider: %+v %v", got, err)
	}
	got, err := p.s.UpdateProvider(w.Admin, prov.ID, nil, messaging.ProviderInput{Settings: map[string]any{"password": "right"}})
	if err != nil || got.State != messaging.Active {
		t.Fatalf("update: %+v %v", got, err)
	}
	p.become(t, w.Admin, second.ID, messaging.Sent)
	if check, err := p.s.TestProvider(w.Admin, prov.ID); err != nil || !check.OK {
		t.Errorf("test with the right password: %+v %v", check, err)
	}
}

func TestProviderSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t)
	smtp := map[string]any{"host": "smtp.example.com", "from": "a@crm.test"}
	with := func(key string, v any) map[string]any {
		out := map[string]any{key: v}
		for k, v := range smtp {
			if k != key {
				out[k] = v
			}
		}
		return out
	}
	tests := []struct {
		name     string
		in       messaging.ProviderInput
		badField string
	}{
		{"good", messaging.ProviderInput{Name: new("x"), Type: new("smtp"), Settings: smtp}, ""},
		{"no name", messaging.ProviderInput{Type: new("smtp"), Settings: smtp}, "name"},
		{"unknown type", messaging.ProviderInput{Name: new("x"), Type: new("pigeon"), Settings: smtp}, "type"},
		{"smtp for sms", messaging.ProviderInput{Name: new("x"), Type: new("smtp"), Channel: new("sms"), Settings: smtp}, "channel"},
		{"unknown setting", messaging.ProviderInput{Name: new("x"), Type: new("smtp"), Settings: with("hosst", "x")}, "settings.hosst"},
		{"wrong port", messaging.ProviderInput{Name: new("x"), Type: new("smtp"), Settings: with("port", 70000.0)}, "settings.port"},
		{"wrong tls", messaging.ProviderInput{Name: new("x"), Type: new("smtp"), Settings: with("tls", "ssl")}, "settings.tls"},
		{"no host", messaging.ProviderInput{Name: new("x"), Type: new("smtp"), Settings: with("host", nil)}, "settings.host"},
		{"no sender", messaging.ProviderInput{Name: new("x"), Type: new("smtp"), Settings: with("from", "nobody")}, "settings.from"},
		{"no url", messaging.ProviderInput{Name: new("x"), Type: new("http")}, "settings.url"},
		{"inner address", messaging.ProviderInput{Name: new("x"), Type: new("http"), Settings: map[string]any{"url": "http://169.254.169.254/"}}, "settings.url"},
		{"bad header", messaging.ProviderInput{Name: new("x"), Type: new("http"), Settings: map[string]any{"url": "https://example.com/", "header": "a b"}}, "settings.header"},
	}
	for _, tt := range tests {
		_, err := p.s.CreateProvider(w.Admin, tt.in)
		field := ""
		if e := errs.As(err); e != nil && len(e.Fields) > 0 {
			field = e.Fields[0].Field
		}
		if field != tt.badField {
			t.Errorf("%s: %v, want a refusal of %q", tt.name, err, tt.badField)
		}
	}
}

// TestSecretsStayWhereTheyAre: they are kept by a change of something else, not
// sent to another server, and belong to their row and tenant.
func TestSecretsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t)
	made, err := p.s.CreateProvider(w.Admin, messaging.ProviderInput{
		Name: new("x"), Type: new("smtp"),
		Settings: map[string]any{"host": "smtp.example.com", "username": "u", "password": "canary-4711", "from": "a@crm.test"},
	})
	must(t, err)
	if len(made.SecretsSet) != 1 || made.SecretsSet[0] != "password" || made.Settings["password"] != nil {
		t.Errorf("%+v", made)
	}
	got, err := p.s.UpdateProvider(w.Admin, made.ID, nil, messaging.ProviderInput{Priority: new(3)})
	if err != nil || len(got.SecretsSet) != 1 || got.Priority != 3 || got.Version != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	stale := int64(1)
	if _, err := p.s.UpdateProvider(w.Admin, made.ID, &stale, messaging.ProviderInput{Priority: new(4)}); errs.KindOf(err) != errs.Stale {
		t.Errorf("a stale version: %v", err)
	}
	_, err = p.s.UpdateProvider(w.Admin, made.ID, nil, messaging.ProviderInput{Settings: map[string]any{"host": "smtp.evil.example"}})
	if e := errs.As(err); e == nil || e.Fields[0].Field != "settings.password" {
		t.Errorf("a new host with the old password: %v", err)
	}
	got, err = p.s.UpdateProvider(w.Admin, made.ID, nil, messaging.ProviderInput{Settings: map[string]any{"password": nil}})
	if err != nil || len(got.SecretsSet) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	for name, err := range map[string]error{
		"read": func() error { _, err := p.s.Provider(w.Other, made.ID); return err }(),
		"change": func() error {
			_, err := p.s.UpdateProvider(w.Other, made.ID, nil, messaging.ProviderInput{})
			return err
		}(),
		"test":   func() error { _, err := p.s.TestProvider(w.Other, made.ID); return err }(),
		"delete": p.s.DeleteProvider(w.Other, made.ID),
	} {
		if errs.KindOf(err) != errs.NotFound {
			t.Errorf("another tenant may %s: %v", name, err)
		}
	}
	must(t, p.s.DeleteProvider(w.Admin, made.ID))
	if _, err := p.s.Provider(w.Admin, made.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("after deleting: %v", err)
	}
	if n := w.count(t, `select count(*) from providers where sealed is not null`); n != 0 {
		t.Error("a deleted provider keeps its secrets")
	}
}

// endpoint is an HTTP provider that takes each key once.
type endpoint struct {
	*httptest.Server
	mu      sync.Mutex
	calls   int
	effects map[string]map[string]any // by key
	secrets []string
	answer  []int // statuses of the next calls
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{effects: map[string]map[string]any{}}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	raw, _ := io.ReadAll(r.Body)
	var body map[string]any
	_ = json.Unmarshal(raw, &body)
	e.calls++
	e.secrets = append(e.secrets, r.Header.Get("Authorization"))
	if len(e.answer) > 0 {
		status := e.answer[0]
		e.answer = e.answer[1:]
		if status >= 400 {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"code":"invalid_recipient"}`))
			return
		}
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return
	}
	if old, ok := e.effects[key]; ok && old["text"] != body["text"] {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	e.effects[key] = body
	_, _ = w.Write([]byte(`{"id":"ext-1"}`))
}

func (e *endpoint) saw() (calls, effects int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls, len(e.effects)
}

func (w *world) http(t *testing.T, p *process, e *endpoint) *messaging.Provider {
	t.Helper()
	out, err := p.s.CreateProvider(w.Admin, messaging.ProviderInput{Name: new("endpoint"), Type: new("http"), Settings: map[string]any{"url": e.URL, "secret": "canary-0815"}})
	must(t, err)
	return out
}

// TestHTTPProviderIsAskedAgainWithTheSameKey: a crash on either side of the wire
// has one effect, without anybody's help.
func TestHTTPProviderIsAskedAgainWithTheSameKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := newEndpoint(t)
	dead := w.build(t)
	w.http(t, dead, e)
	d := plain("h@example.com")
	d.Class = messaging.Marketing
	m, other := dead.send(t, w.Admin, d), dead.send(t, w.Admin, plain("i@example.com"))
	_, err := dead.s.DieAfterWire(w.system(), m.ID)
	must(t, err)
	_, err = dead.s.DieAfterClaim(w.system(), other.ID)
	must(t, err)
	fresh := w.build(t).start(t)
	m = fresh.become(t, w.Admin, m.ID, messaging.Sent)
	fresh.become(t, w.Admin, other.ID, messaging.Sent)
	if calls, effects := e.saw(); calls != 3 || effects != 2 {
		t.Errorf("%d calls, %d effects", calls, effects)
	}
	story, err := fresh.s.Story(w.Admin, m.ID)
	must(t, err)
	if len(story.Attempts) != 2 || story.Attempts[0].Result != "interrupted" || story.Attempts[1].Detail != "ext-1" {
		t.Errorf("attempts: %+v", story.Attempts)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if body := e.effects[m.ID.String()]; body["to"] != "h@example.com" || body["headers"] == nil || e.secrets[0] != "Bearer canary-0815" {
		t.Errorf("the endpoint got %v %v", body, e.secrets)
	}
}

func TestHTTPAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t).start(t)
	e := newEndpoint(t)
	prov := w.http(t, p, e)
	script := func(status ...int) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.answer = status
	}
	script(500, 503, 429, 200)
	m := p.send(t, w.Admin, plain("a@example.com"))
	m = p.become(t, w.Admin, m.ID, messaging.Sent)
	if *m.Attempts != 4 {
		t.Errorf("attempts: %d", *m.Attempts)
	}
	script(422)
	bad := p.send(t, w.Admin, plain("b@example.com"))
	p.become(t, w.Admin, bad.ID, messaging.Bounced)
	script(403)
	if check, err := p.s.TestProvider(w.Admin, prov.ID); err != nil || check.OK || check.Step != "auth" {
		t.Errorf("test: %+v %v", check, err)
	}
	script(418)
	refused := p.send(t, w.Admin, plain("c@example.com"))
	p.become(t, w.Admin, refused.ID, messaging.Failed)
	script(403)
	refused = p.send(t, w.Admin, plain("c@example.com"))
	p.become(t, w.Admin, refused.ID, messaging.Failed)
	if got, err := p.s.Provider(w.Admin, prov.ID); err != nil || got.State != messaging.Unhealthy {
		t.Errorf("provider: %+v %v", got, err)
	}
	if check, err := p.s.TestProvider(w.Admin, prov.ID); err != nil || !check.OK {
		t.Errorf("test: %+v %v", check, err)
	}
	_, err := p.s.Retry(w.Admin, refused.ID)
	must(t, err)
	p.become(t, w.Admin, refused.ID, messaging.Sent)
}

func TestTextMessagesTakeTheHTTPWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t).start(t)
	e := newEndpoint(t)
	_, err := p.s.CreateProvider(w.Admin, messaging.ProviderInput{Name: new("sms"), Type: new("http"), Channel: new("sms"), Settings: map[string]any{"url": e.URL}})
	must(t, err)
	c, err := p.people.Create(w.Admin, &person{LastName: "Phone", Phone: "+49301234567"})
	must(t, err)
	m := p.send(t, w.Admin, messaging.Draft{Channel: "sms", ContactID: &c.ID, Body: "Hi {{ contact.last_name }}"})
	m = p.become(t, w.Admin, m.ID, messaging.Sent)
	e.mu.Lock()
	defer e.mu.Unlock()
	if body := e.effects[m.ID.String()]; body["to"] != "+49301234567" || body["text"] != "Hi Phone" || body["channel"] != "sms" {
		t.Errorf("the endpoint got %v", body)
	}
}

// TestNoSecretIsWrittenAnywhere looks for the canaries in everything a reader of
// the database, the journal or the queue could see.
func TestNoSecretIsWrittenAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, smtptest.Options{Users: map[string]string{"crm": "canary-4711"}})
	p := w.build(t).start(t)
	e := newEndpoint(t)
	w.http(t, p, e)
	host, port := w.sink.HostPort()
	_, err := p.s.CreateProvider(w.Admin, messaging.ProviderInput{
		Name: new("smtp"), Type: new("smtp"), Priority: new(1),
		Settings: map[string]any{"host": host, "port": port, "tls": "none", "username": "crm", "password": "canary-4711", "from": "a@crm.test"},
	})
	must(t, err)
	d := plain("x@example.com")
	d.Class = messaging.Marketing
	m := p.send(t, w.Admin, d)
	p.become(t, w.Admin, m.ID, messaging.Sent)
	token := linkIn(t, w.sink.Envelopes()[0])
	for _, table := range []string{"journal", "providers", "messages", "message_attempts", "unsubscribe_tokens", "search_documents", "river.river_job"} {
		for _, canary := range []string{"canary-", token} {
			if n := w.count(t, `select count(*) from `+table+` x where x::text like '%' || $1 || '%' or encode(convert_to(x::text, 'utf8'), 'escape') like '%' || $1 || '%'`, canary); n != 0 {
				t.Errorf("%s holds a secret (%s)", table, canary)
			}
		}
	}
}

func TestBusyProvidersDoNotUseUpAttempts(t *testing.T) {
	t.Parallel()
	w, p := running(t)
	w.sink.Script(smtptest.Rule{At: smtptest.AtMail, Times: 6, Code: 421, Enhanced: [3]int{4, 7, 0}, Text: "slow down"})
	m := p.send(t, w.Admin, plain("busy@example.com"))
	m = p.become(t, w.Admin, m.ID, messaging.Sent)
	if *m.Attempts != 7 {
		t.Errorf("attempts: %d, of which %d count", *m.Attempts, quick.MaxAttempts)
	}
	w.sink.Script(smtptest.Rule{At: smtptest.AtMail, Code: 421, Enhanced: [3]int{4, 7, 0}, Text: "slow down"})
	old := w.build(t, func(d *messaging.Deps) { d.Policy.GiveUpAfter = 50 * time.Millisecond })
	m = old.send(t, w.Admin, plain("busy@example.com"))
	wait(t, func() bool {
		must(t, old.s.Deliver(w.system(), m.ID))
		m, err := old.s.Messages.Get(w.Admin, m.ID)
		must(t, err)
		return m.Status == messaging.Failed
	}, func() string { return "a busy provider is tried for ever" })
}
