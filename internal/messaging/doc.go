// Package messaging sends messages to people and can say of each one what became
// of it.
//
// # Nouns
//
// A message is the intent to tell one address something, and the record of it. A
// template is text with places for names and figures. A provider is a way out (an
// SMTP server, an HTTP endpoint), several per channel in the order of priority. A
// suppression is an address that must not be written to, and why. An attempt is
// one try to hand a message to a provider.
//
// # States
//
//	scheduled → queued → sending → sent → delivered
//	scheduled, queued → cancelled
//	scheduled, queued → suppressed     the address is on the list
//	sending → queued                   try again later (next_attempt_at), or wait for a provider (last_error says so)
//	sending → bounced                  the address is bad; it is suppressed
//	sending → failed                   refused for another reason, or given up
//	sending → in_doubt                 handed over, but nobody knows whether it was taken
//	failed, in_doubt → queued          by Retry only
//
// # The send path
//
// No protocol gives exactly-once delivery to an outside party. What is promised:
// nothing acknowledged is lost, and nothing is sent twice behind anyone's back.
//
//  1. The message row is the intent. It commits together with its job, or, when it
//     is for later, with the time at which the dispatcher makes one.
//  2. Before the wire a claim commits: status sending, the next attempt number, the
//     Message-ID, a row in message_attempts. Two workers cannot both claim.
//  3. Then the message goes out. No transaction is open meanwhile.
//  4. The result is written only if the attempt number is still its own.
//
// A crash between 2 and 4 leaves at most one message per worker that nobody can
// know about. With SMTP it becomes in_doubt, for both classes: it is shown, and a
// person decides (Retry, with the same Message-ID, so that most mail programs
// show a second copy as one). An HTTP provider that honours Idempotency-Key is
// simply asked again with the same key. A process that wakes up late may still
// turn in_doubt into the truth it knows, but changes nothing once Retry was used.
//
// Trying again: temporary failures back off (Policy) and count; a provider that
// wants less traffic does not count but has Policy.GiveUpAfter in all. The next
// provider is tried at once only if this one could not be reached. Never after a
// refusal, never in doubt. Each process keeps a lane per provider (lane.go): no
// provider, however slow, gets all workers; one that is down or asked for a pause is
// left alone meanwhile, without using up attempts.
//
// # Invariants
//
//   - Status changes are journalled under their own words: scheduled, queued,
//     suppressed, sent, deferred, waiting, bounced, failed, in_doubt, cancelled,
//     retried, unsubscribed. Claims are not; message_attempts tells them.
//   - What was rendered when the message was made is what is sent; every attempt
//     carries the same bytes but for the date.
//   - Suppression is checked when a message is made and again in the claim. An
//     unsubscribe holds back marketing only, all other reasons hold back all.
//   - Credentials are sealed for their row, never read back by anyone but the send
//     path, and have to be entered again when the server they are for changes.
//
// # Needs
//
// People and their addresses come through the record kernel (objects contact,
// lead, account, user), within what the actor may see.
//
// Not for: system mail (sign-in links), campaigns to many at once, and what comes
// in.
package messaging
