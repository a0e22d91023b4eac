package record

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"crm/internal/platform/errs"
)

// Type is a kind of value a field can hold. One file per family implements it;
// grid, form, filter, import, export and API share it.
//
// The canonical value of a field is nil (empty) or exactly one Go type:
// string, int64, float64, bool, time.Time, uuid.UUID, money.Amount, []string,
// or decoded JSON (map[string]any, []any).
type Type interface {
	// Name is the stable name used in the API schema and in custom fields.
	Name() string
	// Columns are the SQL types of the field's columns. The first column has the
	// field's name; money adds <name>_currency.
	Columns() []string
	// Scan turns the columns into the canonical value; it never sees all nulls.
	Scan(c []cell) any
	// Args is the inverse of Scan; nil gives nulls.
	Args(v any) []any
	// Parse reads decoded JSON (string, json.Number, bool, []any, map).
	Parse(f *Field, raw any) (any, error)
	// ParseText reads a CSV cell or form field; "" never reaches it.
	ParseText(f *Field, s string) (any, error)
	// AppendJSON writes the canonical value; nil never reaches it.
	AppendJSON(dst []byte, v any) []byte
	// Text writes the value for CSV and forms; nil never reaches it.
	Text(v any) string
	// Ops are the filter operators the type understands.
	Ops() []Op
}

// FieldType returns the type with this name.
func FieldType(name string) (Type, bool) {
	t, ok := types[name]
	return t, ok
}

var types = func() map[string]Type {
	m := map[string]Type{}
	for _, t := range []Type{
		textType{"text", 500},
		textType{"long_text", 100_000},
		textType{"url", 2000},
		emailType{},
		phoneType{},
		intType{},
		floatType{"decimal"},
		floatType{"percent"},
		boolType{},
		dateType{},
		timeType{},
		moneyType{},
		selectType{},
		listType{},
		idType{"relation"},
		idType{"user"},
		idType{"team"},
		idType{"id"},
		idType{"file"},
		richType{},
		durationType{},
		ratingType{},
		jsonType{"json"},
		jsonType{"address"},
		jsonType{"custom"},
		versionType{},
	} {
		m[t.Name()] = t
	}
	return m
}()

// refuse is the error of a value that does not fit; code is its stable slug.
func refuse(f *Field, code, format string, args ...any) error {
	return errs.Field(f.Name, code, format, args...)
}

func wrongType(f *Field, want string) error {
	return refuse(f, "wrong_type", "%s must be %s.", f.Label, want)
}

// Same reports whether two canonical values are equal.
func Same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return reflect.DeepEqual(a, b)
}

// appendString writes a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 || c == '<' || c == '>' || c == '&' {
			b, _ := json.Marshal(s)
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func humanise(name string) string {
	s := strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", " ")
	if s == "" {
		return name
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func textOf(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}
