package leads_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/leads"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

func fields(list ...any) any { return list }

func (w *world) form(t *testing.T, f leads.LeadForm) *leads.LeadForm {
	t.Helper()
	f.Active = true
	if f.Name == "" {
		f.Name = "Contact us"
	}
	made, err := w.s.Forms.Create(w.Admin, &f)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestSubmitMakesALead(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if err := w.K.AddCustomFields(w.Admin, []record.CustomField{{Object: "lead", Name: "budget", Type: "money"}, {Object: "lead", Name: "plan", Type: "select", Options: []string{"basic", "pro"}}}); err != nil {
		t.Fatal(err)
	}
	f := w.form(t, leads.LeadForm{
		Thanks: "Thank you!", ConsentText: "You may write to me.", Base: record.Base{OwnerID: &w.RepID},
		Fields: fields("last_name", map[string]any{"name": "email", "label": "Work e-mail", "required": true}, "message", "custom.budget", "custom.plan"),
	})
	view, err := w.s.Form(t.Context(), f.PublicID)
	if err != nil || len(view.Fields) != 5 || view.Fields[1].Label != "Work e-mail" || !view.Fields[1].Required || len(view.Fields[4].Options) != 2 {
		t.Fatalf("view %+v, %v", view, err)
	}
	receipt, err := w.s.Submit(t.Context(), f.PublicID, leads.Submission{
		Values: map[string]string{"last_name": "Roe", "email": "Roe@Acme.com", "message": "Hi", "custom.budget": "1500", "custom.plan": "pro"},
		UTM:    map[string]string{"source": "ads", "campaign": "autumn", "gclid": "x"}, Referrer: "https://search.example/?q=crm", LandingPage: "javascript:alert(1)",
		Consent: true, Address: "203.0.113.9",
	})
	if err != nil || receipt.Thanks != "Thank you!" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	l, err := w.s.Leads.Get(w.Rep, receipt.LeadID)
	if err != nil {
		t.Fatal(err)
	}
	if l.Email != "roe@acme.com" || l.Source != "form" || l.Status != "new" || *l.FormID != f.ID || l.LandingPage != "" || l.Referrer == "" || l.CreatedBy != nil {
		t.Errorf("lead %+v", l)
	}
	if utm := l.UTM.(map[string]any); len(utm) != 2 || utm["source"] != "ads" {
		t.Errorf("utm %v", utm)
	}
	if c := l.Consent.(map[string]any); c["text"] != "You may write to me." || c["address"] != "203.0.113.9" || c["at"] == "" {
		t.Errorf("consent %v", c)
	}
	if m := l.Custom["budget"].(map[string]any); m["amount"] != "1500.00" || m["currency"] != "EUR" {
		t.Errorf("budget %v: want the tenant's currency", m)
	}
	entries, err := w.K.Timeline(w.Admin, "lead", l.ID, 0, 5)
	if err != nil || entries[0].Via != "form" || entries[0].ActorName != "form Contact us" || entries[0].Data["form_id"] != f.ID.String() {
		t.Errorf("journal %+v, %v", entries, err)
	}
}

func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	w := setup(t)
	f := w.form(t, leads.LeadForm{ConsentText: "Yes?", AllowedHosts: []string{"https://www.Acme.com/"}})
	open := w.form(t, leads.LeadForm{Name: "Open"})
	off := w.form(t, leads.LeadForm{Name: "Off"})
	if _, err := w.s.Forms.One(w.Admin, record.Operation{Kind: record.OpUpdate, ID: off.ID, Patch: record.Patch{"active": false}}); err != nil {
		t.Fatal(err)
	}
	good := func(change func(*leads.Submission)) leads.Submission {
		s := leads.Submission{Values: map[string]string{"email": "a@b.io"}, Consent: true, Address: uuid.NewString()}
		change(&s)
		return s
	}
	tests := []struct {
		name string
		id   string
		sub  leads.Submission
		kind errs.Kind
	}{
		{"unknown form", "nope", good(func(*leads.Submission) {}), errs.NotFound},
		{"a form's record id", f.ID.String(), good(func(*leads.Submission) {}), errs.NotFound},
		{"switched off", off.PublicID, good(func(*leads.Submission) {}), errs.NotFound},
		{"an endless id", strings.Repeat("a", 1<<16), good(func(*leads.Submission) {}), errs.NotFound},
		{"an injection for an id", "' or true --", good(func(*leads.Submission) {}), errs.NotFound},
		{"a NUL in the id", f.PublicID + "\x00", good(func(s *leads.Submission) { s.Consent = false }), errs.Invalid},
		{"no consent", f.PublicID, good(func(s *leads.Submission) { s.Consent = false }), errs.Invalid},
		{"another site", f.PublicID, good(func(s *leads.Submission) { s.Origin = "https://evil.example" }), errs.Forbidden},
		{"required but blank", open.PublicID, good(func(s *leads.Submission) { s.Values["email"] = " \u200b\t" }), errs.Invalid},
		{"no e-mail address", open.PublicID, good(func(s *leads.Submission) { s.Values["email"] = "a@b" }), errs.Invalid},
		{"a field it does not ask for", open.PublicID, good(func(s *leads.Submission) { s.Values["status"] = "converted" }), errs.Invalid},
		{"the owner", open.PublicID, good(func(s *leads.Submission) { s.Values["owner_id"] = w.AdminID.String() }), errs.Invalid},
		{"a score", open.PublicID, good(func(s *leads.Submission) { s.Values["score"] = "100" }), errs.Invalid},
		{"too long a name", open.PublicID, good(func(s *leads.Submission) { s.Values["company"] = strings.Repeat("x", 501) }), errs.Invalid},
		{"too much", open.PublicID, good(func(s *leads.Submission) { s.Values["message"] = strings.Repeat("x", 65<<10) }), errs.TooLarge},
	}
	for _, tt := range tests {
		if _, err := w.s.Submit(t.Context(), tt.id, tt.sub); errs.KindOf(err) != tt.kind {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if n := w.count(t, w.Admin, "lead"); n != 0 {
		t.Errorf("%d leads were made", n)
	}
	if _, err := w.s.Submit(t.Context(), f.PublicID, good(func(s *leads.Submission) { s.Origin = "https://www.acme.com" })); err != nil {
		t.Errorf("an allowed site: %v", err)
	}
	if _, err := w.s.Submit(t.Context(), open.PublicID, good(func(s *leads.Submission) { s.Origin = "https://any.example" })); err != nil {
		t.Errorf("a form for all sites: %v", err)
	}
}

func TestSubmitKeepsHostileTextAsText(t *testing.T) {
	t.Parallel()
	w := setup(t)
	f := w.form(t, leads.LeadForm{Fields: fields("last_name", "email", "message", "company", "website")})
	hostile := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'; drop table leads; --`, `{{ secret }} ${7*7} <%= 1 %>`, `=cmd|' /C calc'!A0`,
		"abc\u202ecod.exe", "nul\x00byte \xff\xfe", "\u200b\ufeffzero", "../../etc/passwd", "%00%0d%0aSet-Cookie: x=1", strings.Repeat("𒐫", 100), "a\r\nBcc: x@y.z",
	}
	for _, text := range hostile {
		receipt, err := w.s.Submit(t.Context(), f.PublicID, leads.Submission{
			Values: map[string]string{"last_name": text, "message": text, "company": text}, Referrer: text, LandingPage: "https://x.example/" + text,
			UTM: map[string]string{"source": text}, Address: uuid.NewString(),
		})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		l, err := w.s.Leads.Get(w.Admin, receipt.LeadID)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(l.LastName+l.Message, "\x00\u202e\u200b\ufeff\ufffd") || strings.ContainsAny(l.LastName, "\r\n") {
			t.Errorf("%q is kept as %q", text, l.LastName)
		}
		if strings.HasPrefix(text, "<script>") && l.Message != text {
			t.Errorf("%q became %q: escaping is the page's job", text, l.Message)
		}
	}
	for _, website := range []string{"javascript:alert(1)", "data:text/html,x", "https://"} {
		_, err := w.s.Submit(t.Context(), f.PublicID, leads.Submission{Values: map[string]string{"last_name": "x", "website": website}, Address: uuid.NewString()})
		if errs.KindOf(err) != errs.Invalid {
			t.Errorf("website %q: %v", website, err)
		}
	}
}

func TestTrapAndLimit(t *testing.T) {
	t.Parallel()
	w := setup(t)
	f := w.form(t, leads.LeadForm{Thanks: "Thanks"})
	sub := leads.Submission{Values: map[string]string{"email": "a@b.io"}, Address: "192.0.2.1", Honeypot: "bot"}
	receipt, err := w.s.Submit(t.Context(), f.PublicID, sub)
	if err != nil || receipt.Thanks != "Thanks" || receipt.LeadID != uuid.Nil {
		t.Errorf("the trap shows: %+v, %v", receipt, err)
	}
	if n := w.count(t, w.Admin, "lead"); n != 0 {
		t.Errorf("the trap let %d in", n)
	}
	sub.Honeypot = ""
	var last error
	for range 40 {
		_, last = w.s.Submit(t.Context(), f.PublicID, sub)
	}
	if e := errs.As(last); e == nil || e.Kind != errs.Limited || e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
		t.Errorf("no limit: %v", last)
	}
	sub.Address = "192.0.2.2"
	if _, err := w.s.Submit(t.Context(), f.PublicID, sub); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestFormSettings(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a, b := w.form(t, leads.LeadForm{}), w.form(t, leads.LeadForm{})
	if a.PublicID == b.PublicID || len(a.PublicID) < 26 {
		t.Errorf("public ids %q and %q", a.PublicID, b.PublicID)
	}
	for name, f := range map[string]leads.LeadForm{
		"asks for the owner": {Fields: fields("email", "owner_id")}, "asks for the score": {Fields: fields("email", "score")}, "asks nothing telling": {Fields: fields("message")},
		"asks twice": {Fields: fields("email", "email")}, "asks for what is not": {Fields: fields("email", "custom.nope")}, "no list": {Fields: map[string]any{}},
		"odd entry": {Fields: fields(map[string]any{"name": "email", "onclick": "x"})}, "odd host": {AllowedHosts: []string{"a b"}},
	} {
		f.Name = "x"
		if _, err := w.s.Forms.Create(w.Admin, &f); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.s.Forms.Create(w.Rep, &leads.LeadForm{Name: "x"}); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("a rep makes a form: %v", err)
	}
	if _, err := w.s.Forms.Get(w.Other, a.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another tenant: %v", err)
	}
	def, _ := w.K.Definition(w.Admin, "lead_form")
	if _, err := def.ParseJSON(map[string]any{"public_id": "guessable"}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("a chosen public id: %v", err)
	}
}
