// Package secret keeps what must not be readable in the database: provider passwords, webhook secrets, TOTP seeds,
// refresh tokens of connected accounts. It also makes and compares the random tokens handed to people and programs.
//
// Two different needs, two different tools:
//
//   - A value the program must read back later (an SMTP password) is sealed with a [Box]: AES-256-GCM under a key
//     derived from CRM_SECRET_KEY. A stolen database dump without that variable is worth nothing.
//   - A value the program must only recognise (an API key, a session id) is never stored: [Token] returns the plain
//     text once and its SHA-256, and only the hash goes into a table. A plain fast hash is right here, and only here,
//     because the tokens carry more than 160 random bits; passwords chosen by people need Argon2id instead.
//
// Sealed bytes are
//
//	version (1) | key id (8) | nonce (12) | ciphertext | tag (16)
//
// The key id says which root key made them, so several root keys can be in use during a rotation: the first of the
// list seals, all of them open, [Box.Stale] tells which rows are still to be sealed again. Once no stale row is left
// the old root key may be dropped from the list.
//
// Every value is bound to the place it was written for by associated data ([AAD] of tenant, table, column, row). Bytes
// copied into another row, column or tenant do not open, which stops an attacker with write access to the database
// from reading one tenant's secret through another tenant's screen.
//
// Nonces are random. With 96 bits that is safe up to about 2^32 values per root key, far above what a CRM seals.
//
// Failure: a wrong or missing root key, a changed byte and a wrong place are all errors, never an empty value. Callers
// must treat them as "this credential has to be entered again", not as "no credential".
//
// [Box.Mark] vouches for bytes that stay readable: whoever lacks the root key can neither make nor change a mark.
//
// It is not for passwords of people, not for files (values are held in memory whole) and not for signatures that others
// should be able to check.
package secret
