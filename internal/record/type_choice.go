package record

import (
	"slices"
	"strings"
)

// Option is one value of a choice. Terminal marks good (+1) and bad (-1) ends so
// that a list can colour them without knowing the object.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label"`
	Tone  string `json:"tone,omitempty"` // "", good, warn, bad, accent
}

// selectType is one of the field's options, stored as text with a check in SQL
// (enum operators are not leakproof and would lose their index under RLS).
type selectType struct{ textType }

func (selectType) Name() string { return "select" }
func (selectType) Ops() []Op    { return []Op{Eq, Ne, In, NotIn, IsNull} }

func (selectType) Parse(f *Field, raw any) (any, error) {
	s, ok := raw.(string)
	if !ok {
		return nil, wrongType(f, "one of its options")
	}
	return selectType{}.ParseText(f, s)
}

func (selectType) ParseText(f *Field, s string) (any, error) {
	s = strings.TrimSpace(CleanText(s))
	if s == "" {
		return nil, nil
	}
	for _, o := range f.Options {
		if o.Value == s {
			return s, nil
		}
	}
	for _, o := range f.Options {
		if strings.EqualFold(o.Label, s) || strings.EqualFold(o.Value, s) {
			return o.Value, nil
		}
	}
	if len(f.Options) == 0 {
		return textType{"text", 200}.clean(f, s)
	}
	return nil, refuse(f, "not_an_option", "%s must be one of: %s.", f.Label, optionList(f.Options))
}

func optionList(options []Option) string {
	var names []string
	for _, o := range options {
		names = append(names, o.Value)
	}
	if len(names) > 12 {
		names = append(names[:12], "…")
	}
	return strings.Join(names, ", ")
}

// listType is a set of short texts: tags and multiple choices.
type listType struct{}

const maxListItems = 100

func (listType) Name() string      { return "list" }
func (listType) Columns() []string { return []string{"text[]"} }
func (listType) Ops() []Op         { return []Op{AnyOf, AllOf, NoneOf, IsNull} }
func (listType) Text(v any) string { return strings.Join(v.([]string), ", ") }

func (listType) Scan(c []cell) any {
	if items := c[0].texts(); len(items) > 0 {
		return items
	}
	return nil
}

func (listType) Args(v any) []any {
	if v == nil {
		return []any{[]string{}}
	}
	return []any{v}
}

func (listType) AppendJSON(dst []byte, v any) []byte {
	dst = append(dst, '[')
	for i, s := range v.([]string) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

func (listType) Parse(f *Field, raw any) (any, error) {
	items, ok := raw.([]any)
	if !ok {
		return nil, wrongType(f, "a list of texts")
	}
	out := make([]string, 0, len(items))
	for _, it := range items {
		s, ok := it.(string)
		if !ok {
			return nil, wrongType(f, "a list of texts")
		}
		out = append(out, s)
	}
	return cleanList(f, out)
}

func (listType) ParseText(f *Field, s string) (any, error) {
	return cleanList(f, strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' }))
}

func cleanList(f *Field, items []string) (any, error) {
	var out []string
	for _, s := range items {
		if len(f.Options) > 0 && strings.TrimSpace(s) != "" {
			o, err := selectType{}.ParseText(f, s)
			if err != nil {
				return nil, err
			}
			s, _ = o.(string)
		}
		v, err := textType{"text", 100}.clean(f, s)
		if err != nil {
			return nil, err
		}
		if s, ok := v.(string); ok && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if len(out) > maxListItems {
		return nil, refuse(f, "too_many", "%s may have at most %d entries.", f.Label, maxListItems)
	}
	if out == nil {
		return nil, nil
	}
	return out, nil
}
