package mail_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"crm/internal/platform/egress"
	"crm/internal/platform/mail"
	"crm/internal/platform/mail/smtptest"
)

const wire = "From: a@crm.test\r\nTo: b@example.test\r\nMessage-Id: <id-1@crm.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nbody\r\n.dot\r\n"

// settings points at a sink, through the guard as in production.
func settings(t testing.TB, sink *smtptest.Sink, change ...func(*mail.Settings)) mail.Settings {
	t.Helper()
	guard, err := egress.New([]string{"127.0.0.1"})
	if err != nil {
		t.Fatalf("egress: %v", err)
	}
	host, port := sink.HostPort()
	s := mail.Settings{Host: host, Port: port, TLS: mail.TLSNone, Dial: guard.DialContext, MaxConns: 4}
	for _, c := range change {
		c(&s)
	}
	return s
}

func newSender(t testing.TB, s mail.Settings) *mail.Sender {
	t.Helper()
	sender, err := mail.NewSender(s)
	if err != nil {
		t.Fatalf("new sender: %v", err)
	}
	t.Cleanup(func() { sender.Close() })
	return sender
}

// wantClass fails unless err is a SendError of the class, and returns it.
func wantClass(t *testing.T, err error, class mail.Class) *mail.SendError {
	t.Helper()
	var failed *mail.SendError
	if !errors.As(err, &failed) || failed.Class != class {
		t.Fatalf("got %v, want class %s", err, class)
	}
	return failed
}

func TestSendDeliversOneMessage(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sender := newSender(t, settings(t, sink))
	receipt, err := sender.Send(t.Context(), "a@crm.test", "B@Example.TEST", []byte(wire))
	if err != nil || receipt.Code != 250 || receipt.At.IsZero() {
		t.Fatalf("receipt %+v, %v", receipt, err)
	}
	got := sink.Envelopes()
	if len(got) != 1 {
		t.Fatalf("%d messages", len(got))
	}
	e := got[0]
	if e.From != "a@crm.test" || e.Rcpt[0] != "B@example.test" || e.MessageID != "id-1@crm.test" || e.Subject != "Grüße" || string(e.Raw) != wire {
		t.Errorf("envelope %+v\n%q", e, e.Raw)
	}
}

func TestConnectionsAreReusedAndBounded(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sender := newSender(t, settings(t, sink, func(s *mail.Settings) { s.MaxConns = 3 }))
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, err := sender.Send(t.Context(), "a@crm.test", fmt.Sprintf("r%d@example.test", i), []byte(wire)); err != nil {
				t.Errorf("send %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	stats := sink.Stats()
	if stats.Messages != 200 || stats.Recipients != 200 || stats.Duplicates != 0 || stats.Connections > 3 {
		t.Errorf("stats %+v", stats)
	}
	if busy, idle := sender.Stats(); busy != 0 || idle > 3 {
		t.Errorf("busy %d, idle %d", busy, idle)
	}
}

func TestConnectionIsReplacedAfterMaxMessages(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sender := newSender(t, settings(t, sink, func(s *mail.Settings) { s.MaxConns, s.MaxMessages = 1, 10 }))
	for range 25 {
		if _, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire)); err != nil {
			t.Fatalf("send: %v", err)
		}
	}
	if got := sink.Stats(); got.Connections != 3 || got.Messages != 25 {
		t.Errorf("stats %+v", got)
	}
}

