package importing

import (
	"slices"
	"strings"
	"unicode"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// kind says how a cell gets into a record.
type kind uint8

const (
	plain      kind = iota // the field's own text form
	relation               // an id, another system's id, a name or an address
	part                   // one key of an address or document: address.city
	currency               // the currency of an amount: amount.currency
	item                   // one entry of a list of addresses: phones[mobile]
	fullName               // first and last name in one cell
	closeDate              // when a deal was or will be closed, depending on its stage
	dealStatus             // open, won or lost where the stage decides it
	recordID               // our own id, to find the record again
)

// target is where a column goes.
type target struct {
	kind  kind
	field *record.Field // nil for fullName, closeDate, dealStatus and recordID
	name  string        // canonical spelling, the key in the patch for most kinds
	part  string
}

var addressParts = []string{"street", "city", "region", "postal_code", "country"}

// resolveTarget finds the field a person or program means: email, owner (for owner_id),
// custom.tier or tier, address.city, amount.currency, phones[mobile], and name, close_date
// and status where the object has no such field of its own.
func resolveTarget(def *record.Definition, name string) (target, error) {
	name = strings.TrimSpace(name)
	if name == "id" {
		return target{kind: recordID, name: "id"}, nil
	}
	for _, candidate := range []string{name, name + "_id", "custom." + name} {
		if f, ok := def.Field(candidate); ok {
			return fieldTarget(def, f, candidate)
		}
	}
	if t, ok := virtual(def, name); ok {
		return t, nil
	}
	if t, ok := within(def, name); ok {
		return t, nil
	}
	return target{}, errs.Field(name, "unknown_field", "There is no field %q on %s.", name, def.Plural)
}

func fieldTarget(def *record.Definition, f *record.Field, name string) (target, error) {
	_, staged := def.Field("stage_id")
	switch {
	case f.ReadOnly && !f.History && name == "status" && staged:
		return target{kind: dealStatus, name: "status"}, nil
	case f.ReadOnly && !f.History, f.Type.Name() == "custom":
		return target{}, errs.Field(name, "read_only", "%s is set by the product and cannot be imported.", f.Label)
	case targetObject(f) != "":
		return target{kind: relation, field: f, name: name}, nil
	}
	return target{kind: plain, field: f, name: name}, nil
}

// targetObject is the object a field points to; "" when it points to none.
func targetObject(f *record.Field) string {
	switch t := f.Type.Name(); t {
	case "user", "team":
		return t
	case "relation":
		return f.Target
	}
	return ""
}

func virtual(def *record.Definition, name string) (target, bool) {
	has := func(field string) bool { _, ok := def.Field(field); return ok }
	switch {
	case name == "name" && has("last_name"):
		return target{kind: fullName, name: name}, true
	case name == "close_date" && (has("expected_close_date") || has("closed_at")):
		return target{kind: closeDate, name: name}, true
	case name == "status" && has("stage_id"):
		return target{kind: dealStatus, name: name}, true
	}
	return target{}, false
}

// within resolves address.city, amount.currency, utm.source and phones[mobile].
func within(def *record.Definition, name string) (target, bool) {
	if base, label, ok := strings.Cut(name, "["); ok {
		f, found := def.Field(base)
		ok := found && f.Type.Name() == "json" && !f.ReadOnly && strings.HasSuffix(label, "]") && len(label) > 1
		return target{kind: item, field: f, name: base, part: strings.TrimSuffix(label, "]")}, ok
	}
	base, key, ok := strings.Cut(name, ".")
	f, found := def.Field(base)
	if !ok || !found || f.ReadOnly || key == "" {
		return target{}, false
	}
	switch f.Type.Name() {
	case "address":
		return target{kind: part, field: f, name: base, part: key}, slices.Contains(addressParts, key)
	case "json":
		return target{kind: part, field: f, name: base, part: key}, true
	case "money":
		return target{kind: currency, field: f, name: base, part: key}, key == "currency"
	}
	return target{}, false
}

// spelling is the canonical name of the target, as the plan keeps it.
func (t target) spelling() string {
	switch t.kind {
	case part, currency:
		return t.name + "." + t.part
	case item:
		return t.name + "[" + t.part + "]"
	}
	return t.name
}

// shared reports whether several guessed columns may feed the target, the first
// filled cell winning: exports tell a company by name, id and domain at once.
func (t target) shared() bool { return t.kind == relation || t.name == "closed_at" || t.kind == item }

// squeeze folds a heading or a name so that "First Name", first_name and FirstName
// are one, and "GTX Pro" is GTXPro.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// exactNames maps every spelling under which an object's fields are known to their
// names: API name, label, and owner for owner_id.
func exactNames(def *record.Definition) map[string]string {
	out := map[string]string{}
	put := func(spelling, name string) {
		if key := squeeze(spelling); key != "" && out[key] == "" {
			out[key] = name
		}
	}
	writable := func(f *record.Field) bool {
		return !f.Hidden && (!f.ReadOnly || f.History) && f.Type.Name() != "custom"
	}
	for _, f := range def.Fields {
		if writable(f) {
			put(f.Name, f.Name)
		}
	}
	for _, f := range def.CustomFields() {
		if !f.ReadOnly {
			put(f.Name, "custom."+f.Name)
		}
	}
	for _, f := range def.Fields {
		if writable(f) {
			put(strings.TrimSuffix(f.Name, "_id"), f.Name)
			put(f.Label, f.Name)
		}
	}
	for _, f := range def.CustomFields() {
		if !f.ReadOnly {
			put(f.Label, "custom."+f.Name)
		}
	}
	return out
}
