// Package exporting writes what a list shows into a file: every row beyond the page,
// in the list's order, with the list's columns, filter, search and rights.
//
// # The way of an export
//
//	request → checks (object, right, filter, sort, columns) → exports row and job in
//	one transaction → one snapshot, read in batches → file → journal
//
// The request is kept as an address (status=new&sort=-score), not as SQL and not as
// ids: it is read again when the job runs, with the rights its author has by then.
//
// # Invariants
//
//   - A file holds what its author could see in one moment, and nothing else: scope,
//     filter and search are written by the same code as the list's (record.Stream).
//   - Memory does not grow with the number of rows: a batch of records and a window
//     of names are all that is held.
//   - Who may not see all of a file any more cannot load it, its author included.
//   - No cell of a CSV file is a formula (see csvsafe), and a CSV or NDJSON file can be
//     taken in again: headings are field names, amounts have their currency beside
//     them, texts come back as they were. What CSV cannot hold: a CR LF inside a text
//     comes back as LF, and the difference between an empty and an absent value.
//
// # Rights
//
// Reading is enough to export, as far as reading goes. A role may be held to less
// with object:export (or *:export) set to none, own or team; export never reaches
// further than read.
//
// # Failure
//
// A killed export begins again from its first row; the file is complete or absent.
// Files are deleted a day after they are done. Units: sizes are bytes, rates are rows a
// second.
//
// Not for: moving a whole workspace to another installation (crm tenant export), nor
// for a feed of changes (GET /changes).
package exporting