func TestRefusedRecipientLeavesTheConnectionUsable(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(
		smtptest.Rule{Rcpt: "gone@*", Code: 550, Enhanced: [3]int{5, 1, 1}, Text: "no such user"},
		smtptest.Rule{Rcpt: "policy@*", Code: 550, Enhanced: [3]int{5, 7, 1}},
		smtptest.Rule{Rcpt: "slow@*", Code: 450, Enhanced: [3]int{4, 7, 1}, Times: 2},
		smtptest.Rule{Rcpt: "full@*", Code: 452, Enhanced: [3]int{4, 2, 2}},
		smtptest.Rule{Rcpt: "late@*", At: smtptest.AtDot, Code: 554, Enhanced: [3]int{5, 6, 0}},
	)
	sender := newSender(t, settings(t, sink, func(s *mail.Settings) { s.MaxConns = 1 }))
	send := func(rcpt string) error {
		_, err := sender.Send(t.Context(), "a@crm.test", rcpt, []byte(wire))
		return err
	}
	failed := wantClass(t, send("gone@example.test"), mail.Permanent)
	if failed.Step != mail.StepRcpt || failed.Code != 550 || failed.Enhanced != "5.1.1" || failed.Text != "no such user" {
		t.Errorf("error %+v", failed)
	}
	wantClass(t, send("policy@example.test"), mail.Block)
	wantClass(t, send("slow@example.test"), mail.RouteBusy)
	wantClass(t, send("slow@example.test"), mail.RouteBusy)
	wantClass(t, send("full@example.test"), mail.Temporary)
	if failed := wantClass(t, send("late@example.test"), mail.Block); failed.Step != mail.StepAnswer {
		t.Errorf("step %s", failed.Step)
	}
	for _, rcpt := range []string{"slow@example.test", "fine@example.test"} {
		if err := send(rcpt); err != nil {
			t.Fatalf("after refusals: %v", err)
		}
	}
	stats := sink.Stats()
	if stats.Messages != 2 || stats.Connections != 1 || stats.Refused != 6 {
		t.Errorf("stats %+v", stats)
	}
}

func TestLostAnswerIsInDoubt(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtDot, Reset: true, Times: 1})
	sender := newSender(t, settings(t, sink))
	_, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire))
	if failed := wantClass(t, err, mail.InDoubt); failed.Step != mail.StepAnswer || failed.Err == nil {
		t.Errorf("error %+v", failed)
	}
	if stats := sink.Stats(); stats.Messages != 1 || stats.Unanswered != 1 {
		t.Errorf("the sink did take it: %+v", stats)
	}
	if _, err := sender.Send(t.Context(), "a@crm.test", "s@example.test", []byte(wire)); err != nil {
		t.Errorf("next message: %v", err)
	}
}

func TestHangingAnswerIsInDoubtAfterTheTimeout(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtDot, Hang: true})
	sender := newSender(t, settings(t, sink, func(s *mail.Settings) { s.AnswerTimeout = 50 * time.Millisecond }))
	_, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire))
	wantClass(t, err, mail.InDoubt)
}

// After the dot a cancelled context still waits for the answer, and gets it when it comes within the grace period.
func TestCancelAfterTheDotStillTakesTheAnswer(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtDot, Hang: true, Times: 1})
	sender := newSender(t, settings(t, sink, func(s *mail.Settings) { s.AnswerGrace = time.Minute }))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := sender.Send(ctx, "a@crm.test", "r@example.test", []byte(wire))
		done <- err
	}()
	if err := sink.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	sink.Release()
	if err := <-done; err != nil {
		t.Errorf("the answer was given up: %v", err)
	}
}

func TestCancelAfterTheDotEndsInDoubtAfterTheGrace(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtDot, Hang: true})
	sender := newSender(t, settings(t, sink, func(s *mail.Settings) { s.AnswerGrace = time.Millisecond }))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := sender.Send(ctx, "a@crm.test", "r@example.test", []byte(wire))
		done <- err
	}()
	if err := sink.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	wantClass(t, <-done, mail.InDoubt)
}

func TestCancelBeforeTheDotIsTemporary(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtRcpt, Hang: true})
	sender := newSender(t, settings(t, sink))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := sender.Send(ctx, "a@crm.test", "r@example.test", []byte(wire))
	if wantClass(t, err, mail.Temporary); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cause is not named: %v", err)
	}
	if sink.Stats().Messages != 0 {
		t.Error("something was accepted")
	}
}

func TestResetBeforeTheBodyIsTemporary(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtRcpt, Reset: true, Times: 2})
	sender := newSender(t, settings(t, sink))
	_, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire))
	wantClass(t, err, mail.Temporary)
}

// The body is far larger than any socket buffer, so the cut is certain to come before its end was written.
func TestResetWithinTheBodyIsTemporary(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtBody, Reset: true})
	sender := newSender(t, settings(t, sink))
	_, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire+strings.Repeat("0123456789abcdef\r\n", 1<<20)))
	if failed := wantClass(t, err, mail.Temporary); failed.Step != mail.StepBody {
		t.Errorf("step %s", failed.Step)
	}
}

