// Package objects keeps what people make of lists: saved views and segments.
//
// # Nouns
//
// A view is a way to look at the list of one object: filter, search, sort,
// columns. A segment is a named set of records of one object: dynamic (a filter)
// or static (a list of records). Both store filters in the kernel's grammar, with
// relative dates and "me" as words, so that they mean today's week and whoever
// looks.
//
// # Invariants
//
//   - Sharing never widens rows: a view or a dynamic segment is evaluated with the
//     rights of whoever uses it. Two people may see different members.
//   - A private view exists for its owner only, also for admins. A view without an
//     owner (made by an API key) is everybody's.
//   - The object of a view or segment, and the kind of a segment, never change. A
//     dynamic segment becomes a static one as a snapshot, which is a new segment.
//   - Stored filters were valid when they were stored. A field may go later; the
//     view or segment then says so when it is used and never shows more instead.
//   - Only records their maker may see can be put into a static segment. A record in
//     the bin stays a member and is not listed.
//
// # The journal
//
// Views and segments are ordinary records of the kernel: changes, undo, API and
// permissions come from it. Changed members are one happening, members_changed,
// with counts; undo does not reach them.
//
// Not for: who receives a campaign. Campaigns ask for the segment's records as
// their owner (Service.Query).
package objects
