package learn

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says how a field is read: as a number or as one of many values.
type Kind string

// The kinds of field. Truth values are numbers (0 and 1), so that "unknown" stays apart from "no".
const (
	Number   Kind = "number"
	Category Kind = "category"
)

// longestLevel bounds a category's text in bytes; longer text is free prose and says nothing as a level.
const longestLevel = 200

// Value is one cell: a number (NaN is missing) or a text ("" is missing), read according to the field's kind.
type Value struct {
	Number float64
	Text   string
}

// Num is a numeric cell.
func Num(v float64) Value { return Value{Number: v} }

// Text is a categorical cell.
func Text(s string) Value { return Value{Number: math.NaN(), Text: s} }

// Missing is the empty cell of either kind.
func Missing() Value { return Value{Number: math.NaN()} }

// Coerce turns a value from a record or a JSON document into a cell of the given kind. What cannot be read as that
// kind is missing, never an error: one odd value must not keep a lead from being scored.
func Coerce(kind Kind, v any) Value {
	if kind == Number {
		return Num(asNumber(v))
	}
	return Text(asText(v))
}

func asNumber(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case float32:
		return float64(v)
	case int:
		return float64(v)
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case bool:
		if v {
			return 1
		}
		return 0
	case json.Number:
		return parse(v.String())
	case string:
		return parse(v)
	}
	return math.NaN()
}

func parse(s string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

func asText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool, int, int32, int64, float32, float64, json.Number:
		return fmt.Sprint(v)
	}
	return ""
}

// level is the canonical spelling of a category: what training counted and what scoring looks up.
func level(s string) string {
	s = strings.TrimSpace(s)
	if len(s) <= longestLevel {
		return s
	}
	cut := longestLevel
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// single narrows a number to the precision models are trained and served in. Infinities and what overflows are
// missing: no comparison or product with them would mean anything.
func single(v float64) float32 {
	f := float32(v)
	if math.IsInf(float64(f), 0) {
		return float32(math.NaN())
	}
	return f
}
