package dealshttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/deals/dealshttp"
	"crm/internal/platform/rest"
	"crm/internal/record/recordhttp"
	"crm/internal/record/recordtest"
)

type server struct {
	*recordtest.Env
	s      *deals.Service
	router chi.Router
	stages map[string]uuid.UUID
}

func newServer(t *testing.T) *server {
	t.Helper()
	sv := &server{Env: recordtest.New(t), router: chi.NewRouter(), stages: map[string]uuid.UUID{}}
	var err error
	if sv.s, err = deals.New(deals.Deps{Kernel: sv.K, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	api := &rest.API{}
	api.Add(dealshttp.NewAPI(sv.s).Routes()...)
	api.Add(recordhttp.New(sv.K).Routes()...)
	api.Mount(sv.router)
	p, err := sv.s.DefaultPipeline(sv.Admin)
	if err != nil {
		t.Fatal(err)
	}
	stages, err := sv.s.PipelineStages(sv.Admin, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range stages {
		sv.stages[st.Name] = st.ID
	}
	return sv
}

// call sends body, when it is not empty, and reads a JSON answer.
func (sv *server) call(t *testing.T, ctx context.Context, method, path, body string, header ...string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	sv.router.ServeHTTP(w, r)
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s answers %d %q", method, path, w.Code, w.Body)
	}
	if w.Code < 400 && method != http.MethodGet && w.Header().Get("ETag") == "" {
		t.Fatalf("%s %s has no ETag", method, path)
	}
	return w.Code, out
}

// want fails unless the answer has this status and, at the dotted path, this value.
func want(t *testing.T, status int, answer map[string]any, wantStatus int, path string, value any) {
	t.Helper()
	var at any = answer
	for _, key := range strings.Split(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[key]
		case []any:
			at = v[key[0]-'0']
		}
	}
	if status != wantStatus || at != value {
		t.Fatalf("status %d, %s is %v; want %d and %v: %v", status, path, at, wantStatus, value, answer)
	}
}

func TestActsOverREST(t *testing.T) {
	t.Parallel()
	sv := newServer(t)
	status, d := sv.call(t, sv.Rep, "POST", "/deals", `{"name":"Big","amount":{"amount":"1000.00","currency":"EUR"}}`)
	want(t, status, d, 201, "weighted_amount.amount", "100.00")
	at := "/deals/" + d["id"].(string)
	steps := []struct {
		path, body string
		header     []string
		status     int
		at         string
		value      any
	}{
		{"/move", `{"stage_id":"` + sv.stages["Proposal"].String() + `"}`, nil, 200, "probability", 50.0},
		{"/move", `{"stage_id":"` + sv.stages["Proposal"].String() + `","position":7.5,"version":2}`, nil, 200, "position", 7.5},
		{"/move", `{"stage_id":"` + sv.stages["Won"].String() + `","version":2}`, nil, 412, "data.version", 3.0},
		{"/win", ``, []string{"If-Match", `"2"`}, 412, "code", "stale_version"},
		{"/move", `{"stage_id":"` + sv.stages["Lost"].String() + `"}`, nil, 422, "errors.0.field", "lost_reason"},
		{"/move", `{"stage_id":"` + sv.stages["Lost"].String() + `","lost_reason":"price"}`, nil, 200, "status", "lost"},
		{"/reopen", `{}`, nil, 200, "stage_id", sv.stages["Proposal"].String()},
		{"/move", `{"stage_id":"nonsense"}`, nil, 422, "errors.0.code", "not_an_id"},
		{"/move", `{"stage":"x"}`, nil, 422, "errors.0.code", "unknown_field"},
		{"/move", `{}`, nil, 422, "errors.0.field", "stage_id"},
		{"/move", `{"stage_id":"` + uuid.NewString() + `"}`, nil, 422, "errors.0.code", "unknown_stage"},
		{"/lose", `{}`, nil, 422, "errors.0.field", "lost_reason"},
		{"/lose", `{"lost_reason":"went away"}`, nil, 200, "lost_reason", "went away"},
		{"/win", ``, nil, 200, "status", "won"},
		{"/win", ``, nil, 200, "version", 7.0}, // again changes nothing
	}
	for _, step := range steps {
		status, answer := sv.call(t, sv.Rep, "POST", at+step.path, step.body, step.header...)
		want(t, status, answer, step.status, step.at, step.value)
	}
	for _, path := range []string{"/win", "/reopen"} {
		status, answer := sv.call(t, sv.Other, "POST", at+path, "")
		want(t, status, answer, 404, "code", "not_found")
	}
	status, answer := sv.call(t, sv.Admin, "POST", "/deals/nonsense/win", "")
	want(t, status, answer, 404, "code", "not_found")
}

func TestBoardAndForecastOverREST(t *testing.T) {
	t.Parallel()
	sv := newServer(t)
	for _, body := range []string{
		`{"name":"A","amount":{"amount":"100","currency":"EUR"},"expected_close_date":"2026-12-01"}`,
		`{"name":"B","amount":{"amount":"50","currency":"USD"},"expected_close_date":"2026-12-02"}`,
		`{"name":"C"}`,
	} {
		status, d := sv.call(t, sv.Rep, "POST", "/deals", body)
		want(t, status, d, 201, "status", "open")
	}
	status, b := sv.call(t, sv.Rep, "GET", "/deals/board?limit=2", "")
	want(t, status, b, 200, "pipeline.name", "Sales")
	want(t, status, b, 200, "currency", "EUR")
	want(t, status, b, 200, "columns.0.count", 3.0)
	want(t, status, b, 200, "columns.0.sum.amount", "100.00")
	want(t, status, b, 200, "columns.0.weighted.amount", "10.00")
	want(t, status, b, 200, "columns.0.sums.1.currency", "USD")
	want(t, status, b, 200, "columns.0.sums.1.sum.amount", "50.00")
	want(t, status, b, 200, "columns.0.deals.0.name", "C")
	want(t, status, b, 200, "columns.5.stage.kind", "lost")
	want(t, status, b, 200, "open.count", 3.0)
	if cards := b["columns"].([]any)[0].(map[string]any)["deals"].([]any); len(cards) != 2 {
		t.Fatalf("%d cards", len(cards))
	}
	status, b = sv.call(t, sv.Rep, "GET", "/deals/board?name=B", "")
	want(t, status, b, 200, "columns.0.count", 1.0)
	status, f := sv.call(t, sv.Rep, "GET", "/deals/forecast?period=quarter&group_by=stage", "")
	want(t, status, f, 200, "data.0.label", "2026 Q4")
	want(t, status, f, 200, "data.0.start", "2026-10-01")
	want(t, status, f, 200, "data.0.end", "2027-01-01")
	want(t, status, f, 200, "data.0.pipeline.amount", "100.00")
	want(t, status, f, 200, "data.0.by_currency.1.pipeline.amount", "50.00")
	want(t, status, f, 200, "data.0.stage_id", sv.stages["Prospecting"].String())
	want(t, status, f, 200, "data.1.label", "No date")
	for _, path := range []string{"/deals/board?limit=0", "/deals/board?limit=x", "/deals/board?nope=1", "/deals/forecast?period=week", "/deals/forecast?since=monday", "/deals/forecast?group_by=colour"} {
		status, p := sv.call(t, sv.Rep, "GET", path, "")
		want(t, status, p, 400, "code", "bad_parameter")
	}
	status, p := sv.call(t, sv.Rep, "GET", "/deals/board?pipeline_id="+uuid.NewString(), "")
	want(t, status, p, 404, "code", "not_found")
}
