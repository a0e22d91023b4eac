package apidocs

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// An example is drawn from its schema, so that it is always one the call accepts in
// shape: ids and references are placeholders the reader replaces.

// maxDepth ends examples of schemas that contain themselves.
const maxDepth = 4

func (d *document) example(s *schema) string {
	return indented(d.value(s, "", 0))
}

// bodyExample leaves out what only makes sense with an id or a name of the reader's own.
func (d *document) bodyExample(s *schema) string {
	v := d.value(s, "", 0)
	required := d.resolve(s).Required
	if m, ok := v.(map[string]any); ok {
		maps.DeleteFunc(m, func(name string, v any) bool {
			free, isMap := v.(map[string]any) // any JSON value: what fits, only the reader knows
			own := isMap && len(free) == 0 || strings.HasSuffix(name, "_id") || name == "custom" || name == "allow_duplicate"
			return own && !slices.Contains(required, name)
		})
	}
	return indented(v)
}

func indented(v any) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if enc.Encode(v) != nil {
		return ""
	}
	return strings.TrimSpace(buf.String())
}

func (d *document) value(s *schema, name string, depth int) any {
	r := d.resolve(s)
	switch {
	case depth > maxDepth:
		return nil
	case len(r.Enum) > 0:
		return r.Enum[0]
	case len(r.OneOf) > 0:
		return d.value(r.OneOf[0], name, depth)
	case len(r.AnyOf) > 0:
		return d.value(r.AnyOf[0], name, depth)
	case len(r.Type) == 0 && len(r.Properties) == 0:
		return map[string]any{}
	case len(r.Properties) > 0 || r.Type[0] == "object":
		return d.object(r, depth)
	}
	switch r.Type[0] {
	case "array":
		return []any{d.value(r.Items, name, depth+1)}
	case "integer", "number":
		return 1
	case "boolean":
		return true
	}
	return text(name, r.Format)
}

func (d *document) object(r *schema, depth int) any {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
		f := d.resolve(r.Properties[name])
		// A record that need not be there is one embedded when asked for.
		embedded := f.Properties["id"] != nil && !slices.Contains(r.Required, name)
		if f.ReadOnly || embedded {
			continue
		}
		out[name] = d.value(r.Properties[name], name, depth+1)
	}
	return out
}

// text is a likely one for a field of that name.
func text(name, format string) string {
	byFormat := map[string]string{
		"uuid": "00000000-0000-7000-8000-000000000000", "date-time": "2026-01-31T09:00:00Z", "date": "2026-01-31",
		"email": "ada@example.com", "uri": "https://example.com", "decimal": "1200.00",
	}
	if v := byFormat[format]; v != "" {
		return v
	}
	for _, known := range []struct{ part, value string }{
		{"email", "ada@example.com"},
		{"phone", "+4930123456"},
		{"currency", "EUR"},
		{"amount", "1200.00"},
		{"first_name", "Ada"},
		{"last_name", "Lovelace"},
		{"website", "https://example.com"},
		{"url", "https://example.com"},
		{"domain", "example.com"},
		{"time_zone", "Europe/Berlin"},
		{"language", "en"},
		{"name", "Example"},
	} {
		if strings.Contains(name, known.part) {
			return known.value
		}
	}
	return "text"
}
