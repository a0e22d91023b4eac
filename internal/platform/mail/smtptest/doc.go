// Package smtptest is a real SMTP server for tests and benchmarks: it speaks the protocol over a socket, accepts
// everything by default, and remembers what it accepted so that a test can say "each recipient exactly once".
//
//	sink := smtptest.Start(t)
//	... send to sink.Addr() ...
//	sink.Wait(ctx, 100)
//	sink.Stats() // messages, recipients, duplicates
//
// Misbehaviour is scripted with [Rule]: refuse matching recipients with a code, forever or a number of times; answer
// late; never answer after the final dot; cut the connection after the dot but before the answer. The last two make
// the moment in which no client can know whether the mail was taken, and the reason campaigns need an in-doubt state.
// A message that was read up to its dot counts as accepted even when its answer never left ([Envelope].Answered is
// false), because that is what real servers do.
//
// [Start] is for tests and closes itself; [Listen] is for a separate process, so that a fault test can kill the sender
// and keep the evidence. The package does not deliver, store or relay, and must never listen on a public address.
package smtptest
