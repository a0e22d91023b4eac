package rest

import (
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

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

// IfMatch reads the version the caller expects; nil when it does not say.
func IfMatch(r *http.Request) (*int64, error) {
	h := r.Header.Get("If-Match")
	if h == "" || h == "*" {
		return nil, nil
	}
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(h, "W/"), `"`), 10, 64)
	if err != nil {
		return nil, errs.New(errs.Malformed, "bad_if_match", `If-Match must be a version like "3".`)
	}
	return &n, nil
}

// statuses maps error kinds to HTTP.
var statuses = map[errs.Kind]int{
	errs.Internal: 500, errs.Malformed: 400, errs.Unauthenticated: 401, errs.Forbidden: 403, errs.NotFound: 404,
	errs.Conflict: 409, errs.Stale: 412, errs.TooLarge: 413, errs.Invalid: 422, errs.Limited: 429, errs.Unavailable: 503,
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
	if r.Context().Err() != nil {
		return // the caller has gone; there is nobody to tell
	}
	if e == nil || status == 500 {
		slog.ErrorContext(r.Context(), "request failed", "error", err, "path", r.URL.Path, "request_id", RequestID(r))
		e = errs.New(errs.Internal, "internal", "Something went wrong on our side. Give your admin the request id.")
	}
	p := problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.Message, Code: e.Code, RequestID: RequestID(r), Errors: e.Fields, Data: e.Data}
	if p.Errors == nil {
		p.Errors = []errs.FieldError{}
	}
	if list := e.Data["candidates"]; list != nil {
		p.Candidates, p.Data = list, nil
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="crm"`)
	}
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
	path := r.URL.Path
	if rc := chi.RouteContext(r.Context()); rc != nil && rc.RoutePath != "" {
		path = rc.RoutePath
	}
	var allow []string
	for _, route := range routes {
		if matches(route.Path, path) && !slices.Contains(allow, route.Method) {
			allow = append(allow, route.Method)
		}
	}
	slices.Sort(allow)
	w.Header().Set("Allow", strings.Join(allow, ", "))
	p := problem{
		Type: "about:blank", Title: http.StatusText(http.StatusMethodNotAllowed), Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Errors: []errs.FieldError{},
		Detail: "This address understands " + strings.Join(allow, ", ") + ".", RequestID: RequestID(r),
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusMethodNotAllowed)
	b, _ := json.Marshal(p)
	_, _ = w.Write(append(b, '\n'))
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
