package liquid

import (
	"cmp"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// plain brings a value to one of the forms the language knows: nil, bool, int64, float64, string, time.Time, or a
// map/slice that lookup understands. Everything else becomes nil: no method of a value is ever called.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, string, time.Time, map[string]any, []any, marker:
		return v
	case int:
		return int64(v)
	case float64:
		return finite(v)
	case *time.Time:
		if v == nil {
			return nil
		}
		return *v
	}
	return plainKind(reflect.ValueOf(v))
}

func plainKind(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() == reflect.Pointer {
			return nil
		}
		return plain(v.Elem().Interface())
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return v.String()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return float64(v.Uint())
		}
		return int64(v.Uint())
	case reflect.Float32, reflect.Float64:
		return finite(v.Float())
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			return v.Interface()
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			return v.Interface()
		}
	}
	return nil
}

func finite(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}

// field reads one step of a path; a step that leads nowhere is nil.
func field(v, key any) any {
	if m, ok := v.(map[string]any); ok {
		name, _ := key.(string)
		found, ok := m[name]
		if !ok && name == "size" {
			return int64(len(m))
		}
		return plain(found)
	}
	if s, ok := v.(string); ok {
		if key == "size" {
			return int64(utf8.RuneCountInString(s))
		}
		return nil
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Map:
		return mapField(rv, key)
	case reflect.Slice:
		return sliceField(rv, key)
	}
	return nil
}

func mapField(m reflect.Value, key any) any {
	name, ok := key.(string)
	if !ok {
		return nil
	}
	found := m.MapIndex(reflect.ValueOf(name).Convert(m.Type().Key()))
	if found.IsValid() {
		return plain(found.Interface())
	}
	if name == "size" {
		return int64(m.Len())
	}
	return nil
}

func sliceField(s reflect.Value, key any) any {
	i, isIndex := key.(int)
	switch key {
	case "size":
		return int64(s.Len())
	case "first":
		i, isIndex = 0, true
	case "last":
		i, isIndex = -1, true
	}
	if i < 0 {
		i += s.Len()
	}
	if !isIndex || i < 0 || i >= s.Len() {
		return nil
	}
	return plain(s.Index(i).Interface())
}

// list returns the elements of a slice, ok=false for anything else.
func list(v any) (reflect.Value, bool) {
	rv := reflect.ValueOf(v)
	return rv, rv.Kind() == reflect.Slice
}

// truthy is Liquid's rule: only nil and false are false, an empty text is true.
func truthy(v any) bool { return v != nil && v != false }

// isEmpty is the rule of default and of the words blank and empty.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil, marker:
		return true
	case bool:
		return !v
	case string:
		return strings.TrimSpace(v) == ""
	case int64, float64, time.Time:
		return false
	}
	return reflect.ValueOf(v).Len() == 0
}

// number reads a value as a number; texts count when they look like one.
func number(v any) (int64, float64, bool) {
	switch v := v.(type) {
	case int64:
		return v, float64(v), true
	case float64:
		return 0, v, false
	case string:
		s := strings.TrimSpace(v)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, float64(n), true
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && finite(f) != nil && len(s) < 400 {
			return 0, f, false
		}
	}
	return 0, 0, true
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64:
		return true
	}
	return false
}

// equal compares as a person would: 1 and 1.0 are the same, a text equals a number when it spells it.
func equal(a, b any) bool {
	if _, ok := a.(marker); ok {
		return isEmpty(b)
	}
	if _, ok := b.(marker); ok {
		return isEmpty(a)
	}
	if isNumber(a) && isNumber(b) {
		order, _ := compare(a, b)
		return order == 0
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		return a == b
	case string:
		other, ok := b.(string)
		return ok && a == other || isNumber(b) && a == str(b)
	case time.Time:
		other, ok := b.(time.Time)
		return ok && a.Equal(other)
	}
	if other, ok := b.(string); ok && isNumber(a) {
		return str(a) == other
	}
	return false
}

// compare orders numbers (and texts that are numbers), times, and texts; ok is false for what has no order.
func compare(a, b any) (order int, ok bool) {
	ta, isTime := a.(time.Time)
	if tb, both := b.(time.Time); isTime && both {
		return ta.Compare(tb), true
	}
	sa, textA := a.(string)
	sb, textB := b.(string)
	if textA && textB {
		return strings.Compare(sa, sb), true
	}
	if !(isNumber(a) || textA) || !(isNumber(b) || textB) {
		return 0, false
	}
	ia, fa, intA := number(a)
	ib, fb, intB := number(b)
	if intA && intB {
		return cmp.Compare(ia, ib), true
	}
	return cmp.Compare(fa, fb), true
}

// str is how a value prints. A list prints its elements; a map has no text.
func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.Format("2006-01-02 15:04")
	}
	return ""
}
