package record

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// jsonType holds a document: free JSON, a postal address, or the custom fields.
type jsonType struct{ name string }

const maxDocument = 64 << 10

func (t jsonType) Name() string    { return t.name }
func (jsonType) Columns() []string { return []string{"jsonb"} }
func (jsonType) Ops() []Op         { return []Op{IsNull} }

func (t jsonType) Scan(c []cell) any {
	dec := json.NewDecoder(bytes.NewReader(c[0].json()))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	if m, ok := v.(map[string]any); ok && len(m) == 0 {
		return nil
	}
	return v
}

func (t jsonType) Args(v any) []any {
	if v == nil {
		if t.name == "custom" {
			return []any{"{}"}
		}
		return []any{nil}
	}
	b, _ := json.Marshal(v)
	return []any{string(b)}
}

func (jsonType) AppendJSON(dst []byte, v any) []byte {
	b, _ := json.Marshal(v)
	return append(dst, b...)
}

func (t jsonType) Text(v any) string {
	if m, ok := v.(map[string]any); ok && t.name == "address" {
		var parts []string
		for _, k := range addressKeys {
			if s, ok := m[k].(string); ok {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, ", ")
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func (t jsonType) ParseText(f *Field, s string) (any, error) {
	if t.name == "address" && !strings.HasPrefix(s, "{") {
		return t.Parse(f, map[string]any{"street": s})
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil, wrongType(f, "JSON")
	}
	return t.Parse(f, v)
}

var addressKeys = []string{"street", "city", "region", "postal_code", "country"}

func (t jsonType) Parse(f *Field, raw any) (any, error) {
	if b, err := json.Marshal(raw); err != nil || len(b) > maxDocument {
		return nil, refuse(f, "too_long", "%s may have at most 64 KiB.", f.Label)
	}
	if t.name == "address" {
		return parseAddress(f, raw)
	}
	return cleanDocument(raw), nil
}

func parseAddress(f *Field, raw any) (any, error) {
	m, ok := raw.(map[string]any)
	if !ok {
		return nil, wrongType(f, "an address")
	}
	out := map[string]any{}
	for k, v := range m {
		s, ok := v.(string)
		if v != nil && (!ok || !slices.Contains(addressKeys, k)) {
			return nil, refuse(f, "unknown_key", "%s has only street, city, region, postal_code and country, each a text.", f.Label)
		}
		if s = strings.TrimSpace(CleanText(s)); s != "" {
			out[k] = s
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// cleanDocument removes what jsonb cannot hold (NUL) from every text inside.
func cleanDocument(v any) any {
	switch v := v.(type) {
	case string:
		return CleanText(v)
	case []any:
		for i := range v {
			v[i] = cleanDocument(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = cleanDocument(v[k])
		}
	}
	return v
}
