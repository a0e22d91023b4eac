// Package migrate brings a database to the state this binary expects, and tells how far from it a database is.
//
// Two histories are kept: ours (package migrations, applied with goose, recorded in public.goose_db_version) and the
// job queue's (River's own steps in schema "river", recorded in river.river_migration). [Up] applies both, then renews
// the grants of crm_app on the queue.
//
// # Invariants
//
//   - One migrator at a time per database: an advisory lock is held on a connection of its own around everything, so
//     several replicas may all call Up at their start and the later ones find nothing left to do. The address must reach
//     PostgreSQL itself or a pooler in session mode.
//   - Each step is a transaction. A failure leaves the database at the last whole step, and Up continues from there.
//   - A statement waits at most five seconds for a table lock. Waiting longer would queue every other query on that table
//     behind it; Up retries a few times instead and then gives up with ErrLocked.
//   - A database that has steps this binary does not know is refused with ErrNewer: an old binary would damage it.
//
// Everything here connects as crm_owner, except [Pending] and [OpenTables] which the running program may ask as crm_app.
// It does not create roles, databases or extensions; that needs a superuser (package embedpg, or an administrator).
package migrate
