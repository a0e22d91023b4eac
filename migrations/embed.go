// Package migrations holds the database's history: one SQL file per step, in goose's format, embedded into the program.
//
// A file is named <UTC timestamp>_<context>_<what>.sql and is never changed once it has been released; a mistake is
// mended by the next file. Every step runs as crm_owner in a transaction of its own, with a lock timeout (see package
// migrate), so a step either happens wholly or not at all. A statement that cannot run in a transaction (create index
// concurrently) goes into a file of its own that begins with "-- +goose NO TRANSACTION" and must be repeatable.
//
// Rules for tables: tenant_id first in every key; after creating a tenant's table call app_protect_tenant_table on it,
// or app_append_only when rows may never change. No table is granted to public, none to crm_app by default.
package migrations

import "embed"

// FS holds all migrations at its root.
//
//go:embed *.sql
var FS embed.FS