// Servers hang up on idle clients. The pool must notice and send on a new connection, once.
func TestDeadPooledConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sender := newSender(t, settings(t, sink, func(s *mail.Settings) { s.MaxConns = 1 }))
	send := func() error {
		_, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire))
		return err
	}
	if err := send(); err != nil {
		t.Fatal(err)
	}
	sink.Script(smtptest.Rule{At: smtptest.AtMail, Reset: true, Times: 1})
	if err := send(); err != nil {
		t.Fatalf("over a dead connection: %v", err)
	}
	sink.Script(smtptest.Rule{At: smtptest.AtMail, Code: 421, Enhanced: [3]int{4, 7, 0}, Times: 1})
	if err := send(); err != nil {
		t.Fatalf("over a connection that had its share: %v", err)
	}
	sink.Script(smtptest.Rule{At: smtptest.AtMail, Code: 421, Enhanced: [3]int{4, 7, 0}, Times: 2})
	wantClass(t, send(), mail.RouteBusy)
	if stats := sink.Stats(); stats.Messages != 3 || stats.Connections != 4 {
		t.Errorf("stats %+v", stats)
	}
}

// With a clock that jumps, every connection has rested too long for trust (health check) or for use (expiry).
func TestRestedConnectionsAreCheckedOrExpired(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	var mu sync.Mutex
	now := time.Unix(1000, 0)
	jump := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	sender := newSender(t, settings(t, sink, func(s *mail.Settings) {
		s.HealthAfter, s.IdleTimeout = time.Minute, time.Hour
		s.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	}))
	for i, want := range []int{1, 1, 2} {
		if _, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire)); err != nil {
			t.Fatal(err)
		}
		if got := sink.Stats().Connections; got != want {
			t.Errorf("after send %d: %d connections, want %d", i, got, want)
		}
		jump([]time.Duration{2 * time.Minute, 2 * time.Hour, 0}[i])
	}
}

func TestTLSModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct {
		server smtptest.TLSMode
		client mail.TLSMode
	}{{smtptest.StartTLS, mail.TLSStart}, {smtptest.Implicit, mail.TLSImplicit}} {
		sink := smtptest.Start(t, smtptest.Options{TLS: mode.server, Users: map[string]string{"u": "p"}})
		trusted := settings(t, sink, func(s *mail.Settings) {
			s.TLS, s.Username, s.Password = mode.client, "u", "p"
			s.TLSConfig = &tls.Config{RootCAs: sink.CertPool()}
		})
		sender := newSender(t, trusted)
		for range 3 {
			if _, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire)); err != nil {
				t.Fatalf("%s: %v", mode.client, err)
			}
		}
		if stats := sink.Stats(); stats.Messages != 3 {
			t.Errorf("%s: %+v", mode.client, stats)
		}
		untrusted := trusted
		untrusted.TLSConfig = nil
		if failed := wantClass(t, newSender(t, untrusted).Test(t.Context()), mail.Config); failed.Step != mail.StepTLS {
			t.Errorf("untrusted certificate: step %s", failed.Step)
		}
	}
}

func TestAuth(t *testing.T) {
	t.Parallel()
	for _, mechanisms := range [][]string{nil, {"PLAIN"}, {"LOGIN"}} {
		sink := smtptest.Start(t, smtptest.Options{Users: map[string]string{"user": "päss"}, Mechanisms: mechanisms})
		good := settings(t, sink, func(s *mail.Settings) { s.Username, s.Password = "user", "päss" })
		if _, err := newSender(t, good).Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire)); err != nil {
			t.Errorf("%v: %v", mechanisms, err)
		}
		bad := good
		bad.Password = "wrong"
		failed := wantClass(t, newSender(t, bad).Test(t.Context()), mail.Config)
		if failed.Step != mail.StepAuth || failed.Code != 535 {
			t.Errorf("%v: %+v", mechanisms, failed)
		}
		anonymous := good
		anonymous.Username = ""
		_, err := newSender(t, anonymous).Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire))
		wantClass(t, err, mail.Config)
	}
}

