// Package ui is the product's face: view structs and the templ components that
// draw them. It knows nothing about records, tenants or SQL; handlers fill a
// struct and render it.
//
// # How a page is made
//
// Every page struct (ListPage, RecordPage, BoardPage, …) is itself a
// templ.Component, and so is every Value that stands in a cell. A handler
// therefore writes
//
//	ui.Screen{Layout: layout, Body: ui.ListPage{…}}.Render(ctx, w)
//
// or, inside a templ file of its own,
//
//	@ui.Page(layout) { @ui.ListPage{…} }
//
// Pages outside a workspace (sign-in, public form, unsubscribe) stand in Bare.
//
// # What the server promises
//
//   - GET never changes anything. POST answers 303 to a page on success, 422
//     with the same page and its errors, 409 with a page that tells what happened.
//     The script layer follows exactly this contract, so a form without script
//     and a form with script hit the same handler.
//   - A flash message set before the 303 comes back as Layout.Toast. Its Undo is
//     a plain form; the `u` key and the toast button submit it.
//   - Money is int64 minor units with an ISO code, times are UTC; Format turns
//     them into words for the reader (locale, zone, now). Page puts the Format
//     into the context; fragments rendered alone use WithFormat.
//   - All text inside view structs is final, already in the reader's language.
//     Words the components add themselves live in words.go.
//
// # What it is not for
//
// No permission check happens here: an action that must not be used is left out
// of the struct, or carries a Reason why it is off. No markup is accepted as
// text; the only raw HTML enters as templ.Component made by other templ code.
package ui
