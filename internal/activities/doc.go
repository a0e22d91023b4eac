// Package activities keeps what people do and mean to do: tasks, calls, meetings,
// e-mails and notes, and which records they are about.
//
// # Nouns
//
// An activity has a type and a subject. It may be due at a moment, it is done at
// another, and it is about up to 20 records: its related list. A task without
// done_at is open.
//
// # Invariants
//
//   - Every activity has a subject; a note without one is named by its first line.
//   - A record that is added to the related list exists, is not in the bin and is
//     visible to whoever adds it. What is already in the list may stay: a colleague
//     may hide a record from the owner of an activity without breaking it.
//   - activity_links holds exactly the related lists, turned round. It is written
//     in the transaction of the activity, also by an undo.
//   - A deal's next_activity_at is the earliest due moment of its open activities.
//     Whoever changes one of them computes it anew, one after another per deal.
//
// # The timeline
//
// An activity refers to its related records, so that its changes stand on their
// timelines. Completing and reopening are the acts completed and reopened.
//
// # Ports
//
// NextActivity (ports.go) writes the moment into the deals.
//
// Not for: sent messages. The messaging context tells of those itself.
package activities
