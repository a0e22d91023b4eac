package scoringhttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/id"
	"crm/internal/platform/jobs"
	"crm/internal/platform/onnx"
	"crm/internal/platform/onnx/onnxtest"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/internal/record/recordtest"
	"crm/internal/scoring"
	"crm/internal/scoring/scoringhttp"
)

type lead struct {
	record.Base
	Email     string         `crm:"email,email"`
	Employees *int64         `crm:"employees,integer"`
	Source    string         `crm:"source,text" label:"Lead source"`
	Status    string         `crm:"status,select,options=new|working|nurturing|qualified|disqualified|converted,default=new"`
	UTM       map[string]any `crm:"utm,json"`
}

// site is a workspace served over HTTP; the actor is chosen per request.
type site struct {
	*recordtest.Env
	leads *record.Store[lead]
	s     *scoring.Service
	url   string
}

func newSite(t *testing.T) *site {
	t.Helper()
	w := &site{Env: recordtest.New(t)}
	var err error
	if w.leads, err = record.Register[lead](w.K, record.Definition{Name: "lead", Plural: "leads", Label: "Lead", LabelPlural: "Leads", Owned: true}, record.HooksFor[lead]{}); err != nil {
		t.Fatal(err)
	}
	w.s, err = scoring.New(scoring.Deps{Kernel: w.K, Now: time.Now, Log: slog.New(slog.DiscardHandler), Runtime: func() (*onnx.Runtime, error) { return onnxtest.Runtime(t), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.s.Close)
	w.work(t)
	api := &rest.API{}
	api.Add(scoringhttp.NewAPI(w.s).Routes()...)
	r := chi.NewRouter()
	r.Use(w.signIn)
	r.Route("/api/v1", api.Mount)
	shell := recordpage.NewShell(recordpage.ShellDeps{
		Site: page.New(page.Deps{}), Kernel: w.K, Now: time.Now,
		Workspace: func(context.Context) (recordpage.Workspace, error) {
			return recordpage.Workspace{Slug: "alpha", Name: "Alpha"}, nil
		},
	})
	r.Route("/{ws}", func(r chi.Router) {
		r.Use(shell.Inside)
		scoringhttp.NewPages(shell, w.s).Mount(r)
	})
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	w.url = srv.URL + "/api/v1"
	return w
}

func (w *site) work(t *testing.T) {
	t.Helper()
	reg := jobs.NewRegistry()
	w.s.Register(reg)
	client, err := jobs.New(reg, jobs.Options{Pool: w.DB.Pool(), Log: slog.New(slog.DiscardHandler), Works: true})
	if err != nil {
		t.Fatal(err)
	}
	w.s.SetJobs(client)
	if err := client.Start(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

// signIn takes the actor from a header; how one signs in is not this package's business.
func (w *site) signIn(next http.Handler) http.Handler {
	actors := map[string]context.Context{"admin": w.Admin, "rep": w.Rep, "other": w.Other}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if ctx, ok := actors[r.Header.Get("Test-Actor")]; ok {
			r = r.WithContext(auth.With(r.Context(), auth.From(ctx)))
		}
		next.ServeHTTP(rw, r)
	})
}

// call sends JSON as an actor and returns the status and the decoded answer.
func (w *site) call(t *testing.T, actor, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Test-Actor", actor)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s %s answers %q: %v", method, path, raw, err)
	}
	return resp.StatusCode, out
}

// fill makes 400 decided leads whose source and custom tier tell the outcome in part, and one open lead.
func (w *site) fill(t *testing.T) *lead {
	t.Helper()
	fields := []record.CustomField{{Object: "lead", Name: "tier", Label: "Customer tier", Type: "text"}, {Object: "lead", Name: "visits", Type: "integer"}}
	if err := w.K.AddCustomFields(w.Admin, fields); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var list []*lead
	for i := range 401 {
		l := &lead{Source: [2]string{"Web", "Referral"}[rng.IntN(2)], Status: "disqualified"}
		l.Custom = map[string]any{"tier": [2]string{"gold", "basic"}[rng.IntN(2)], "visits": rng.IntN(9)}
		l.CreatedAt = time.Date(2025, 1, 1, i, 0, 0, 0, time.UTC)
		chance := 0.1
		if l.Source == "Referral" {
			chance += 0.4
		}
		if l.Custom["tier"] == "gold" {
			chance += 0.35
		}
		if rng.Float64() < chance {
			l.Status = "converted"
		}
		list = append(list, l)
	}
	list[400].Status = "new"
	made, err := w.leads.CreateMany(w.Admin, list)
	if err != nil {
		t.Fatal(err)
	}
	return made[400]
}

