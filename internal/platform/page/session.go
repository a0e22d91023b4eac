package page

// SessionCookie is the name of the sign-in cookie. The __Host- prefix binds it
// to this host over TLS; plain HTTP, for trying out on one machine, cannot.
func SessionCookie(secure bool) string { return HostCookie("crm_session", secure) }

// HostCookie is the name of a cookie that no other host may set, as far as the
// transport lets it be.
func HostCookie(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}
