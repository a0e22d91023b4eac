// Package leads catches people who may become customers, and turns the right
// ones into a contact, a company and a deal.
//
// # Nouns
//
// A lead is a person or a company that showed interest. A lead form is a public
// page, or a form on somebody's site, that makes leads. Converting a lead makes
// (or finds) the account and the contact behind it and opens a deal.
//
// # States
//
//	new → working → nurturing → qualified, in any order
//	any → disqualified, with a reason
//	any → converted, by Convert only; back by Unconvert only
//
// first_response_at is the moment a lead left new for the first time. Imports may
// bring leads in any state, converted ones included: such a lead has no records
// behind it, and its status may be changed like any other.
//
// # Invariants
//
//   - A lead typed in by somebody has a name, an e-mail address, a phone number,
//     a company, a website or an external id. An imported one may have none.
//   - A disqualified lead has a reason; an imported one gets "imported".
//   - A lead is converted at most once. Convert locks it first, so of twenty
//     callers one converts and all get the same ids.
//   - A conversion is one transaction and one batch in the journal, with the
//     row lead.converted as its last: {account_id, contact_id, deal_id}.
//   - Two leads of one company that are converted at the same moment end at one
//     account: conversions that look for the same key wait for each other.
//
// # Forms
//
// Whoever knows a form's public id may submit it, nobody may find one by
// guessing. A submission is input from a stranger: only the form's own fields
// are read, a filled trap field is thanked and dropped, and each address has a
// limit per form. The lead it makes is written in the name of the form, by an
// actor that may create leads and nothing else.
//
// # Ports
//
// Accounts, Contacts and Deals (ports.go) are found and made by other contexts.
//
// Not for: scores. They are written by the scoring context into the read-only
// score fields.
package leads
