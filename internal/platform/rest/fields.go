package rest

import (
	"reflect"
	"strings"
)

// foreign returns the first key of v that no field of t is called exactly, or "".
// encoding/json matches names in any case, so that "name" and "NAME" would both be
// read and the later one would win, unseen by a proxy that looked at the first.
func foreign(v any, t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case []any:
		return foreignInList(v, t)
	case map[string]any:
		return foreignInObject(v, t)
	}
	return ""
}

func foreignInList(list []any, t reflect.Type) string {
	if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
		return ""
	}
	for _, v := range list {
		if name := foreign(v, t.Elem()); name != "" {
			return name
		}
	}
	return ""
}

func foreignInObject(object map[string]any, t reflect.Type) string {
	known := map[string]reflect.Type{}
	switch t.Kind() {
	case reflect.Struct:
		fieldNames(t, known)
	case reflect.Map:
		for k := range object {
			known[k] = t.Elem()
		}
	default:
		return "" // any keeps every key; what fits nothing is refused by the decoder
	}
	for k, v := range object {
		field, ok := known[k]
		if !ok {
			return k
		}
		if name := foreign(v, field); name != "" {
			return name
		}
	}
	return ""
}

// fieldNames collects what encoding/json calls the fields of a struct, those of
// embedded structs included.
func fieldNames(t reflect.Type, names map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			fieldNames(inner, names)
		case f.IsExported() && name == "":
			names[f.Name] = f.Type
		case f.IsExported() && name != "-":
			names[name] = f.Type
		}
	}
}
