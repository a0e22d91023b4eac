package record

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Record is one row in canonical values, one per field of its definition.
type Record struct {
	Def    *Definition
	Values []any
}

// New returns an empty record with the definition's defaults.
func (d *Definition) New() *Record {
	r := &Record{Def: d, Values: make([]any, len(d.Fields))}
	for i, f := range d.Fields {
		r.Values[i] = f.Default
	}
	return r
}

// Get returns the canonical value of a field; custom fields as "custom.<name>".
// Unknown names are nil.
func (r *Record) Get(name string) any {
	if key, ok := strings.CutPrefix(name, "custom."); ok {
		m, _ := r.Get("custom").(map[string]any)
		return m[key]
	}
	if f, ok := r.Def.byName[name]; ok && !f.Custom {
		return r.Values[f.pos]
	}
	return nil
}

// Set changes a standard field.
func (r *Record) Set(name string, v any) { r.Values[r.Def.byName[name].pos] = v }

// Clone copies the record one level deep: values are never changed in place.
func (r *Record) Clone() *Record {
	return &Record{Def: r.Def, Values: append([]any(nil), r.Values...)}
}

// ID is the record's id.
func (r *Record) ID() uuid.UUID {
	u, _ := r.Get("id").(uuid.UUID)
	return u
}

// Version counts the changes of the record, from 1.
func (r *Record) Version() int64 {
	n, _ := r.Get("version").(int64)
	return n
}

// Deleted reports whether the record lies in the bin.
func (r *Record) Deleted() bool { return r.Get("deleted_at") != nil }

// Text is the value of a field as a person would read it; "" when empty.
func (r *Record) Text(name string) string {
	v := r.Get(name)
	f, ok := r.Def.byName[name]
	if v == nil || !ok {
		return ""
	}
	if f.Custom {
		return fmt.Sprint(v)
	}
	return f.Type.Text(v)
}

// Title names the record for people; it falls back to the e-mail, then the id.
func (r *Record) Title() string {
	var parts []string
	for _, f := range r.Def.Fields {
		if f.Title {
			if s := r.Text(f.Name); s != "" {
				parts = append(parts, s)
			}
		}
	}
	if len(parts) > 0 {
		return strings.Join(parts, " ")
	}
	for _, name := range []string{"email", "company", "external_id"} {
		if s := r.Text(name); s != "" {
			return s
		}
	}
	return r.Def.Label + " " + r.ID().String()[24:]
}

// AppendJSON writes the record as the API shows it. only limits the fields (also
// to single custom ones, "custom.tier"); nil writes all. expand holds related
// records to embed, by relation name; nil for one that is empty or not visible.
func (r *Record) AppendJSON(dst []byte, only map[string]bool, expand map[string]*Record) []byte {
	dst = append(dst, '{')
	begun := len(dst)
	for i, f := range r.Def.Fields {
		v := r.Values[i]
		if only != nil && !only[f.Name] {
			if f.Type.Name() != "custom" || !someCustom(only) {
				continue
			}
			v = chosenCustom(v, only)
		}
		if f.Hidden {
			continue
		}
		if len(dst) > begun {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, f.Name...)
		dst = append(dst, '"', ':')
		dst = appendValue(dst, f, r.shown(f, v))
	}
	for _, name := range slices.Sorted(maps.Keys(expand)) {
		if len(dst) > begun {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		if rel := expand[name]; rel != nil {
			dst = rel.AppendJSON(dst, nil, nil)
		} else {
			dst = append(dst, "null"...)
		}
	}
	return append(dst, '}')
}

// shown leaves custom fields that lie in the bin out of the document.
func (r *Record) shown(f *Field, v any) any {
	doc, ok := v.(map[string]any)
	if len(r.Def.hidden) == 0 || !ok || f.Type.Name() != "custom" {
		return v
	}
	doc = maps.Clone(doc)
	for _, name := range r.Def.hidden {
		delete(doc, name)
	}
	return doc
}

func someCustom(only map[string]bool) bool {
	for name := range only {
		if strings.HasPrefix(name, "custom.") {
			return true
		}
	}
	return false
}

// chosenCustom keeps the custom values asked for.
func chosenCustom(v any, only map[string]bool) any {
	m, _ := v.(map[string]any)
	out := map[string]any{}
	for name, value := range m {
		if only["custom."+name] {
			out[name] = value
		}
	}
	return out
}

// appendValue writes null, or the empty container of the field's type so that
// clients never meet a null list.
func appendValue(dst []byte, f *Field, v any) []byte {
	if v != nil {
		return f.Type.AppendJSON(dst, v)
	}
	switch f.Type.Name() {
	case "list":
		return append(dst, "[]"...)
	case "custom":
		return append(dst, "{}"...)
	}
	return append(dst, "null"...)
}

// bind copies the record into a struct of the definition's Go type.
func (r *Record) bind(dst reflect.Value) {
	for i, f := range r.Def.Fields {
		fv := dst.FieldByIndex(f.goPos)
		bindings[fv.Type()].set(fv, r.Values[i])
	}
}

// unbind is the inverse of bind.
func (d *Definition) unbind(src reflect.Value) *Record {
	r := &Record{Def: d, Values: make([]any, len(d.Fields))}
	for i, f := range d.Fields {
		fv := src.FieldByIndex(f.goPos)
		v := bindings[fv.Type()].get(fv)
		if t, ok := v.(time.Time); ok {
			v = t.UTC().Truncate(time.Microsecond)
		}
		r.Values[i] = v
	}
	return r
}
