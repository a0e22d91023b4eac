package recordhttp

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// OwnParam is the path parameter that stands for a tenant's own object.
const OwnParam = "custom_object"

// ownRoutes are the calls of tenants' own objects, which are known by request only:
// one row of the table for each call of any object, with the plural as parameter. The
// routes of built-in objects are more exact and win. The right that is needed depends
// on the object, so it is asked for here instead of by the table.
func (a *API) ownRoutes() []rest.Route {
	o := a.k.OwnTemplate()
	o.Def.Plural = "{" + OwnParam + "}"
	routes := append(a.reads(o), a.writes(o)...)
	for i := range routes {
		r := &routes[i]
		_, call, _ := strings.Cut(r.Name, ".")
		r.Name, r.Tag, r.Object = "custom_records."+call, "custom_records", ""
		r.Summary = strings.ReplaceAll(r.Summary, o.Def.Plural, "custom records")
		r.Handle = a.own(r.Method, call, r.Action)
	}
	return routes
}

// own finds the object of the path and serves the call as any object serves it.
func (a *API) own(method, call string, action auth.Action) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		o, err := a.k.OwnPlural(r.Context(), chi.URLParam(r, OwnParam))
		if err != nil {
			return err
		}
		if _, _, err := auth.Require(r.Context(), o.Def.Name, action); err != nil {
			return err
		}
		return a.call(o, method, call)(w, r)
	}
}

// call is the handler of one call of an object.
func (a *API) call(o *record.Object, method, call string) rest.Handler {
	if method == http.MethodGet {
		return pick(a.reads(o), call)
	}
	if h := pick(a.reads(o), call); h != nil { // figures are asked for by POST
		return h
	}
	return pick(a.writes(o), call)
}

func pick(routes []rest.Route, call string) rest.Handler {
	for _, r := range routes {
		if strings.HasSuffix(r.Name, "."+call) {
			return r.Handle
		}
	}
	return nil
}

// OwnRoutes are the calls of the tenant's own objects under their real addresses, for
// the tenant's OpenAPI document.
func (a *API) OwnRoutes(objects []*record.Object) []rest.Route {
	var out []rest.Route
	for _, o := range objects {
		if o.Def.Own() {
			out = append(append(out, a.reads(o)...), a.writes(o)...)
		}
	}
	return out
}