// train asks for a model over HTTP and polls its card.
func (w *site) train(t *testing.T) string {
	t.Helper()
	status, m := w.call(t, "admin", "POST", "/scoring/models/train", `{"object":"lead"}`)
	if status != http.StatusAccepted || m["status"] != "training" {
		t.Fatalf("train answers %d %v", status, m)
	}
	path := fmt.Sprint("/scoring/models/", m["id"])
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		status, m = w.call(t, "admin", "GET", path, "")
		if status != http.StatusOK {
			t.Fatalf("card answers %d %v", status, m)
		}
		if m["status"] != "training" {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the training does not end")
		}
	}
	if m["status"] != "active" {
		t.Fatalf("model is %v: %v %v", m["status"], m["decision"], m["error"])
	}
	return m["id"].(string)
}

func TestScoringOverHTTP(t *testing.T) {
	t.Parallel()
	w := newSite(t)
	target := w.fill(t)
	leadPath := "/leads/" + target.ID.String() + "/score"
	if status, p := w.call(t, "admin", "GET", leadPath, ""); status != 409 || p["code"] != "no_model" || !strings.Contains(p["detail"].(string), "Train one") {
		t.Errorf("without a model: %d %v", status, p)
	}
	model := w.train(t)
	status, s := w.call(t, "admin", "GET", leadPath, "")
	if status != 200 || s["model"].(map[string]any)["id"] != model || len(s["reasons"].([]any)) == 0 {
		t.Errorf("score: %d %v", status, s)
	}
	for _, key := range []string{"score", "probability", "grade", "model", "reasons", "scored_at"} {
		if _, ok := s[key]; !ok {
			t.Errorf("score has no %s", key)
		}
	}
	status, both := w.call(t, "admin", "POST", "/scoring/score", fmt.Sprintf(`{"object":"lead","ids":["%[1]s","%[1]s"]}`, target.ID))
	results, _ := both["results"].([]any)
	if status != 200 || len(results) != 2 || results[0].(map[string]any)["probability"] != s["probability"] || results[0].(map[string]any)["id"] != target.ID.String() {
		t.Errorf("by ids: %d %v", status, both)
	}
	w.rows(t)
	w.refusals(t)
	w.strangers(t, model, leadPath)
}

// rows scores what are no leads yet; both ways of writing custom fields mean the same.
func (w *site) rows(t *testing.T) {
	t.Helper()
	status, out := w.call(t, "admin", "POST", "/scoring/score", `{"object":"lead","rows":[
	  {"source":"Referral","custom":{"tier":"gold","visits":3},"created_at":"2025-01-02T09:00:00Z"},
	  {"source":"referral","custom.tier":"gold","custom.visits":3,"created_at":"2025-01-02T09:00:00Z"},
	  {"source":"Web","custom":{"tier":"basic"},"employees":null,"utm.source":"ad","utm":{"medium":"cpc"}}]}`)
	if status != 200 {
		t.Fatalf("rows: %d %v", status, out)
	}
	results := out["results"].([]any)
	p := func(i int) float64 { return results[i].(map[string]any)["probability"].(float64) }
	if len(results) != 3 || p(0) != p(1) || p(0) <= p(2) {
		t.Errorf("rows score %v %v %v", p(0), p(1), p(2))
	}
	reasons, _ := json.Marshal(results[0].(map[string]any)["reasons"])
	if !strings.Contains(string(reasons), "Lead source is referral: +") || !strings.Contains(string(reasons), "Customer tier is gold: +") {
		t.Errorf("reasons %s", reasons)
	}
	many := strings.TrimSuffix(strings.Repeat(`{"source":"Web","custom":{"tier":"gold","visits":3},"employees":12,"email":"a@example.com"},`, scoring.MostAtOnce), ",")
	if status, out := w.call(t, "admin", "POST", "/scoring/score", `{"object":"lead","rows":[`+many+`]}`); status != 200 || len(out["results"].([]any)) != scoring.MostAtOnce {
		t.Errorf("ten thousand rows: %d", status)
	}
	if status, out := w.call(t, "admin", "POST", "/scoring/score", `{"object":"lead","rows":[{"source":"Web"},`+many+`]}`); status != 422 || out["errors"].([]any)[0].(map[string]any)["code"] != "too_many" {
		t.Errorf("one more: %d %v", status, out)
	}
}

