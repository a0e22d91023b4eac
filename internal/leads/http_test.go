package leads_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"crm/internal/leads"
	"crm/internal/leads/leadshttp"
	"crm/internal/platform/auth"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// serve mounts the context's routes; requests act as the actor of ctx, or as
// nobody when ctx has none.
func (w *world) serve(t *testing.T, ctx context.Context) *httptest.Server {
	t.Helper()
	var api rest.API
	api.Add(leadshttp.New(w.s).Routes()...)
	router := chi.NewRouter()
	router.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if a := auth.From(ctx); a != nil {
				r = r.WithContext(auth.With(r.Context(), a))
			}
			next.ServeHTTP(rw, r)
		})
	})
	api.Mount(router)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return server
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func send(t *testing.T, url, contentType, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	out := answer{status: res.StatusCode, header: res.Header}
	_ = json.Unmarshal(raw, &out.body)
	return out
}

const (
	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

func TestConvertOverHTTP(t *testing.T) {
	t.Parallel()
	w := setup(t)
	server := w.serve(t, w.Rep)
	l := w.lead(t, w.Rep, leads.Lead{LastName: "Roe", Company: "Acme"})
	at := server.URL + "/leads/" + l.ID.String()
	first := send(t, at+"/convert", asJSON, `{"deal":{"name":"Big one","amount":{"amount":"10.50","currency":"EUR"},"expected_close_date":"2027-01-31"}}`)
	if first.status != 200 || first.body["deal_id"] == nil || first.body["account_id"] == nil || first.body["contact_id"] == nil {
		t.Fatalf("%+v", first)
	}
	deals, err := w.opportunities.Find(w.Rep, record.Query{})
	if err != nil || len(deals) != 1 || deals[0].Name != "Big one" || deals[0].Amount.Minor != 1050 || deals[0].Expected == nil {
		t.Errorf("deal %+v, %v", deals, err)
	}
	second := send(t, at+"/convert", asJSON, ``)
	for _, key := range []string{"lead_id", "account_id", "contact_id", "deal_id"} {
		if first.body[key] != second.body[key] {
			t.Errorf("%s: %v, then %v", key, first.body[key], second.body[key])
		}
	}
	if back := send(t, at+"/unconvert", asJSON, ``); back.status != 200 || back.body["status"] != "new" || back.body["conflicts"] == nil {
		t.Errorf("unconvert %+v", back)
	}
	if again := send(t, at+"/unconvert", asJSON, ``); again.status != 409 {
		t.Errorf("unconvert twice %+v", again)
	}
	if none := send(t, at+"/convert", asJSON, `{"create_deal":false}`); none.status != 200 || none.body["deal_id"] != nil {
		t.Errorf("without a deal %+v", none)
	}
	if bad := send(t, at+"/disqualify", asJSON, `{}`); bad.status != 422 {
		t.Errorf("disqualify without a reason %+v", bad)
	}
}

func TestActsOverHTTPRefuse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.lead(t, w.Rep, leads.Lead{LastName: "Roe"})
	mine, other, nobody := w.serve(t, w.Rep), w.serve(t, w.Other), w.serve(t, t.Context())
	path := "/leads/" + l.ID.String()
	for name, tt := range map[string]struct {
		url, body string
		status    int
		field     string
	}{
		"another tenant":     {other.URL + path + "/convert", `{}`, 404, ""},
		"another tenant's":   {other.URL + path + "/unconvert", ``, 404, ""},
		"somebody else's":    {other.URL + path + "/disqualify", `{"reason":"x"}`, 404, ""},
		"nobody":             {nobody.URL + path + "/convert", `{}`, 401, ""},
		"no id":              {mine.URL + "/leads/1/convert", `{}`, 404, ""},
		"an unknown field":   {mine.URL + path + "/convert", `{"deals":{}}`, 422, "deals"},
		"a bad deal":         {mine.URL + path + "/convert", `{"deal":{"amount":"lots"}}`, 422, "deal.amount"},
		"a deal's own rules": {mine.URL + path + "/convert", `{"deal":{"frobs":1}}`, 422, "deal.frobs"},
		"no such account":    {mine.URL + path + "/convert", `{"account_id":"0199d000-0000-7000-8000-000000000000"}`, 422, "account_id"},
	} {
		got := send(t, tt.url, asJSON, tt.body)
		if got.status != tt.status {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		if tt.field == "" {
			continue
		}
		list, _ := got.body["errors"].([]any)
		if len(list) == 0 || list[0].(map[string]any)["field"] != tt.field {
			t.Errorf("%s: errors %v", name, list)
		}
	}
	if got := send(t, mine.URL+path+"/disqualify", asJSON, `{"reason":"No budget"}`); got.status != 200 || got.body["status"] != "disqualified" || got.header.Get("ETag") != `"2"` {
		t.Errorf("disqualify %+v", got)
	}
}

func TestFormsOverHTTP(t *testing.T) {
	t.Parallel()
	w := setup(t)
	server := w.serve(t, t.Context())
	f := w.form(t, leads.LeadForm{Thanks: "Bye", ConsentText: "OK?"})
	away := w.form(t, leads.LeadForm{Name: "Away", RedirectURL: "https://acme.com/thanks"})
	at := server.URL + "/forms/" + f.PublicID
	got := send(t, at, asJSON, `{"email":"a@b.io","first_name":"A","utm_source":"x","utm":{"medium":"mail"},"consent":true,"referrer":null}`, "Origin", "https://acme.com")
	if got.status != 201 || got.body["thanks"] != "Bye" || got.body["lead_id"] != nil || got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("JSON: %+v", got)
	}
	got = send(t, at, asForm, "email=b%40b.io&consent=on&utm_campaign=fall")
	if got.status != 303 || got.header.Get("Location") != "/f/"+f.PublicID+"?sent=1" {
		t.Errorf("browser: %+v", got)
	}
	got = send(t, server.URL+"/forms/"+away.PublicID, asForm, "email=c%40b.io")
	if got.status != 303 || got.header.Get("Location") != "https://acme.com/thanks" {
		t.Errorf("redirect: %+v", got)
	}
	got = send(t, at, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nd@b.io\r\n--b\r\nContent-Disposition: form-data; name=\"consent\"\r\n\r\n1\r\n--b--\r\n")
	if got.status != 303 {
		t.Errorf("multipart: %+v", got)
	}
	if n := w.count(t, w.Admin, "lead"); n != 4 {
		t.Fatalf("%d leads, want 4", n)
	}
	trapped := send(t, at, asJSON, `{"email":"e@b.io","consent":true,"fax":"1"}`)
	if trapped.status != 201 || w.count(t, w.Admin, "lead") != 4 {
		t.Errorf("trap: %+v", trapped)
	}
	for name, tt := range map[string]struct {
		kind, body string
		status     int
	}{
		"no consent":      {asJSON, `{"email":"a@b.io"}`, 422},
		"consent false":   {asForm, `email=a%40b.io&consent=false`, 422},
		"status":          {asForm, `email=a%40b.io&consent=1&status=converted`, 422},
		"nested":          {asJSON, `{"email":{"$gt":""},"consent":true}`, 422},
		"list of objects": {asJSON, `{"email":[{"a":1}],"consent":true}`, 422},
		"twice":           {asJSON, `{"email":"a@b.io","email":"b@b.io"}`, 400},
		"no JSON":         {asJSON, `{`, 400},
		"XML":             {"application/xml", `<a/>`, 415},
		"huge":            {asForm, "email=" + strings.Repeat("a", 300<<10), 413},
		"bad multipart":   {"multipart/form-data", `x`, 400},
	} {
		if got := send(t, at, tt.kind, tt.body); got.status != tt.status || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := send(t, server.URL+"/forms/nope", asJSON, `{"email":"a@b.io"}`); got.status != 404 {
		t.Errorf("unknown form: %+v", got)
	}
}
