// Package tenantfile writes everything one tenant has into a file, and makes the
// tenant again from it, in this installation or another.
//
// # The file
//
// A ZIP: data/<table>.ndjson for every table with a tenant_id (one row a line, as
// PostgreSQL writes it in JSON), data/tenants.ndjson with the tenant itself, and last
// manifest.json: version of the format and of the schema, columns, row counts and a
// SHA-256 of every part, and what was left out and why.
//
// # Invariants
//
//   - Tables and columns come from the catalogue, so a new table is in the file on the
//     day it is made; leaving one out needs a reason (Policy).
//   - A file is one moment: everything is read from one snapshot.
//   - Loading is one transaction, by the role of the program under row level security:
//     it cannot touch another tenant, and a part that is not as its hash says, or a row
//     that breaks a constraint, leaves nothing behind.
//   - Ids stay. The tenant's own id stays where it is free; where it is taken, a new one
//     takes its place wherever it stands.
//   - Places in the journal move by one distance, so their order and all references to
//     them (columns named seq or *_seq) stay true, and what is written next comes after.
//
// Memory is bounded by a batch of rows. Order of loading follows foreign keys; where
// they go in circles, columns that may be empty are filled in a second round.
//
// Not for: backups of an installation (a copy of the database is smaller and faster),
// nor for a part of a tenant (see exports).
package tenantfile