// refusals are inputs that must get a clear 4xx.
func (w *site) refusals(t *testing.T) {
	t.Helper()
	for name, c := range map[string]struct {
		body, field string
		status      int
	}{
		"unknown field":        {`{"object":"lead","rows":[{"source":"Web"},{"colour":"red"}]}`, "rows[1].colour", 422},
		"unknown custom field": {`{"object":"lead","rows":[{"custom":{"teir":"gold"}}]}`, "rows[0].custom.teir", 422},
		"wrong type":           {`{"object":"lead","rows":[{"employees":"many"}]}`, "rows[0].employees", 422},
		"text for a number":    {`{"object":"lead","rows":[{"custom":{"visits":"NaN"}}]}`, "rows[0].custom.visits", 422},
		"number for a text":    {`{"object":"lead","rows":[{"source":7}]}`, "rows[0].source", 422},
		"too large a number":   {`{"object":"lead","rows":[{"custom":{"visits":1e999}}]}`, "rows[0].custom.visits", 422},
		"NaN":                  {`{"object":"lead","rows":[{"custom":{"visits":NaN}}]}`, "", 400},
		"empty body":           {``, "", 400},
		"no rows":              {`{"object":"lead","rows":[]}`, "rows", 422},
		"no ids":               {`{"object":"lead","ids":[]}`, "ids", 422},
		"empty row":            {`{"object":"lead","rows":[{}]}`, "rows[0]", 422},
		"neither":              {`{"object":"lead"}`, "rows", 422},
		"both":                 {`{"object":"lead","ids":[],"rows":[]}`, "rows", 422},
		"row is no object":     {`{"object":"lead","rows":["gold"]}`, "rows[0]", 422},
		"id is no UUID":        {`{"object":"lead","ids":["7"]}`, "ids[0]", 422},
		"unknown id":           {`{"object":"lead","ids":["` + id.New().String() + `"]}`, "ids[0]", 404},
		"unknown object":       {`{"object":"deal","rows":[{"source":"Web"}]}`, "object", 422},
		"no object":            {`{"rows":[{"source":"Web"}]}`, "object", 422},
		"unknown key":          {`{"object":"lead","row":[{"source":"Web"}],"rows":[{"source":"Web"}]}`, "row", 422},
		"duplicate key":        {`{"object":"lead","rows":[{"source":"Web","source":"Event"}]}`, "", 400},
		"text after the end":   {`{"object":"lead","rows":[{"source":"Web"}]} x`, "", 400},
		"too deep":             {`{"object":"lead","rows":[{"utm":{"a":{"b":{"c":{"d":{"e":1}}}}}}]}`, "", 400},
	} {
		status, p := w.call(t, "admin", "POST", "/scoring/score", c.body)
		if status != c.status || p["code"] == "" || p["detail"] == "" {
			t.Errorf("%s: %d %v", name, status, p)
			continue
		}
		if list, _ := p["errors"].([]any); c.field != "" && (len(list) == 0 || list[0].(map[string]any)["field"] != c.field) {
			t.Errorf("%s: fields %v, want %s", name, list, c.field)
		}
	}
}

// strangers may not learn that anything exists.
func (w *site) strangers(t *testing.T, model, leadPath string) {
	t.Helper()
	for _, c := range []struct {
		actor, method, path string
		status              int
	}{
		{"nobody", "GET", leadPath, 401},
		{"rep", "GET", leadPath, 404},
		{"other", "GET", leadPath, 404},
		{"other", "GET", "/scoring/models/" + model, 404},
		{"other", "POST", "/scoring/models/" + model + "/activate", 404},
		{"other", "GET", "/scoring/models/" + model + "/onnx", 404},
		{"other", "POST", "/scoring/models/rollback", 409},
		{"rep", "GET", "/scoring/models/" + model, 200},
		{"rep", "POST", "/scoring/models/train", 403},
		{"rep", "POST", "/scoring/models/rollback", 403},
		{"rep", "POST", "/scoring/models/" + model + "/activate", 403},
		{"admin", "POST", "/scoring/models/" + model + "/activate", 200},
		{"admin", "GET", "/scoring/models/7", 404},
		{"admin", "GET", "/scoring/models?object=deal", 422},
	} {
		body := ""
		if strings.HasSuffix(c.path, "rollback") {
			body = `{"object":"lead"}`
		}
		if status, p := w.call(t, c.actor, c.method, c.path, body); status != c.status {
			t.Errorf("%s %s %s: %d %v, want %d", c.actor, c.method, c.path, status, p, c.status)
		}
	}
	if status, list := w.call(t, "other", "GET", "/scoring/models", ""); status != 200 || len(list["data"].([]any)) != 0 {
		t.Errorf("another tenant lists %d %v", status, list)
	}
	if status, list := w.call(t, "admin", "GET", "/scoring/models?object=lead", ""); status != 200 || len(list["data"].([]any)) != 1 {
		t.Errorf("list: %d %v", status, list)
	}
}
