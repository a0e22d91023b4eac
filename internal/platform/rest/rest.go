// Package rest is the JSON edge: a route table that knows what each call needs
// and answers, strict decoding, one error format, and the OpenAPI document made
// from the very table that is served.
//
// A handler decodes, calls a service or the record kernel, and encodes; it holds
// no rule. Every 4xx and 5xx, from whichever layer, is problem+json (RFC 9457).
package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
)

// Schema is a JSON Schema fragment.
type Schema map[string]any

// Param describes a query parameter.
type Param struct {
	Name        string
	Description string
	Schema      Schema
}

// Handler answers one call; what it returns as error becomes a problem.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Route is one row of the route table. Path is below /api/v1 in chi's pattern
// language; path parameters that hold record ids name their object in IDs, so
// that the isolation test can put another tenant's id there.
type Route struct {
	Method  string
	Path    string
	Name    string // operation id, unique: "contacts.list"
	Summary string
	Tag     string
	Object  string      // whose permission is needed; "" = any signed-in caller
	Action  auth.Action //
	Public  bool        // no sign-in at all
	IDs     map[string]string
	Params  []Param
	Filters bool   // also takes filters: field=value and field[op]=value
	Body    Schema // request body; nil = none
	Upload  bool   // multipart instead of JSON
	MaxBody int64  // bytes of the body of a keyed request, MaxBody when 0
	Browser bool   // other sites' pages may call it: public forms
	Status  int    // success status, 200 when 0
	Also    []int  // other success statuses with the same body (200 beside 201)
	Answer  Schema // success body; nil = none
	File    string // media types, by comma, of an answer that is no JSON
	Handle  Handler
}

// Around wraps the handler of a route; it runs for callers who have the route's
// right.
type Around func(Route, Handler) Handler

// API collects routes. It is filled at start-up and then only read.
type API struct {
	routes []Route
	around []Around
}

// Around adds a wrapper to every route; the first one added is the outermost.
func (a *API) Around(w ...Around) { a.around = append(a.around, w...) }

// Add appends routes to the table. A route with the method and path of an earlier
// one takes its place, so that a context can answer more than the generic call.
func (a *API) Add(routes ...Route) {
	for _, r := range routes {
		same := func(o Route) bool { return o.Method == r.Method && o.Path == r.Path }
		if i := slices.IndexFunc(a.routes, same); i >= 0 {
			a.routes[i] = r
			continue
		}
		a.routes = append(a.routes, r)
	}
}

// Routes is the whole table, for OpenAPI and the generated tests.
func (a *API) Routes() []Route { return a.routes }

// Mount puts every route under r. Reading calls answer HEAD as well, and every
// address tells by OPTIONS what it understands. Routes whose first part is a parameter
// are asked last, so that a fixed address that does not understand a method says so.
func (a *API) Mount(r chi.Router) {
	asked := map[string]bool{}
	open := chi.NewRouter()
	for _, route := range a.routes {
		to, h := r, Serve(route, a.around...)
		if strings.HasPrefix(route.Path, "/{") {
			to = open
		}
		to.Method(route.Method, route.Path, h)
		if route.Method == http.MethodGet {
			to.Method(http.MethodHead, route.Path, h)
		}
		if !asked[route.Path] {
			asked[route.Path] = true
			to.Method(http.MethodOptions, route.Path, a.options(route.Path))
		}
	}
	Nothing(open)
	r.NotFound(open.ServeHTTP)
	for _, r := range []chi.Router{r, open} {
		r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { methodNotAllowed(w, r, a.routes) })
	}
}

// Nothing makes unknown addresses below r a problem rather than a page.
func Nothing(r chi.Router) {
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		Problem(w, r, errs.New(errs.NotFound, "no_such_route", "There is nothing at this address. /api/openapi.json lists every call."))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { NotAllowed(w, r, "GET, HEAD") })
}

// Serve wraps a route: it refuses nobody, whoever lacks the route's right, and
// parameters the route does not know, all before the handler runs, and turns
// errors into problems.
func Serve(route Route, around ...Around) http.Handler {
	handle := route.Handle
	for _, wrap := range slices.Backward(around) {
		handle = wrap(route, handle)
	}
	return Plain(func(w http.ResponseWriter, r *http.Request) error {
		if err := allowed(r.Context(), route); err != nil {
			return err
		}
		if err := knownParams(r, route); err != nil {
			return err
		}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return handle(w, r)
		}
		return honestly(w, r, handle)
	})
}

// honestly runs a call that changes something. When the database goes away between the
// commit and the answer, "try again" would double what was done.
func honestly(w http.ResponseWriter, r *http.Request, handle Handler) error {
	ctx, committed := db.Committed(r.Context())
	err := handle(w, r.WithContext(ctx))
	if errs.KindOf(err) != errs.Unavailable || errs.As(err) == nil || !committed() {
		return err
	}
	e := errs.Wrap(err, errs.Unavailable, "outcome_unknown",
		"The change was saved, at least in part, but the database went away before it could be shown. Look before you repeat it; a repeat with the same Idempotency-Key is safe.")
	e.RetryAfter = errs.As(err).RetryAfter
	return e
}

// Plain serves a handler that is no row of the table.
func Plain(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			Problem(w, r, err)
		}
	})
}

// knownParams refuses what nobody would read: a misspelt parameter that is
// silently ignored returns the wrong rows. Public calls are reached by links and
// callbacks that others add parameters to.
func knownParams(r *http.Request, route Route) error {
	if r.URL.RawQuery == "" || route.Public {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || !utf8.ValidString(r.URL.RawQuery) {
		return errs.New(errs.Malformed, "bad_parameter", "The query string could not be read.")
	}
	var refused errs.Fields
	for name, values := range query {
		known := slices.ContainsFunc(route.Params, func(p Param) bool { return p.Name == name })
		switch {
		case !known && !route.Filters:
			refused.Add(name, "unknown_parameter", "There is no parameter %q here.", name)
		case known && len(values) > 1:
			refused.Add(name, "duplicate_parameter", "The parameter %q stands twice.", name)
		case slices.ContainsFunc(values, unfit):
			refused.Add(name, "bad_text", "The value of %q is not valid UTF-8 or holds a NUL character.", name)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	e := errs.New(errs.Malformed, "bad_parameter", "%s", refused[0].Message)
	e.Fields = refused
	return e
}

// unfit tells texts the database could not keep.
func unfit(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) }

func allowed(ctx context.Context, route Route) error {
	if route.Public {
		return nil
	}
	if _, err := auth.Must(ctx); err != nil {
		return err
	}
	if route.Object == "" {
		return nil
	}
	_, _, err := auth.Require(ctx, route.Object, route.Action)
	return err
}

// PathID reads a record id from the path. Anything that is no UUID is simply not
// found, like any other id that does not exist.
func PathID(r *http.Request, name string) (uuid.UUID, error) {
	u, ok := id.Parse(chi.URLParam(r, name))
	if !ok {
		return uuid.Nil, errs.Missing("record")
	}
	return u, nil
}

// PathParam is a path parameter as the caller meant it. The router matches the
// escaped path when that differs from Go's own way to escape, as in ada%40acme.test,
// and then leaves the escapes in.
func PathParam(r *http.Request, name string) string {
	raw := chi.URLParam(r, name)
	if r.URL.RawPath == "" {
		return raw
	}
	if s, err := url.PathUnescape(raw); err == nil {
		return s
	}
	return raw
}
