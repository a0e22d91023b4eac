package app

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"crm/internal/platform/auth"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/exporting/exportinghttp"
	"crm/internal/record/importing/importinghttp"
	"crm/internal/record/recordhttp"
)

// openAPI serves the document; with a key it tells of the tenant's own fields.
func (a *App) openAPI(api *rest.API) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		doc, err := a.OpenAPI(r.Context(), api)
		if err != nil {
			return err
		}
		w.Header().Set("Cache-Control", "no-cache")
		return rest.Raw(w, 200, doc)
	}
}

// OpenAPI writes the document of the route table.
func (a *App) OpenAPI(ctx context.Context, api *rest.API) ([]byte, error) {
	var defs []*record.Definition
	routes, objects := a.documented(ctx, api)
	for _, o := range objects {
		def := o.Def
		if auth.From(ctx) != nil {
			var err error
			if def, err = a.Kernel.Definition(ctx, def.Name); err != nil {
				return nil, err
			}
		}
		defs = append(defs, def)
	}
	schemas := recordhttp.Schemas(defs)
	maps.Copy(schemas, importinghttp.Schemas())
	maps.Copy(schemas, exportinghttp.Schemas())
	return rest.OpenAPI(routes, Version, a.Cfg.URL()+"/api/v1", schemas)
}

// documented are the calls and objects of a document. The tenant's own objects stand in
// the tenant's document under their addresses; in everybody's, one row speaks for all.
func (a *App) documented(ctx context.Context, api *rest.API) ([]rest.Route, []*record.Object) {
	if auth.From(ctx) == nil {
		return api.Routes(), append(a.Kernel.Objects(), a.Kernel.OwnTemplate())
	}
	var routes []rest.Route
	for _, r := range api.Routes() {
		if !strings.HasPrefix(r.Path, "/{"+recordhttp.OwnParam+"}") {
			routes = append(routes, r)
		}
	}
	objects := a.Kernel.ObjectsFor(ctx)
	return append(routes, recordhttp.New(a.Kernel).OwnRoutes(objects)...), objects
}
