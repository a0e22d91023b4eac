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
	"slices"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/platform/auth"
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
	Body    Schema // request body; nil = none
	Upload  bool   // multipart instead of JSON
	Status  int    // success status, 200 when 0
	Answer  Schema // success body; nil = none
	Handle  Handler
}

// API collects routes. It is filled at start-up and then only read.
type API struct {
	routes []Route
}

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

// Mount puts every route under r.
func (a *API) Mount(r chi.Router) {
	for _, route := range a.routes {
		r.Method(route.Method, route.Path, Serve(route))
	}
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		Problem(w, r, errs.New(errs.NotFound, "no_such_route", "There is nothing at this address. /api/openapi.json lists every call."))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { methodNotAllowed(w, r, a.routes) })
}

// Serve wraps a route: it refuses nobody and whoever lacks the route's right
// before the handler runs, and turns errors into problems.
func Serve(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := allowed(r.Context(), route); err != nil {
			Problem(w, r, err)
			return
		}
		if err := route.Handle(w, r); err != nil {
			Problem(w, r, err)
		}
	})
}

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

// PathParam is a raw path parameter, already unescaped by the router.
func PathParam(r *http.Request, name string) string { return chi.URLParam(r, name) }