func TestTestNamesTheFailingStep(t *testing.T) {
	t.Parallel()
	plain := smtptest.Start(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedPort := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	refusing := smtptest.Start(t)
	refusing.Script(smtptest.Rule{At: smtptest.AtMail, Code: 550, Enhanced: [3]int{5, 7, 1}})
	guard, err := egress.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		settings mail.Settings
		step     mail.Step
		class    mail.Class
	}{
		"nobody listens": {settings(t, plain, func(s *mail.Settings) { s.Port = closedPort }), mail.StepConnect, mail.Temporary},
		"forbidden":      {settings(t, plain, func(s *mail.Settings) { s.Dial = guard.DialContext }), mail.StepConnect, mail.Config},
		"no starttls":    {settings(t, plain, func(s *mail.Settings) { s.TLS = mail.TLSStart }), mail.StepStartTLS, mail.Config},
		"not tls":        {settings(t, plain, func(s *mail.Settings) { s.TLS = mail.TLSImplicit }), mail.StepTLS, mail.Config},
		"no auth":        {settings(t, plain, func(s *mail.Settings) { s.Username = "u" }), mail.StepAuth, mail.Config},
		"bad sender":     {settings(t, refusing, func(s *mail.Settings) { s.From = "a@crm.test" }), mail.StepMail, mail.Block},
	}
	for name, c := range cases {
		failed := wantClass(t, newSender(t, c.settings).Test(t.Context()), c.class)
		if failed.Step != c.step {
			t.Errorf("%s: step %s, want %s (%v)", name, failed.Step, c.step, failed)
		}
	}
	if err := newSender(t, settings(t, plain, func(s *mail.Settings) { s.From = "a@crm.test" })).Test(t.Context()); err != nil {
		t.Errorf("good settings: %v", err)
	}
	if plain.Stats().Messages != 0 {
		t.Error("a test must not send")
	}
}

func TestBadAddressesNeverReachTheWire(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sender := newSender(t, settings(t, sink))
	evil := "r@example.test>\r\nRCPT TO:<victim@example.test"
	_, err := sender.Send(t.Context(), "a@crm.test", evil, []byte(wire))
	wantClass(t, err, mail.Permanent)
	_, err = sender.Send(t.Context(), evil, "r@example.test", []byte(wire))
	wantClass(t, err, mail.Config)
	if strings.Contains(err.Error(), "victim") {
		t.Error("the error shows the address")
	}
	if sink.Stats().Connections != 0 {
		t.Error("a connection was made")
	}
}

func TestTooLargeIsBlockedBeforeSending(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t, smtptest.Options{MaxBytes: 1000})
	sender := newSender(t, settings(t, sink))
	_, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(strings.Repeat("x", 2000)))
	wantClass(t, err, mail.Block)
	if _, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire)); err != nil {
		t.Errorf("a small one after it: %v", err)
	}
}

func TestWaitingForAConnectionEndsWithTheContext(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtDot, Hang: true})
	sender := newSender(t, settings(t, sink, func(s *mail.Settings) { s.MaxConns = 1 }))
	first := make(chan error, 1)
	go func() {
		_, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire))
		first <- err
	}()
	if err := sink.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := sender.Send(ctx, "a@crm.test", "r@example.test", []byte(wire))
	if failed := wantClass(t, err, mail.Temporary); failed.Step != mail.StepPool {
		t.Errorf("step %s", failed.Step)
	}
	sink.Release()
	if err := <-first; err != nil {
		t.Errorf("the first message: %v", err)
	}
}

func TestClosedSenderRefuses(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sender := newSender(t, settings(t, sink))
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte(wire))
	wantClass(t, err, mail.Temporary)
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	good := settings(t, smtptest.Start(t))
	for name, spoil := range map[string]func(*mail.Settings){
		"dial":  func(s *mail.Settings) { s.Dial = nil },
		"host":  func(s *mail.Settings) { s.Host = "" },
		"url":   func(s *mail.Settings) { s.Host = "smtp://x" },
		"port":  func(s *mail.Settings) { s.Port = 0 },
		"tls":   func(s *mail.Settings) { s.TLS = "ssl" },
		"hello": func(s *mail.Settings) { s.Hello = "x\r\nMAIL" },
		"from":  func(s *mail.Settings) { s.From = "nobody" },
	} {
		bad := good
		spoil(&bad)
		if _, err := mail.NewSender(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good.Username, good.Password = "user", "s3cret-pass"
	if text := fmt.Sprintf("%v %+v %s %s", good, good, good, good.LogValue()); strings.Contains(text, "s3cret") {
		t.Errorf("the password shows: %s", text)
	}
}
