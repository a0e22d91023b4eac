package httpsend_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crm/internal/messaging/httpsend"
	"crm/internal/platform/egress"
	"crm/internal/platform/mail"
)

func client(t *testing.T, set httpsend.Settings) *httpsend.Client {
	t.Helper()
	guard, err := egress.New([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := httpsend.New(set, guard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// classOf is the class of an error, "" for none.
func classOf(t *testing.T, err error) (mail.Class, *httpsend.Error) {
	t.Helper()
	if err == nil {
		return "", nil
	}
	var failed *httpsend.Error
	if !errors.As(err, &failed) {
		t.Fatalf("not an *httpsend.Error: %v", err)
	}
	return failed.Class, failed
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status     int
		retryAfter string
		body       string
		want       mail.Class
		pause      time.Duration
	}{
		{200, "", `{"id":"x"}`, "", 0},
		{204, "", "", "", 0},
		{302, "", "", mail.Config, 0},
		{400, "", "", mail.Block, 0},
		{400, "", `{"code":"invalid_recipient"}`, mail.Permanent, 0},
		{401, "", "", mail.Config, 0},
		{403, "", "", mail.Config, 0},
		{404, "", "", mail.Config, 0},
		{408, "", "", mail.Temporary, 0},
		{409, "", "", mail.Temporary, 0},
		{413, "", "", mail.Block, 0},
		{422, "", `{"code":"invalid_recipient"}`, mail.Permanent, 0},
		{422, "", `{"code":"other"}`, mail.Block, 0},
		{429, "", "", mail.RouteBusy, 0},
		{429, "30", "", mail.RouteBusy, 30 * time.Second},
		{429, "0", "", mail.RouteBusy, time.Second},
		{429, "999999999", "", mail.RouteBusy, time.Hour},
		{429, "Sat, 21 Nov 2026 09:00:00 GMT", "", mail.RouteBusy, time.Minute},
		{500, "", "", mail.Temporary, 0},
		{503, "", "", mail.Temporary, 0},
		{503, "5", "", mail.RouteBusy, 5 * time.Second},
	}
	for _, tt := range tests {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Api-Key") != "canary" || r.Header.Get("Authorization") != "" || r.Header.Get("Idempotency-Key") != "k" {
				t.Errorf("headers: %v", r.Header)
			}
			if tt.retryAfter != "" {
				w.Header().Set("Retry-After", tt.retryAfter)
			}
			if tt.status == 302 {
				w.Header().Set("Location", "http://127.0.0.1:1/")
			}
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		}))
		c := client(t, httpsend.Settings{URL: srv.URL, Header: "X-Api-Key", Secret: "canary", Idempotent: true})
		_, err := c.Send(t.Context(), httpsend.Message{ID: "1", To: "a@example.com"}, "k")
		class, failed := classOf(t, err)
		if class != tt.want || (failed != nil && failed.RetryAfter != tt.pause) {
			t.Errorf("%d %q %q: %q %+v", tt.status, tt.retryAfter, tt.body, class, failed)
		}
		srv.Close()
	}
}

// TestLostAnswers: what was cut off is repeated only where that is harmless.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}))
	defer cut.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String() + "/?token=canary"
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		url        string
		idempotent bool
		want       mail.Class
		step       mail.Step
	}{
		{cut.URL, true, mail.Temporary, mail.StepAnswer},
		{cut.URL, false, mail.InDoubt, mail.StepAnswer},
		{nobody, true, mail.Temporary, mail.StepConnect},
		{nobody, false, mail.Temporary, mail.StepConnect},
	} {
		_, err := client(t, httpsend.Settings{URL: tt.url, Idempotent: tt.idempotent}).Send(t.Context(), httpsend.Message{ID: "1"}, "k")
		class, failed := classOf(t, err)
		if class != tt.want || failed.Step != tt.step || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s idempotent=%v: %q at %q: %v", tt.url, tt.idempotent, class, failed.Step, err)
		}
	}
}

func TestTheGuardIsNotRetried(t *testing.T) {
	t.Parallel()
	guard, err := egress.New([]string{"internal.test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := httpsend.New(httpsend.Settings{URL: "http://127.0.0.1/"}, guard); err == nil {
		t.Error("an address of this machine is accepted")
	}
	c, err := httpsend.New(httpsend.Settings{URL: "http://localhost/"}, guard)
	if err != nil {
		t.Fatal(err)
	}
	if class, _ := classOf(t, c.Test(t.Context())); class != mail.Config {
		t.Errorf("a refused target: %q", class)
	}
}
