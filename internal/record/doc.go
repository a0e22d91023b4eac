// Package record is the kernel: the one way data is described, read, changed and
// remembered.
//
// A Definition describes an object (its fields, their types, who owns rows). It
// comes from a Go struct with field tags, read once at start-up, or from the
// tenant's custom fields. A Record is one row of it in canonical values. An
// Object does everything any object can do: get, list, filter, sort, page,
// create, patch, delete, restore, batch, upsert, undo. Store[T] is the same with
// the context's own struct, for code that knows what it holds.
//
// # The one change path
//
// Every change, from whichever surface, takes these steps in one transaction:
//
//	permission → lock and load what the actor may see → apply the patch
//	(unknown field = error) → the context's hooks → write with version+1
//	→ journal → search document → commit → wake subscribers and caches
//
// There is no second path: imports and undo use the same one, in batches.
//
// # Invariants
//
//   - A row is never visible outside its tenant (row level security) nor outside
//     the actor's scope (one SQL predicate, see visible.go). Not visible = not
//     found.
//   - A committed change has exactly one journal row; a refused one has none.
//   - version grows by one with each change.
//   - Values in a Record are canonical: nil for empty, one Go type per field type.
//
// Not for: rules of the business. They live in the contexts as Hooks and acts.
package record
