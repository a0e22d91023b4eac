// Package identity knows who may come in and what they may do: tenants, users,
// teams, roles, passwords, sessions and API keys.
//
// # Nouns
//
// A tenant is a customer's world; everything else belongs to exactly one. A user
// signs in to one tenant with e-mail and password and has one role. A role grants
// actions on objects with a scope (own, team, all). A team is a group of users. A
// session is a signed-in browser, an API key a signed-in program.
//
// # Invariants
//
//   - Passwords are Argon2id hashes; tokens are stored as SHA-256 only and shown
//     once.
//   - Signing in does the same work for known and unknown addresses.
//   - A try is counted before it is compared, by the address that was typed, known
//     or not; from the sixth on one waits, longer each time. A browser the person
//     has used before is counted apart: strangers lock nobody out.
//   - Every way in ends at admit, which opens a session with a new token.
//   - Nobody hands out more rights than they have.
//   - Disabling a user, revoking a key or changing a password takes effect within
//     actorLocal plus actorShared on every replica.
//
// Look-ups before a tenant is known go through the SQL functions auth_session,
// auth_api_key, auth_user and tenant_by_slug, which answer one question each.
package identity
