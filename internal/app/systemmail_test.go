package app_test

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"crm/internal/app/apptest"
	"crm/internal/identity"
	"crm/internal/platform/mail/smtptest"
)

var linkInMail = regexp.MustCompile(`/(?:join|reset)/[A-Za-z0-9]+`)

// TestLinksAreMailedWhenAServerIsSet: invitations and resets go by mail, one asks for a
// reset whether or not somebody has the address, and no answer holds the link.
func TestLinksAreMailedWhenAServerIsSet(t *testing.T) {
	t.Parallel()
	sink := smtptest.Start(t, smtptest.Options{})
	env := apptest.New(t, "CRM_SMTP_URL=smtp://"+sink.Addr()+"?from=crm@gamma.test&tls=none")
	if err := env.App.Jobs.Start(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = env.App.Jobs.Stop(context.WithoutCancel(t.Context())) })
	tn := env.Tenant(t, "gamma")
	mail := func(n int) string {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
			if got := sink.Envelopes(); len(got) >= n {
				return string(got[n-1].Raw)
			}
		}
		t.Fatalf("mail %d never came", n)
		return ""
	}
	made := tn.Call(t, "POST", "/users/invite", map[string]any{"email": "nora@gamma.test", "name": "Nora", "role": "sales_rep"})
	if made.Status != 201 || made.JSON["mailed"] != true || made.JSON["url"] != "" {
		t.Fatalf("%d %s", made.Status, made.Raw)
	}
	raw := mail(1)
	if !strings.Contains(raw, "To: <nora@gamma.test>") || !strings.Contains(raw, "Auto-Submitted: auto-generated") {
		t.Errorf("the mail is %s", raw)
	}
	join := linkInMail.FindString(raw)
	session, err := env.App.Identity.AcceptInvite(t.Context(), strings.TrimPrefix(join, "/join/"), "", "four quiet words here", identity.Visit{})
	if err != nil || session.Slug != "gamma" {
		t.Fatalf("%q: %v", join, err)
	}
	ask := func(email string) string {
		t.Helper()
		a := env.Do(t, "", "POST", "/forgot", []byte(url.Values{"email": {email}}.Encode()), map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}})
		if a.Status != 200 {
			t.Fatalf("%d %.300s", a.Status, a.Raw)
		}
		return regexp.MustCompile(`nonce="?[0-9a-f]+"?`).ReplaceAllString(string(a.Raw), "")
	}
	if ask("nobody@gamma.test") != ask("nora@gamma.test") {
		t.Error("the answers differ")
	}
	raw = mail(2)
	reset := strings.TrimPrefix(linkInMail.FindString(raw), "/reset/")
	if err := env.App.Identity.ResetPassword(t.Context(), reset, "another four quiet words"); err != nil {
		t.Fatal(err)
	}
	var tokens int
	if err := env.SQL.Owner.QueryRow(t.Context(), `select count(*) from river.river_job where position($1 in args::text) > 0`, reset).Scan(&tokens); err != nil || tokens > 0 {
		t.Errorf("%d jobs hold the token, %v", tokens, err)
	}
	if n := len(sink.Envelopes()); n != 2 {
		t.Errorf("%d mails", n)
	}
}
