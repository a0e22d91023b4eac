package activities

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

const (
	maxRelated   = 20
	maxAttendees = 100
	maxSubject   = 120 // characters of a note's first line
	maxMinutes   = 7 * 24 * 60
)

// Link names a record an activity is about.
type Link struct {
	Object string
	ID     uuid.UUID
}

// firstLine names a note by its beginning.
func firstLine(body string) string {
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if r := []rune(line); len(r) > maxSubject {
			return strings.TrimSpace(string(r[:maxSubject])) + "…"
		}
		if line != "" {
			return line
		}
	}
	return ""
}

func checkDuration(minutes *int64) error {
	if minutes != nil && (*minutes < 0 || *minutes > maxMinutes) {
		return errs.Field("duration_minutes", "out_of_range", "An activity lasts between 0 minutes and a week.")
	}
	return nil
}

// Links reads a related list in its stored form.
func Links(related any) []Link {
	items, _ := related.([]any)
	var out []Link
	for _, item := range items {
		m, _ := item.(map[string]any)
		object, _ := m["object"].(string)
		text, _ := m["id"].(string)
		if u, ok := id.Parse(text); ok {
			out = append(out, Link{object, u})
		}
	}
	return out
}

// readLinks checks a related list from outside. name turns what the caller wrote
// ("contacts") into the object's name, or "" for an object nothing can be about.
func readLinks(raw any, name func(string) string) ([]Link, error) {
	if raw == nil {
		return nil, nil
	}
	items, ok := raw.([]any)
	if !ok {
		return nil, errRelated()
	}
	var out []Link
	for _, item := range items {
		m, ok := item.(map[string]any)
		if !ok || len(m) != 2 {
			return nil, errRelated()
		}
		text, _ := m["id"].(string)
		u, ok := id.Parse(text)
		if !ok {
			return nil, errRelated()
		}
		object, _ := m["object"].(string)
		link := Link{name(object), u}
		if link.Object == "" {
			return nil, errs.Field("related", "unknown_object", "An activity cannot be about %q. Use objects such as contact, account, lead or deal.", object)
		}
		if !slices.Contains(out, link) {
			out = append(out, link)
		}
	}
	if len(out) > maxRelated {
		return nil, errs.Field("related", "too_many", "An activity may be about at most %d records.", maxRelated)
	}
	return out, nil
}

func errRelated() error {
	return errs.Field("related", "wrong_type", `related must be a list like [{"object":"contact","id":"…"}].`)
}

func storedLinks(links []Link) any {
	if len(links) == 0 {
		return nil
	}
	out := make([]any, len(links))
	for i, l := range links {
		out[i] = map[string]any{"object": l.Object, "id": l.ID.String()}
	}
	return out
}

// without returns the links that are not in known.
func without(links, known []Link) []Link {
	var out []Link
	for _, l := range links {
		if !slices.Contains(known, l) {
			out = append(out, l)
		}
	}
	return out
}

// readAttendees checks who takes part: entries of {name, email}, or bare
// addresses.
func readAttendees(raw any) (any, error) {
	if raw == nil {
		return nil, nil
	}
	items, ok := raw.([]any)
	if !ok || len(items) > maxAttendees {
		return nil, errAttendees()
	}
	var out []any
	for _, item := range items {
		if s, ok := item.(string); ok {
			item = map[string]any{"email": s}
		}
		m, ok := item.(map[string]any)
		if !ok {
			return nil, errAttendees()
		}
		person, err := readAttendee(m)
		if err != nil {
			return nil, err
		}
		out = append(out, person)
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func errAttendees() error {
	return errs.Field("attendees", "wrong_type", `attendees must be a list of at most %d entries like {"name":"…","email":"name@company.com"}.`, maxAttendees)
}

func readAttendee(m map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for key, v := range m {
		s, ok := v.(string)
		if (v != nil && !ok) || (key != "name" && key != "email") || len(s) > 500 {
			return nil, errAttendees()
		}
		s = strings.TrimSpace(record.CleanText(s))
		if key == "email" && s != "" {
			if s, ok = record.NormalEmail(s); !ok {
				return nil, errs.Field("attendees", "not_an_email", "Enter addresses like name@company.com.")
			}
		}
		if s != "" {
			out[key] = s
		}
	}
	if len(out) == 0 {
		return nil, errAttendees()
	}
	return out, nil
}
