package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/rest"
)

// problem is the body every refusal has.
type problem struct {
	Type, Title, Detail, Code string
	Status                    int
	RequestID                 string `json:"request_id"`
	Errors                    []errs.FieldError
	Data                      map[string]any
}

func readProblem(t *testing.T, w *httptest.ResponseRecorder) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type %q", ct)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(w.Code) || p.Status != w.Code || p.Detail == "" || p.Errors == nil {
		t.Errorf("a problem of another shape: %s", w.Body)
	}
	return p
}

func answer(t *testing.T, err error) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/things", nil)
	r.Header.Set("X-Request-Id", "req-1")
	w := httptest.NewRecorder()
	rest.Problem(w, r, err)
	return w
}

func TestEveryKindHasItsStatus(t *testing.T) {
	t.Parallel()
	kinds := map[errs.Kind]int{
		errs.Internal: 500, errs.Malformed: 400, errs.Unauthenticated: 401, errs.Forbidden: 403, errs.NotFound: 404, errs.Conflict: 409,
		errs.Stale: 412, errs.TooLarge: 413, errs.Invalid: 422, errs.Limited: 429, errs.Unavailable: 503, errs.TooSlow: 408, errs.NoRoom: 507,
	}
	for kind, status := range kinds {
		w := answer(t, fmt.Errorf("wrapped: %w", errs.New(kind, "some_code", "Do something.")))
		p := readProblem(t, w)
		if w.Code != status || p.RequestID != "req-1" || (kind != errs.Internal && (p.Code != "some_code" || p.Detail != "Do something.")) {
			t.Errorf("kind %d: %d %+v", kind, w.Code, p)
		}
	}
	if got := answer(t, errs.New(errs.Unauthenticated, "x", "Sign in.")).Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
		t.Errorf("WWW-Authenticate %q", got)
	}
}

func TestAnInternalCauseIsNeverShown(t *testing.T) {
	t.Parallel()
	hidden := errs.Wrap(errors.New("password hush"), errs.Internal, "secret_code", "hush")
	for _, err := range []error{errors.New("dial 10.0.0.7: password hush"), hidden} {
		w := answer(t, err)
		if p := readProblem(t, w); w.Code != 500 || p.Code != "internal" || strings.Contains(w.Body.String(), "hush") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	w := answer(t, errs.Wrap(errors.New("password hush"), errs.Unavailable, "away", "Try again."))
	if strings.Contains(w.Body.String(), "hush") {
		t.Errorf("%s", w.Body)
	}
}

func TestAProblemCarriesFieldsDataAndRetryAfter(t *testing.T) {
	t.Parallel()
	var f errs.Fields
	f.Add("name", "required", "A name is needed.")
	f.Add("count", "too_big", "At most %d.", 3)
	p := readProblem(t, answer(t, f.Err()))
	if p.Code != "validation_failed" || len(p.Errors) != 2 || p.Errors[1] != (errs.FieldError{Field: "count", Code: "too_big", Message: "At most 3."}) {
		t.Errorf("%+v", p)
	}
	e := errs.New(errs.Limited, "slow_down", "Wait a moment.")
	e.RetryAfter, e.Data = 1500*time.Millisecond, map[string]any{"limit": 5.0}
	w := answer(t, e)
	if p := readProblem(t, w); w.Header().Get("Retry-After") != "2" || p.Data["limit"] != 5.0 || len(p.Errors) != 0 {
		t.Errorf("%v %+v", w.Header(), p)
	}
}

func TestACallerWhoLeftIsNoFaultOfOurs(t *testing.T) {
	t.Parallel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	w := httptest.NewRecorder()
	rest.Problem(w, httptest.NewRequestWithContext(gone, http.MethodGet, "/", nil), errors.New("x"))
	if p := readProblem(t, w); w.Code != 400 || p.Code != "request_cancelled" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// table is a small API: two methods on one address, one of them closed to reps.
func table() http.Handler {
	hello := func(w http.ResponseWriter, r *http.Request) error {
		return rest.JSON(w, 200, map[string]string{"id": rest.PathParam(r, "id")})
	}
	var api rest.API
	api.Add(
		rest.Route{Method: "GET", Path: "/things/{id}", Name: "things.get", Object: "thing", Action: auth.Read, Handle: func(w http.ResponseWriter, r *http.Request) error {
			if _, err := rest.PathID(r, "id"); err != nil {
				return err
			}
			return hello(w, r)
		}},
		rest.Route{Method: "DELETE", Path: "/things/{id}", Name: "things.delete", Object: "thing", Action: auth.Delete, Handle: hello},
		rest.Route{Method: "GET", Path: "/open", Name: "open", Public: true, Handle: hello},
		rest.Route{Method: "GET", Path: "/me", Name: "me", Handle: hello},
	)
	r := chi.NewRouter()
	r.Route("/api/v1", func(r chi.Router) { api.Mount(r) })
	return r
}

func call(t *testing.T, a *auth.Actor, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	ctx := t.Context()
	if a != nil {
		ctx = auth.With(ctx, a)
	}
	w := httptest.NewRecorder()
	table().ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, "/api/v1"+path, nil))
	return w
}

