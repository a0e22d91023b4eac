// Package recordpage gives every object of the kernel its pages: list, record,
// new, edit, history, bulk acts, search and the command palette. A custom field or
// a custom object appears on them the day it is made. It also holds the Shell, the
// frame that every page inside a workspace stands in, which contexts use for pages
// of their own.
//
// # Addresses
//
//	/{workspace}/{objects}                 list; all of its state is in the query,
//	                                       in the filter grammar of the API
//	/{workspace}/{objects}/new             form
//	/{workspace}/{objects}/{id}            record, /edit, /history
//	/{workspace}/{objects}/{id}/fields/{f} POST: one value, changed in place
//	/{workspace}/undo                      POST seq or batch_id
//	/{workspace}/search, /palette, /lookup/{objects}
//
// # How a context adds to a page
//
// AddView puts another way to look at a list beside the table (a board). AddPanel
// puts a titled box onto a record; a panel that fails becomes a quiet note, never a
// broken page. Extend may change the finished record page (a stage path, more
// buttons). All three are called at composition only.
//
// # Invariants
//
//   - Nothing here decides who may see or do what: every read and write goes
//     through the kernel with the reader's actor. Buttons a role cannot use are
//     left out, and pressing one anyway is refused by the kernel.
//   - A page asks for related names in one query per object, never per row.
//   - A change made here says how to undo it.
//   - A form that lost a race keeps what was typed. Fields that nobody else
//     touched are saved; of the others both values are shown.
//
// Not for: pages without a workspace (sign-in, public forms).
package recordpage
