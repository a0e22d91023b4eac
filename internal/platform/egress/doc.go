// Package egress is the only door through which the program calls out: webhooks, message providers, connectors, OIDC
// discovery, imports from a URL, SMTP hosts and every "test connection" button. Nothing else may use net.Dial or
// http.DefaultClient.
//
// The danger is server-side request forgery: a tenant types an address, and the server, which stands inside the
// network, fetches it. Looking at the typed name cannot stop that. Names have endless spellings (017700000001,
// 0x7f.1, [::ffff:127.0.0.1], localtest.me) and a DNS server of the attacker may answer harmlessly to the check and
// with 169.254.169.254 to the connection a moment later. So the check stands at the last possible place: on the
// resolved address, inside the dial of the socket, for every address tried. What is checked is what is connected to.
//
// Invariants:
//
//   - IPv4: everything in the special-purpose registries is refused. IPv6: only global unicast (2000::/3) minus its
//     special parts passes, so forms that hide an IPv4 address (mapped, 6to4, Teredo, NAT64, ISATAP) do not.
//   - Exceptions come only from CRM_EGRESS_ALLOW. A host entry counts for that dialled name alone; an address or CIDR
//     entry counts for the resolved address. No entry changes anything for other hosts.
//   - HTTP follows no redirect, uses no proxy from the environment, keeps no cookies, reaches ports 80 and 443 unless
//     an entry allows the target, and ends within [Timeout] including the body.
//
// Failure: a forbidden target is a [*Refused], found with errors.As through any wrapping by net and net/http. It is
// permanent for that configuration: do not retry, show its text, which says what an operator can change. Everything
// else (refused connection, time-out, unknown host) is an ordinary network error.
//
// What a refused or failing host answered must never be shown to the person who typed the address beyond the status:
// that would turn the "test" button into a port scanner. The package does not decide that; its callers do.
package egress
