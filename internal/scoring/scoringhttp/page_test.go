package scoringhttp_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"crm/internal/scoring"
)

// page asks for a page of the settings and returns status and document. A form makes it a POST.
func (w *site) page(t *testing.T, actor, path string, form url.Values) (int, string) {
	t.Helper()
	method, body := "GET", ""
	if form != nil {
		method, body = "POST", form.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(w.url, "/api/v1")+"/alpha/settings/scoring"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Test-Actor", actor)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestSettingsPage(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	if status, doc := w.page(t, "admin", "", nil); status != 200 || !strings.Contains(doc, "No model yet") || !strings.Contains(doc, "ONNX Runtime 1.") {
		t.Errorf("without models: %d %s", status, doc)
	}
	w.fill(t)
	model := w.train(t)
	w.shows(t, "admin", "", "In use", "Version 1", "Calibration", "Customer tier", "the best 10 %", "Activated as the first model", "Fields to leave out", "Ranking (AUC)")
	w.shows(t, "rep", "", "In use", "Version 1")
	if _, doc := w.page(t, "rep", "", nil); strings.Contains(doc, "Fields to leave out") {
		t.Error("a rep is offered to train")
	}
	w.shows(t, "admin", "/"+model, "Scoring model version 1")
	// What is ticked is remembered; the second model is worse without it and kept back.
	if status, doc := w.page(t, "admin", "/train", url.Values{"refuse": {"custom.tier"}}); status != 303 {
		t.Fatalf("train: %d %s", status, doc)
	}
	if status, _ := w.page(t, "rep", "/train", url.Values{}); status != 403 {
		t.Errorf("a rep trains: %d", status)
	}
	second := w.latest(t)
	if second.Status != scoring.Candidate || len(second.Refuse) != 1 {
		t.Errorf("second model: %s %v %s", second.Status, second.Refuse, second.Decision)
	}
	w.shows(t, "admin", "", "Kept back", "Put to use")
	if status, _ := w.page(t, "admin", "/"+second.ID.String()+"/activate", url.Values{}); status != 303 {
		t.Errorf("activate: %d", status)
	}
	w.shows(t, "admin", "", "Go back to the model before")
	if status, _ := w.page(t, "admin", "/rollback", url.Values{}); status != 303 {
		t.Errorf("rollback: %d", status)
	}
	if status, _ := w.page(t, "admin", "/rollback", url.Values{}); status != 409 {
		t.Errorf("rollback beyond the first: %d", status)
	}
	if status, _ := w.page(t, "other", "/"+model, nil); status != 404 {
		t.Errorf("another tenant: %d", status)
	}
}

// shows checks that a page has these texts.
func (w *site) shows(t *testing.T, actor, path string, texts ...string) {
	t.Helper()
	status, doc := w.page(t, actor, path, nil)
	if status != 200 {
		t.Errorf("%s: %d", path, status)
	}
	for _, text := range texts {
		if !strings.Contains(doc, text) {
			t.Errorf("page %q of %s does not show %q", path, actor, text)
		}
	}
}

// latest is the newest model once its training has ended.
func (w *site) latest(t *testing.T) *scoring.Model {
	t.Helper()
	for {
		list, err := w.s.Models(w.Admin, "lead")
		if err != nil {
			t.Fatal(err)
		}
		if list[0].Status != scoring.Training {
			return list[0]
		}
	}
}
