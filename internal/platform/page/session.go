// Package page is the HTML edge: security headers, rendering, flash messages and
// live updates, without a business noun.
package page

// SessionCookie is the name of the sign-in cookie. The __Host- prefix binds it
// to this host over TLS; plain HTTP, for trying out on one machine, cannot.
func SessionCookie(secure bool) string {
	if secure {
		return "__Host-crm_session"
	}
	return "crm_session"
}
