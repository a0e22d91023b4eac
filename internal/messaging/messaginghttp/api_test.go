package messaginghttp_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"crm/internal/platform/id"
	"crm/internal/platform/mail/smtptest"
)

func TestSendOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	w.provider(t)
	c, err := w.people.Create(w.Admin, &person{FirstName: "Ann", Email: "ann@example.com"})
	must(t, err)
	status, out := w.call(t, "admin", "POST", "/messages", map[string]any{
		"channel": "email", "contact_id": c.ID, "subject": "Hi {{ contact.first_name }}", "body": "Code {{ code }}", "variables": map[string]any{"code": 7}, "class": "transactional",
	})
	if status != 202 || out["status"] != "queued" || out["subject"] != "Hi Ann" || out["body_text"] != "Code 7" || out["attempts"] != 0.0 {
		t.Fatalf("%d %v", status, out)
	}
	got := w.become(t, text(out["id"]), "sent")
	log, events := got["attempt_log"].([]any), got["events"].([]any)
	if len(log) != 1 || log[0].(map[string]any)["result"] != "sent" || len(events) != 2 || got["message_id"] == nil || got["sent_at"] == nil {
		t.Errorf("%v", got)
	}
	if status, story := w.call(t, "admin", "GET", "/messages/"+text(out["id"])+"/events", nil); status != 200 || len(story["attempt_log"].([]any)) != 1 {
		t.Errorf("%d %v", status, story)
	}
	if status, out := w.call(t, "admin", "POST", "/messages/"+text(out["id"])+"/cancel", nil); status != 409 || out["code"] != "too_late" {
		t.Errorf("%d %v", status, out)
	}
}

func TestScheduleAndCancelOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	w.provider(t)
	at := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	_, out := w.call(t, "admin", "POST", "/messages", map[string]any{"to": "a@example.com", "subject": "x", "body": "x", "send_at": at})
	if out["status"] != "scheduled" || out["send_at"] != at {
		t.Fatalf("%v", out)
	}
	if status, out := w.call(t, "admin", "POST", "/messages/"+text(out["id"])+"/cancel", nil); status != 200 || out["status"] != "cancelled" {
		t.Errorf("%d %v", status, out)
	}
}

func TestResendOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	w.provider(t)
	w.sink.Script(smtptest.Rule{At: smtptest.AtDot, Times: 1, Hang: true})
	_, out := w.call(t, "admin", "POST", "/messages", map[string]any{"to": "a@example.com", "subject": "x", "body": "x"})
	w.become(t, text(out["id"]), "in_doubt")
	if status, out := w.call(t, "admin", "POST", "/messages/"+text(out["id"])+"/retry", nil); status != 200 || out["status"] != "queued" {
		t.Errorf("%d %v", status, out)
	}
	w.become(t, text(out["id"]), "sent")
}

func TestBadCalls(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	tests := []struct {
		body   map[string]any
		status int
		field  string
	}{
		{map[string]any{"subject": "x", "body": "x"}, 422, "to"},
		{map[string]any{"to": "a@example.com", "subject": "x", "body": "x", "send_at": "tomorrow"}, 422, "send_at"},
		{map[string]any{"contact_id": "1", "subject": "x", "body": "x"}, 422, "contact_id"},
		{map[string]any{"to": "a@example.com", "subject": "x", "body": "x", "status": "sent"}, 422, "status"},
		{map[string]any{"to": 1, "subject": "x", "body": "x"}, 422, "to"},
	}
	for _, tt := range tests {
		status, out := w.call(t, "admin", "POST", "/messages", tt.body)
		if status != tt.status || out["errors"].([]any)[0].(map[string]any)["field"] != tt.field {
			t.Errorf("%v: %d %v", tt.body, status, out)
		}
	}
	gone := id.New().String()
	for _, path := range []string{"/messages/" + gone, "/messages/" + gone + "/events", "/providers/" + gone, "/messages/x"} {
		if status, _ := w.call(t, "admin", "GET", path, nil); status != 404 {
			t.Errorf("GET %s: %d", path, status)
		}
	}
}

// TestIdempotencyKey repeats a request: one message, one mail, the same answer.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	w.provider(t)
	var first string
	for n := range 3 {
		req, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/api/v1/messages", strings.NewReader(`{"to":"once@example.com","subject":"x","body":"x"}`))
		must(t, err)
		req.Header.Set("Test-Actor", "admin")
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", "k1")
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		must(t, resp.Body.Close())
		if n == 0 {
			first = resp.Header.Get("Location")
		}
		if resp.StatusCode != 202 || resp.Header.Get("Location") != first || (n > 0) != (resp.Header.Get("Idempotency-Replayed") == "true") {
			t.Errorf("call %d: %d %v", n, resp.StatusCode, resp.Header)
		}
	}
	w.become(t, first[strings.LastIndexByte(first, '/')+1:], "sent")
	if w.sink.Count("once@example.com") != 1 {
		t.Error("not sent exactly once")
	}
}

func TestProvidersOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newSite(t, smtptest.Options{Users: map[string]string{"u": "canary-1"}})
	host, port := w.sink.HostPort()
	settings := map[string]any{"host": host, "port": port, "tls": "none", "username": "u", "password": "canary-0", "from": "Desk <desk@crm.test>"}
	status, made := w.call(t, "admin", "POST", "/providers", map[string]any{"name": "Desk", "channel": "email", "type": "smtp", "priority": 5, "settings": settings})
	if status != 201 || made["priority"] != 5.0 || made["settings"].(map[string]any)["host"] != host || made["settings"].(map[string]any)["port"] != float64(port) {
		t.Fatalf("%d %v", status, made)
	}
	path := "/providers/" + text(made["id"])
	if status, out := w.call(t, "admin", "POST", path+"/test", nil); status != 200 || out["ok"] != false || out["step"] != "auth" {
		t.Errorf("test: %d %v", status, out)
	}
	if status, out := w.call(t, "admin", "PATCH", path, map[string]any{"settings": map[string]any{"password": "canary-1"}}); status != 200 || out["version"] != 2.0 {
		t.Errorf("patch: %d %v", status, out)
	}
	if status, out := w.call(t, "admin", "POST", path+"/test", nil); status != 200 || out["ok"] != true || out["step"] != nil {
		t.Errorf("test: %d %v", status, out)
	}
	for _, p := range []string{"/providers", path} {
		status, _ := w.call(t, "admin", "GET", p, nil)
		_, raw := w.do(t, "admin", "GET", "/api/v1"+p, "", "")
		if status != 200 || strings.Contains(raw, "canary") || !strings.Contains(raw, `"secrets_set":["password"]`) {
			t.Errorf("GET %s: %d %s", p, status, raw)
		}
	}
	for actor, want := range map[string]int{"rep": 403, "other": 404, "": 401} {
		if status, _ := w.call(t, actor, "PATCH", path, map[string]any{"priority": 1}); status != want {
			t.Errorf("%q changes it: %d, want %d", actor, status, want)
		}
	}
	if status, _ := w.call(t, "admin", "DELETE", path, nil); status != 204 {
		t.Errorf("delete: %d", status)
	}
	if status, _ := w.call(t, "admin", "GET", path, nil); status != 404 {
		t.Errorf("after deleting: %d", status)
	}
}
