package app

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"crm/internal/activities/activitieshttp"
	"crm/internal/contacts/contactshttp"
	"crm/internal/deals/dealshttp"
	"crm/internal/identity/identityhttp"
	"crm/internal/leads/leadshttp"
	"crm/internal/messaging/messaginghttp"
	"crm/internal/objects/objectshttp"
	"crm/internal/platform/observe"
	"crm/internal/platform/rest"
	"crm/internal/record/exporting/exportinghttp"
	"crm/internal/record/importing/importinghttp"
	"crm/internal/record/recordhttp"
	"crm/internal/scoring/scoringhttp"
)

// Version is the program's version, shown by crm version and in the API.
const Version = "0.1.0"

// API is the table of every REST route; OpenAPI and the generated tests read it.
func (a *App) API() *rest.API {
	api := &rest.API{}
	api.Around(rest.Idempotent(a.db, a.box, a.now), recordhttp.Conditional(a.Kernel))
	api.Add(recordhttp.New(a.Kernel).WithUndos(a.Undos).Routes("message")...)
	api.Add(identityhttp.NewAPI(a.Identity).Routes()...)
	api.Add(scoringhttp.NewAPI(a.Scoring).Routes()...)
	api.Add(dealshttp.NewAPI(a.Deals).Routes()...)
	api.Add(importinghttp.New(a.Imports).Routes()...)
	api.Add(contactshttp.New(a.Contacts).Routes()...)
	api.Add(exportinghttp.New(a.Exports).Routes()...)
	api.Add(messaginghttp.New(a.Messaging).Routes()...)
	api.Add(leadshttp.New(a.Leads).Routes()...)
	api.Add(activitieshttp.New(a.Activities).Routes()...)
	api.Add(objectshttp.New(a.Objects).Routes()...)
	return api
}

// Handler is everything the public listener answers.
func (a *App) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(a.pace, a.requestID, a.recoverPanics, a.observeRequests, knownMethods)
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	r.Get("/readyz", observe.Ready(a.checks()))
	api := a.API()
	r.Route("/api", func(r chi.Router) {
		r.Use(apiHeaders, a.authenticateAPI, a.limits.count)
		r.Method("GET", "/openapi.json", rest.Plain(a.openAPI(api)))
		r.Route("/v1", api.Mount)
		rest.Nothing(r)
	})
	mountAssets(r)
	r.Group(func(r chi.Router) { a.mountPages(r, api) })
	guard := http.NewCrossOriginProtection()
	guard.AddInsecureBypassPattern("/api/v1/")
	return guard.Handler(r)
}
