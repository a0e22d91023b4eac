package rest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// JSON writes v with the status.
func JSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return Raw(w, status, b)
}

// Raw writes an already encoded JSON body.
func Raw(w http.ResponseWriter, status int, b []byte) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, err := w.Write(append(b, '\n'))
	return err
}

// Encoded writes a JSON body that is kept and shared, line feed included, as it is.
func Encoded(w http.ResponseWriter, status int, b []byte) error {
	h := w.Header()
	h["Content-Type"], h["Content-Length"] = jsonType, []string{strconv.Itoa(len(b))}
	w.WriteHeader(status)
	_, err := w.Write(b)
	return err
}

var jsonType = []string{"application/json; charset=utf-8"}

// NoContent answers 204.
func NoContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ETag is the header value for a record version.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// statuses maps error kinds to HTTP.
var statuses = map[errs.Kind]int{
	errs.Internal: 500, errs.Malformed: 400, errs.Unauthenticated: 401, errs.Forbidden: 403, errs.NotFound: 404,
	errs.Conflict: 409, errs.Stale: 412, errs.TooLarge: 413, errs.Invalid: 422, errs.Limited: 429, errs.Unavailable: 503,
	errs.TooSlow: 408, errs.NoRoom: 507,
}

// StatusOf is the HTTP status of an error.
func StatusOf(err error) int {
	if e := errs.As(err); e != nil && e.Code == "unsupported_media_type" {
		return http.StatusUnsupportedMediaType
	}
	return statuses[errs.KindOf(err)]
}

// problem is RFC 9457 with our code, request id and field errors.
type problem struct {
	Type      string            `json:"type"`
	Title     string            `json:"title"`
	Status    int               `json:"status"`
	Detail    string            `json:"detail"`
	Code      string            `json:"code"`
	RequestID string            `json:"request_id"`
	Errors    []errs.FieldError `json:"errors"`
	Data      map[string]any    `json:"data,omitempty"`
	// Candidates are the records that a refused create would have doubled.
	Candidates any `json:"candidates,omitempty"`
}

// Problem answers with the error. Internal causes are logged with the request id
// and never shown.
func Problem(w http.ResponseWriter, r *http.Request, err error) {
	status := StatusOf(err)
	e := errs.As(err)
	switch {
	case e == nil && errors.Is(r.Context().Err(), context.Canceled):
		// The caller has gone, or sent half a request and waits: no fault of ours.
		status, e = http.StatusBadRequest, errs.New(errs.Malformed, "request_cancelled", "The connection broke off before the request was done. Nothing was changed.")
	case e == nil || status == 500:
		slog.ErrorContext(r.Context(), "request failed", "error", err, "path", r.URL.Path, "request_id", RequestID(r))
		e = errs.New(errs.Internal, "internal", "Something went wrong on our side. Give your admin the request id.")
	}
	h := w.Header()
	if wait := retryAfter(e, status); wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="crm"`)
	}
	writeProblem(w, r, status, e)
}

// retryAfter is never left to guessing for failures that pass.
func retryAfter(e *errs.Error, status int) time.Duration {
	if e.RetryAfter == 0 && (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) {
		return 2 * time.Second
	}
	return e.RetryAfter
}

func writeProblem(w http.ResponseWriter, r *http.Request, status int, e *errs.Error) {
	p := problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.Message, Code: e.Code, RequestID: RequestID(r), Errors: e.Fields, Data: e.Data}
	if p.Errors == nil {
		p.Errors = []errs.FieldError{}
	}
	if list := e.Data["candidates"]; list != nil {
		p.Candidates, p.Data = list, nil
	}
	h := w.Header()
	for _, name := range []string{"ETag", "Location", "Content-Disposition"} {
		h.Del(name) // of an answer that was begun
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	b, _ := json.Marshal(p)
	_, _ = w.Write(append(b, '\n'))
}

// RequestID is the id of this request in logs, journal and answers.
func RequestID(r *http.Request) string {
	if a := auth.From(r.Context()); a != nil && a.RequestID != "" {
		return a.RequestID
	}
	return r.Header.Get("X-Request-Id")
}

// methodNotAllowed lists what the address does understand.
func methodNotAllowed(w http.ResponseWriter, r *http.Request, routes []Route) {
	path := r.URL.EscapedPath()
	if rc := chi.RouteContext(r.Context()); rc != nil && rc.RoutePath != "" {
		path = rc.RoutePath
	}
	NotAllowed(w, r, strings.Join(methods(routes, func(p string) bool { return matches(p, path) }), ", "))
}

// NotAllowed answers 405 with what would have been understood.
func NotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	writeProblem(w, r, http.StatusMethodNotAllowed, errs.New(errs.Malformed, "method_not_allowed", "This address understands %s.", allow))
}

// methods lists what the fitting routes understand.
func methods(routes []Route, fits func(path string) bool) []string {
	allow := []string{http.MethodOptions}
	add := func(m string) {
		if !slices.Contains(allow, m) {
			allow = append(allow, m)
		}
	}
	for _, route := range routes {
		if !fits(route.Path) {
			continue
		}
		add(route.Method)
		if route.Method == http.MethodGet {
			add(http.MethodHead)
		}
	}
	slices.Sort(allow)
	return allow
}

// options tells what an address understands. The preflight of another site's page
// is only answered where such pages are welcome: they could not send a key anyway.
func (a *API) options(path string) http.Handler {
	allow := strings.Join(methods(a.routes, func(p string) bool { return p == path }), ", ")
	browser := slices.ContainsFunc(a.routes, func(r Route) bool { return r.Path == path && r.Browser })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Allow", allow)
		if browser && r.Header.Get("Origin") != "" {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Allow-Methods", allow)
			h.Set("Access-Control-Allow-Headers", "Content-Type, Idempotency-Key")
			h.Set("Access-Control-Max-Age", "86400")
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// matches compares a pattern with a path, segment by segment.
func matches(pattern, path string) bool {
	a, b := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !strings.HasPrefix(a[i], "{") && a[i] != b[i] {
			return false
		}
	}
	return true
}
