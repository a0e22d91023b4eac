// Package page is the HTML edge: security headers with a fresh nonce, rendering
// into memory before the first byte leaves, error pages, flash messages, and live
// updates. It holds no business noun and knows no component; what a page looks
// like is handed in as a templ.Component.
//
// # The contract with forms
//
// GET never changes anything. A POST that worked answers 303 with, usually, a
// flash message that the next page shows. A POST that was refused answers 422
// with the same page, its errors and what was typed. Everything else is an error
// page. A form without script and a form sent by script get the same answers.
//
// # Failure
//
// A handler returns its error; Handle turns it into an answer by its errs.Kind.
// Nobody signed in means the sign-in page, with the way back. An internal error
// is logged once with the request id and shown without its cause.
//
// # Live
//
// Live tells open pages that a record changed, never what changed: each page
// fetches itself again with the rights of its reader. A lost message costs a stale
// page until the next one, so nothing is queued for whoever is away.
//
// Not for: JSON (see rest), sessions (see identity), assets (see crm/web).
package page
