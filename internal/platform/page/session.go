package page

// SessionCookie is the name of the sign-in cookie. The __Host- prefix binds it
// to this host over TLS; plain HTTP, for trying out on one machine, cannot.
func SessionCookie(secure bool) string { return hostCookie("crm_session", secure) }

func hostCookie(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}
