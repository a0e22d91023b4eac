package activities_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"crm/internal/activities"
	"crm/internal/activities/activitieshttp"
	"crm/internal/platform/auth"
	"crm/internal/platform/rest"
)

func TestActsOverHTTP(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var api rest.API
	api.Add(activitieshttp.New(w.s).Routes()...)
	actor := auth.From(w.Rep)
	router := chi.NewRouter()
	router.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(rw, r.WithContext(auth.With(r.Context(), actor)))
		})
	})
	api.Mount(router)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)

	who, hidden := w.person(t, w.Rep), w.person(t, w.Admin)
	var ids []string
	for _, subject := range []string{"one", "two", "three"} {
		ids = append(ids, w.make(t, w.Rep, activities.Activity{Subject: subject, Related: about("contact", who)}).ID.String())
	}
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		check                    func(map[string]any) bool
	}{
		{"complete", "POST", "/activities/" + ids[0] + "/complete", `{"outcome":"Reached"}`, 200, func(m map[string]any) bool { return m["outcome"] == "Reached" && m["done_at"] != nil }},
		{"complete without a body", "POST", "/activities/" + ids[1] + "/complete", ``, 200, func(m map[string]any) bool { return m["done_at"] != nil }},
		{"reopen", "POST", "/activities/" + ids[1] + "/reopen", ``, 200, func(m map[string]any) bool { return m["done_at"] == nil }},
		{"unknown field", "POST", "/activities/" + ids[0] + "/complete", `{"x":1}`, 422, nil},
		{"no such activity", "POST", "/activities/" + hidden.String() + "/complete", ``, 404, nil},
		{"of a contact", "GET", "/contacts/" + who.String() + "/activities?limit=2", "", 200, func(m map[string]any) bool {
			return len(m["data"].([]any)) == 2 && m["next_cursor"] != nil && m["data"].([]any)[0].(map[string]any)["subject"] == "three"
		}},
		{"the open ones", "GET", "/contacts/" + who.String() + "/activities?done_at[is_null]=true&sort=subject", "", 200, func(m map[string]any) bool { return len(m["data"].([]any)) == 2 && m["next_cursor"] == nil }},
		{"an odd limit", "GET", "/contacts/" + who.String() + "/activities?limit=0", "", 400, nil},
		{"too large a limit", "GET", "/contacts/" + who.String() + "/activities?limit=201", "", 400, nil},
		{"an unknown filter", "GET", "/contacts/" + who.String() + "/activities?frob=1", "", 400, nil},
		{"of a hidden contact", "GET", "/contacts/" + hidden.String() + "/activities", "", 404, nil},
		{"of the wrong object", "GET", "/deals/" + who.String() + "/activities", "", 404, nil},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		if tt.method == "POST" {
			req.Header.Set("Content-Type", "application/json")
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(res.Body)
		res.Body.Close()
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatalf("%s: %s", tt.name, raw)
		}
		if res.StatusCode != tt.status || (tt.check != nil && !tt.check(body)) {
			t.Errorf("%s: %d %s", tt.name, res.StatusCode, raw)
		}
	}
}
