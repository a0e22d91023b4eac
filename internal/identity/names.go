package identity

import (
	"strings"

	"crm/internal/platform/errs"
)

// reserved are first path segments of the product itself.
var reserved = map[string]bool{
	"api": true, "assets": true, "account": true, "admin": true, "c": true, "f": true, "forgot": true, "healthz": true, "hooks": true, "join": true, "live": true,
	"login": true, "logout": true, "metrics": true, "o": true, "oauth": true, "readyz": true, "reset": true, "setup": true, "sign-in": true, "sign-out": true, "styleguide": true, "u": true, "manifest.webmanifest": true, "favicon.ico": true,
}

// tenantNames derives the address of a tenant from its name, or the other way
// round.
func tenantNames(slug, name string) (string, string) {
	if name == "" {
		name = slug
	}
	if slug == "" {
		slug = name
	}
	var b strings.Builder
	for _, r := range strings.ToLower(slug) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := strings.Trim(b.String(), "-")
	return s[:min(len(s), 63)], strings.TrimSpace(name)
}

// CheckSlug refuses an address no tenant could have.
func CheckSlug(slug string) error {
	if got, _ := tenantNames(slug, slug); got != slug || slug == "" {
		return errs.Field("name", "bad_name", "The address of a tenant is small letters, digits and -, like acme-2.")
	}
	if reserved[slug] {
		return errs.Field("name", "reserved", "%q is an address of the product itself; choose another name.", slug)
	}
	return nil
}
