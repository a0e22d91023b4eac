package contacts

import (
	"slices"
	"strings"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// channel is one way to reach a person: a single value for lists and mailings,
// and the list of all values it is the primary entry of.
type channel struct {
	one, list string // field names
	kind      string // field type of a value
	noun      string
}

var (
	emails = channel{"email", "emails", "email", "e-mail address"}
	phones = channel{"phone", "phones", "phone", "phone number"}
)

const (
	maxEntries   = 20
	maxLabel     = 50
	defaultLabel = "work"
)

// entry is one item of the list.
type entry struct {
	value, label string
	primary      bool
}

// inStep returns the single value and the list after a change, in line with each
// other. Whichever side was changed leads; when both were, the single value is
// the primary entry of the new list.
func (ch channel) inStep(oldOne string, oldList any, one string, list any, lenient bool) (string, any, error) {
	if record.Same(oldList, list) {
		if one == oldOne {
			return one, list, nil
		}
		return one, stored(follow(kept(list), one)), nil
	}
	entries, err := ch.read(list, lenient)
	if err != nil {
		return "", nil, err
	}
	if one != oldOne && one != "" {
		entries = lead(entries, one)
	}
	one = choose(entries)
	return one, stored(entries), nil
}

// follow brings the list in line with a changed single value: it takes the place
// of the former primary entry, or leaves the list without one.
func follow(entries []entry, one string) []entry {
	if slices.ContainsFunc(entries, func(e entry) bool { return e.value == one }) {
		return lead(entries, one)
	}
	for i, e := range entries {
		if !e.primary {
			continue
		}
		if one == "" {
			return append(entries[:i:i], entries[i+1:]...)
		}
		entries[i].value = one
		return entries
	}
	if one == "" {
		return entries
	}
	return lead(entries, one)
}

// lead makes one the primary entry, adding it in front when it is new.
func lead(entries []entry, one string) []entry {
	found := false
	for i := range entries {
		entries[i].primary = entries[i].value == one
		found = found || entries[i].primary
	}
	if found {
		return entries
	}
	return append([]entry{{one, defaultLabel, true}}, entries...)
}

// choose leaves exactly one primary entry, the first marked or else the first,
// and returns its value; "" for an empty list.
func choose(entries []entry) string {
	if len(entries) == 0 {
		return ""
	}
	first := 0
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].primary {
			first = i
		}
	}
	for i := range entries {
		entries[i].primary = i == first
	}
	return entries[first].value
}

// read checks a list from outside. A bare text stands for an entry without label.
func (ch channel) read(list any, lenient bool) ([]entry, error) {
	if list == nil {
		return nil, nil
	}
	items, ok := list.([]any)
	if !ok {
		return nil, ch.wrongShape()
	}
	if len(items) > maxEntries {
		return nil, errs.Field(ch.list, "too_many", "A contact may have at most %d %ss.", maxEntries, ch.noun)
	}
	var out []entry
	seen := map[string]bool{}
	for _, item := range items {
		e, err := ch.readEntry(item, lenient)
		if err != nil {
			return nil, err
		}
		if e.value != "" && !seen[e.value] {
			seen[e.value] = true
			out = append(out, e)
		}
	}
	return out, nil
}

func (ch channel) wrongShape() error {
	return errs.Field(ch.list, "wrong_type", `%s must be a list like [{"value":"…","label":"work","primary":true}].`, ch.list)
}

func (ch channel) readEntry(item any, lenient bool) (entry, error) {
	if s, ok := item.(string); ok {
		item = map[string]any{"value": s}
	}
	m, ok := item.(map[string]any)
	if !ok {
		return entry{}, ch.wrongShape()
	}
	e := entry{label: defaultLabel}
	for key, v := range m {
		switch key {
		case "value":
			value, err := ch.parse(v, lenient)
			if err != nil {
				return entry{}, err
			}
			e.value = value
		case "label":
			if s, ok := v.(string); ok && strings.TrimSpace(s) != "" {
				e.label = cut(strings.TrimSpace(record.CleanText(s)), maxLabel)
			}
		case "primary":
			e.primary, _ = v.(bool)
		default:
			return entry{}, ch.wrongShape()
		}
	}
	return e, nil
}

// parse reads one value with the rules of its field type. Files of other systems
// hold numbers no rule can read; those are kept as typed.
func (ch channel) parse(raw any, lenient bool) (string, error) {
	s, ok := raw.(string)
	if !ok {
		return "", ch.wrongShape()
	}
	typ, _ := record.FieldType(ch.kind)
	field := &record.Field{Name: ch.list, Label: ch.noun, Type: typ}
	read := typ.Parse
	if lenient {
		read = func(f *record.Field, _ any) (any, error) { return typ.ParseText(f, s) }
	}
	v, err := read(field, s)
	if err != nil {
		return "", err
	}
	value, _ := v.(string)
	return value, nil
}

// kept reads a list that is already in its canonical form.
func kept(list any) []entry {
	items, _ := list.([]any)
	var out []entry
	for _, item := range items {
		m, _ := item.(map[string]any)
		e := entry{}
		e.value, _ = m["value"].(string)
		e.label, _ = m["label"].(string)
		e.primary, _ = m["primary"].(bool)
		out = append(out, e)
	}
	return out
}

// stored is the inverse of kept; an empty list is no list.
func stored(entries []entry) any {
	if len(entries) == 0 {
		return nil
	}
	out := make([]any, len(entries))
	for i, e := range entries {
		out[i] = map[string]any{"value": e.value, "label": e.label, "primary": e.primary}
	}
	return out
}

func cut(s string, runes int) string {
	r := []rune(s)
	return string(r[:min(len(r), runes)])
}
