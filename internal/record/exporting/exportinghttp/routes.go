// Package exportinghttp serves exports: over REST (ask, progress, file, cancel) and as
// pages that work without script. It holds no rule; those are in package exporting.
package exportinghttp

import (
	"crm/internal/platform/rest"
	"crm/internal/record/exporting"
)

// HTTP serves exports over REST.
type HTTP struct {
	exports *exporting.Service
}

// New makes the handlers of a service.
func New(s *exporting.Service) *HTTP { return &HTTP{exports: s} }

// Routes is the table. Which right a call needs depends on the object of the
// export, so the table names none and the service asks.
func (h *HTTP) Routes() []rest.Route {
	ids := map[string]string{"id": "export"}
	one := rest.Ref("Export")
	return []rest.Route{
		{Method: "POST", Path: "/exports", Name: "exports.create", Summary: "Export what a list shows, all pages of it, in the background", Tag: "exports", Status: 202, Body: rest.Ref("ExportInput"), Answer: one, Handle: h.create},
		{
			Method: "GET", Path: "/exports", Name: "exports.list", Summary: "The newest exports", Tag: "exports", Params: []rest.Param{{Name: "limit", Description: "1 to 200.", Schema: rest.Int}},
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(one)}, "data"), Handle: h.list,
		},
		{Method: "GET", Path: "/exports/{id}", Name: "exports.get", Summary: "How far an export has come", Tag: "exports", IDs: ids, Answer: one, Handle: h.get},
		{Method: "GET", Path: "/exports/{id}/file", Name: "exports.file", Summary: "The file of an export that is done; it is kept for a day", Tag: "exports", IDs: ids, File: "text/csv, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, application/x-ndjson", Handle: h.file},
		{Method: "POST", Path: "/exports/{id}/cancel", Name: "exports.cancel", Summary: "Stop an export", Tag: "exports", IDs: ids, Answer: one, Handle: h.cancel},
	}
}

// Schemas are the OpenAPI components of the routes.
func Schemas() map[string]rest.Schema {
	format := rest.Schema{"type": "string", "enum": []any{"csv", "xlsx", "ndjson"}}
	filter := rest.Schema{"description": `List parameters ({"status":"new","score[gte]":70}), a group of conditions ({"and":[…]}), or either as a text.`, "type": []any{"object", "string", "null"}}
	return map[string]rest.Schema{
		"ExportInput": rest.Obj(map[string]rest.Schema{
			"object": rest.Str, "format": format, "filter": filter, "q": rest.Str, "sort": rest.Str, "fields": rest.Array(rest.Str), "trash": rest.Bool, "view": rest.UUID,
		}, "object"),
		"Export": rest.Obj(map[string]rest.Schema{
			"id": rest.UUID, "object": rest.Str, "format": format, "state": {"type": "string", "enum": []any{"queued", "running", "done", "failed", "cancelled", "expired"}},
			"rows": rest.Int, "total": rest.Nullable(rest.Int), "bytes": rest.Int, "query": rest.Str, "fields": rest.Array(rest.Str), "file_name": rest.Str, "error": rest.Nullable(rest.Str),
			"created_at": rest.Time, "created_by": rest.Nullable(rest.UUID), "started_at": rest.Nullable(rest.Time), "finished_at": rest.Nullable(rest.Time), "expires_at": rest.Nullable(rest.Time),
		}, "id", "object", "format", "state", "rows", "bytes", "fields", "created_at"),
	}
}
