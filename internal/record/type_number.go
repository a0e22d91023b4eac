package record

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

type intType struct{}

func (intType) Name() string      { return "integer" }
func (intType) Columns() []string { return []string{"bigint"} }
func (intType) Scan(c []cell) any { return c[0].int64() }
func (intType) Args(v any) []any  { return []any{v} }
func (intType) Ops() []Op         { return orderedOps }
func (intType) Text(v any) string { return strconv.FormatInt(v.(int64), 10) }
func (intType) AppendJSON(dst []byte, v any) []byte {
	return strconv.AppendInt(dst, v.(int64), 10)
}

func (intType) Parse(f *Field, raw any) (any, error) {
	n, ok := raw.(json.Number)
	if !ok {
		return nil, wrongType(f, "a whole number")
	}
	return intType{}.ParseText(f, n.String())
}

func (intType) ParseText(f *Field, s string) (any, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err == nil {
		return n, nil
	}
	// Spreadsheets write 12 as 12.0.
	if x, ferr := strconv.ParseFloat(strings.TrimSpace(s), 64); ferr == nil && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return int64(x), nil
	}
	return nil, refuse(f, "not_a_number", "%s must be a whole number.", f.Label)
}

// versionType is the row version: an integer nobody sets.
type versionType struct{ intType }

func (versionType) Name() string { return "version" }

// floatType is a measured number; never money.
type floatType struct{ name string }

func (t floatType) Name() string    { return t.name }
func (floatType) Columns() []string { return []string{"double precision"} }
func (floatType) Scan(c []cell) any { return c[0].float64() }
func (floatType) Args(v any) []any  { return []any{v} }
func (floatType) Ops() []Op         { return orderedOps }
func (floatType) Text(v any) string { return strconv.FormatFloat(v.(float64), 'f', -1, 64) }
func (floatType) AppendJSON(dst []byte, v any) []byte {
	return strconv.AppendFloat(dst, v.(float64), 'g', -1, 64)
}

func (t floatType) Parse(f *Field, raw any) (any, error) {
	n, ok := raw.(json.Number)
	if !ok {
		return nil, wrongType(f, "a number")
	}
	return t.ParseText(f, n.String())
}

func (floatType) ParseText(f *Field, s string) (any, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return nil, refuse(f, "not_a_number", "%s must be a number.", f.Label)
	}
	return x, nil
}

type boolType struct{}

func (boolType) Name() string      { return "boolean" }
func (boolType) Columns() []string { return []string{"boolean"} }
func (boolType) Scan(c []cell) any { return c[0].bool() }
func (boolType) Args(v any) []any  { return []any{v} }
func (boolType) Ops() []Op         { return []Op{Eq, Ne, IsNull} }
func (boolType) Text(v any) string { return strconv.FormatBool(v.(bool)) }
func (boolType) AppendJSON(dst []byte, v any) []byte {
	return strconv.AppendBool(dst, v.(bool))
}

func (boolType) Parse(f *Field, raw any) (any, error) {
	b, ok := raw.(bool)
	if !ok {
		return nil, wrongType(f, "true or false")
	}
	return b, nil
}

func (boolType) ParseText(f *Field, s string) (any, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "y", "1", "on", "x":
		return true, nil
	case "false", "no", "n", "0", "off":
		return false, nil
	}
	return nil, refuse(f, "not_a_boolean", "%s must be yes or no.", f.Label)
}
