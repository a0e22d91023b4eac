package auth

import (
	"slices"
	"strings"
)

// FieldGrant is a grant on one field of an object, as a role writes it:
// "contact.email:read". Custom fields are "contact.custom.salary:read".
type FieldGrant struct {
	Object string
	Field  string
	Action Action // Read or Update
}

// ParseFieldGrant reads the key of a grant. ok is false for a grant on an object.
func ParseFieldGrant(key string) (g FieldGrant, ok bool) {
	name, action, _ := strings.Cut(key, ":")
	g.Object, g.Field, ok = strings.Cut(name, ".")
	g.Action = Action(action)
	return g, ok
}

// FieldLimits are what a role withholds of one object, as "email:read" (the field is
// hidden) and "email:update" (it may be read only), in order; nil when nothing is,
// which is the rule. A field without a grant of its own follows its object: a grant
// on a field can only take away.
func (g Grants) FieldLimits(object string) []string {
	var out []string
	for key, scope := range g {
		// This runs at every read, over all grants of a role: no allocation before there is a limit.
		if len(key) > len(object) && key[len(object)] == '.' && key[:len(object)] == object && scope != All {
			out = append(out, key[len(object)+1:])
		}
	}
	slices.Sort(out)
	return out
}
