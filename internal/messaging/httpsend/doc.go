// Package httpsend hands messages to a provider over HTTP: an endpoint of the
// tenant's own that speaks one small protocol, so that any service can be joined
// with a few lines of code.
//
// # The protocol
//
// Each message is one POST with a JSON body
//
//	{"type":"message","id":"…","channel":"email","class":"transactional","to":"…","from":"…",
//	 "subject":"…","text":"…","html":"…","message_id":"…","headers":{…}}
//
// and the header Idempotency-Key. Every further try of the same message carries
// the same key and the same body; the endpoint must then answer as it did the
// first time and do nothing else. Where it cannot, Idempotent is switched off, and
// what was cut off in the middle is in doubt instead of tried again.
//
// Credentials go into one header, by default "Authorization: Bearer …".
//
// Any 2xx means taken over; a body {"id":"…"} names it over there. Else:
//
//	429, or 503 with Retry-After   wants less traffic: later, does not count
//	408, 409, 425, 5xx             later, counts
//	401, 403, 3xx, 404, 405, 410   the settings are wrong
//	{"code":"invalid_recipient"}   with 400 or 422: the address is bad
//	other 4xx                      refused
//
// A test is a POST with {"type":"test"}.
//
// What the endpoint answers is never shown beyond its status: the address was
// typed by a tenant, and the answer may be of a machine it must not read.
//
// Not for: retries, choosing between providers, and callbacks.
package httpsend
