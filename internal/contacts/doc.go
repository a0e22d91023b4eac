// Package contacts keeps the people a company knows and the companies they work
// for.
//
// # Nouns
//
// An account is a company. A contact is a person, at one account or at none. A
// contact may have several e-mail addresses and phone numbers; one of each is
// primary, and that is the one lists, search and mailings use.
//
// # Invariants
//
//   - An account has a name. Its domain is bare and in lower case ("acme.com"),
//     whatever was pasted; it is taken from the website when left out. Two
//     accounts may share a domain: a group of companies often does.
//   - A contact has a first name, a last name or an e-mail address.
//   - email is the primary entry of emails, phone the primary entry of phones.
//     Changing either side changes the other in the same save.
//   - An account is not its own parent.
//
// # For other contexts
//
// FindAccountByDomain, FindAccountByName, FindContactByEmail, CreateAccount and
// CreateContact speak in ids and record.Patch, so that a port declared elsewhere
// fits without this package being imported. They see what the actor sees: a
// record of somebody else's is not found, also when that makes a duplicate.
//
// Not for: leads (people who are not yet worth a contact) and consent, which
// have contexts of their own.
package contacts