func TestRoutesRefuseBeforeTheHandlerRuns(t *testing.T) {
	t.Parallel()
	rep := &auth.Actor{Kind: auth.User, TenantID: id.New(), ID: id.New(), Grants: auth.Grants{"thing:read": auth.Own}, RequestID: "req-9"}
	thing := "/things/" + id.New().String()
	tests := []struct {
		actor        *auth.Actor
		method, path string
		status       int
	}{
		{nil, "GET", "/open", 200},
		{nil, "GET", "/me", 401},
		{rep, "GET", "/me", 200},
		{nil, "GET", thing, 401},
		{rep, "GET", thing, 200},
		{rep, "DELETE", thing, 403},
		{rep, "GET", "/things/17", 404},
		{rep, "GET", "/things/" + strings.ReplaceAll(id.New().String(), "-", ""), 404},
		{rep, "GET", "/nothing", 404},
	}
	for _, tt := range tests {
		w := call(t, tt.actor, tt.method, tt.path)
		if w.Code != tt.status {
			t.Errorf("%s %s: %d, want %d: %s", tt.method, tt.path, w.Code, tt.status, w.Body)
		}
		if tt.status >= 400 {
			readProblem(t, w)
		}
	}
	if p := readProblem(t, call(t, rep, "DELETE", thing)); p.RequestID != "req-9" {
		t.Errorf("request id %q", p.RequestID)
	}
}

func TestAnotherMethodIsToldWhatTheAddressUnderstands(t *testing.T) {
	t.Parallel()
	w := call(t, nil, "PATCH", "/things/"+id.New().String())
	if p := readProblem(t, w); w.Code != 405 || w.Header().Get("Allow") != "DELETE, GET, HEAD, OPTIONS" || p.Code != "method_not_allowed" {
		t.Errorf("%d, Allow %q, %+v", w.Code, w.Header().Get("Allow"), p)
	}
	if w := call(t, nil, "POST", "/open"); w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("Allow %q", w.Header().Get("Allow"))
	}
}

func TestALaterRouteTakesThePlaceOfAnEarlierOne(t *testing.T) {
	t.Parallel()
	var api rest.API
	api.Add(rest.Route{Method: "GET", Path: "/a", Name: "first"}, rest.Route{Method: "POST", Path: "/a", Name: "post"})
	api.Add(rest.Route{Method: "GET", Path: "/a", Name: "second"})
	if r := api.Routes(); len(r) != 2 || r[0].Name != "second" || r[1].Name != "post" {
		t.Errorf("%+v", r)
	}
}

func TestIfMatchReadsAVersion(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]int64{rest.ETag(3): 3, `W/"12"`: 12, "7": 7} {
		r := request(t, "")
		r.Header.Set("If-Match", header)
		if got, err := rest.IfMatch(r); err != nil || got == nil || *got != want {
			t.Errorf("If-Match %s: %v, %v", header, got, err)
		}
	}
	for _, header := range []string{"", "*"} {
		r := request(t, "")
		r.Header.Set("If-Match", header)
		if got, err := rest.IfMatch(r); got != nil || err != nil {
			t.Errorf("If-Match %q: %v, %v", header, got, err)
		}
	}
	r := request(t, "")
	r.Header.Set("If-Match", `"abc"`)
	_, err := rest.IfMatch(r)
	refused(t, "If-Match abc", err, 400, "bad_if_match")
}
