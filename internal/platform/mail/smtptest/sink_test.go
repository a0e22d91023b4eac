package smtptest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"

	"crm/internal/platform/mail/smtptest"
)

// The client here is the standard library's, so that sink and sender do not only agree with each other.
func send(sink *smtptest.Sink, rcpt ...string) error {
	return smtp.SendMail(sink.Addr(), nil, "a@crm.test", rcpt, []byte("Subject: =?utf-8?q?=C3=BC?=\r\nMessage-ID: <m1@crm.test>\r\n\r\nbody\r\n"))
}

func TestRecordsWhatItAccepts(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	for _, rcpt := range []string{"x@example.test", "X@Example.test", "y@example.test"} {
		if err := send(sink, rcpt); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Wait(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	e := sink.Envelopes()[0]
	if e.From != "a@crm.test" || e.MessageID != "m1@crm.test" || e.Subject != "ü" || !e.Answered || !strings.HasSuffix(string(e.Raw), "\r\n\r\nbody\r\n") {
		t.Errorf("envelope %+v", e)
	}
	stats := sink.Stats()
	if stats.Messages != 3 || stats.Recipients != 2 || stats.Duplicates != 1 || stats.Connections != 3 || sink.Count("x@EXAMPLE.test") != 2 {
		t.Errorf("stats %+v", stats)
	}
	if got := sink.Recipients(); got["y@example.test"] != 1 || len(got) != 2 {
		t.Errorf("recipients %v", got)
	}
	sink.Reset()
	if stats := sink.Stats(); stats.Messages != 0 || len(sink.Envelopes()) != 0 {
		t.Errorf("after reset: %+v", stats)
	}
}

func TestDropRawKeepsTheEnvelope(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t, smtptest.Options{DropRaw: true})
	if err := send(sink, "x@example.test"); err != nil {
		t.Fatal(err)
	}
	if e := sink.Envelopes()[0]; e.Raw != nil || e.Size == 0 || e.MessageID != "m1@crm.test" {
		t.Errorf("envelope %+v", e)
	}
}

// codeOf is the code of a refusal, 0 for success and -1 for any other failure.
func codeOf(err error) int {
	var refused *textproto.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &refused):
		return refused.Code
	}
	return -1
}

func TestRulesActAsOftenAsTold(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{Rcpt: "*@busy.test", Code: 451, Enhanced: [3]int{4, 7, 1}, Text: "later", Times: 2},
		smtptest.Rule{Rcpt: "*@gone.test", Code: 550})
	for i, want := range []int{451, 451, 0} {
		if got := codeOf(send(sink, "x@BUSY.test")); got != want {
			t.Errorf("try %d: code %d, want %d", i, got, want)
		}
	}
	for range 3 {
		if got := codeOf(send(sink, "x@gone.test")); got != 550 {
			t.Errorf("code %d", got)
		}
	}
	if stats := sink.Stats(); stats.Messages != 1 || stats.Refused != 5 {
		t.Errorf("stats %+v", stats)
	}
}

func TestResetAfterTheDotCountsAsAccepted(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtDot, Reset: true, Times: 1})
	if err := send(sink, "x@example.test"); err == nil {
		t.Error("the client got an answer")
	}
	if e := sink.Envelopes(); len(e) != 1 || e[0].Answered || sink.Stats().Unanswered != 1 {
		t.Errorf("envelopes %+v", e)
	}
}

func TestHangEndsWithRelease(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtDot, Hang: true})
	done := make(chan error, 1)
	go func() { done <- send(sink, "x@example.test") }()
	if err := sink.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	sink.Release()
	if err := <-done; err != nil {
		t.Errorf("after release: %v", err)
	}
}

func TestCloseFreesHangingConnections(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	sink.Script(smtptest.Rule{At: smtptest.AtRcpt, Hang: true})
	conn, err := net.Dial("tcp", sink.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "EHLO x\r\nMAIL FROM:<a@crm.test>\r\nRCPT TO:<x@example.test>\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("got %v", err)
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sink.Wait(ctx, 1); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "have 0") {
		t.Errorf("got %v", err)
	}
}
