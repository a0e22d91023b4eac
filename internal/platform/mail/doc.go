// Package mail turns a message into the bytes of RFC 5322 and hands them to an SMTP server, telling exactly what is
// known afterwards.
//
// [Message.Bytes] builds: encoded words, quoted-printable, CRLF line ends, folded headers. A CR, LF or NUL in any header
// value is an error instead of being repaired, because it is an attack or a bug and both should be seen.
//
// [Sender] sends one message to one recipient over a pool of connections that stay open. One recipient per transaction
// is a decision: the answer then belongs to that recipient, and a bad address cannot hold up a good one.
//
// What matters most is the error, because a campaign lives from it. Every failure of [Sender.Send] is a [*SendError]
// with a [Class]:
//
//	Temporary  try again later, counts as an attempt
//	RouteBusy  the server wants less traffic: try again later, does not count as an attempt
//	Permanent  the address is bad: do not try again, suppress it
//	Block      policy or content was refused: do not try again, the address is not at fault
//	Config     sign-in, TLS or settings of this route are wrong: stop the route and tell a person
//	InDoubt    the message was handed over completely and the connection was lost before the answer
//
// InDoubt and Temporary are separated by one fact that the sender tracks exactly: whether the last byte of the final
// dot was given to the kernel. Before that byte no server can have accepted the message, so trying again is free of
// risk. After it nobody can know, and only the caller's policy may decide between a possible second copy and a possible
// loss. For the same reason cancelling the context after that byte does not cut the line at once: the answer is awaited
// a short while longer, since an answer in hand is worth more than a quick return.
//
// Units: durations are per step, not per message. Sizes are bytes. Times are UTC.
//
// The package does not queue, retry, sign with DKIM or limit rates; jobs, providers and buckets do that above it. It
// dials only through the function it is given, which in production is egress.
package mail
