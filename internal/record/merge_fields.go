package record

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
)

// united is what into becomes: the decided values first, then what into has, then
// what it lacks. seen is what the actor may decide about.
func (o *Object) united(seen *Definition, m Merge, into *Record, from []*Record) (*Record, error) {
	decided := maps.Clone(m.Values)
	if decided == nil {
		decided = Patch{}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Chosen)) {
		v, err := chosen(seen, into, from, name, m.Chosen[name])
		if err != nil {
			return nil, err
		}
		decided[name] = v
	}
	out := decided.apply(into)
	_, allCustom := decided["custom"]
	for i, f := range into.Def.Fields {
		_, given := decided[f.Name]
		if given || f.ReadOnly || f.Name == "deleted_at" {
			continue
		}
		for _, r := range from {
			switch v := r.Values[i]; {
			case f.Name == "custom" && !allCustom:
				out.Values[i] = fillCustom(out.Values[i], v, decided)
			case !points(v, into, from):
				out.Values[i] = unite(f, out.Values[i], v)
			}
		}
	}
	return out, nil
}

// chosen is the value that one of the records has.
func chosen(seen *Definition, into *Record, from []*Record, name string, id uuid.UUID) (any, error) {
	if _, err := seen.writable(name, FromAPI); err != nil {
		return nil, err
	}
	for _, r := range append([]*Record{into}, from...) {
		if r.ID() != id {
			continue
		}
		v := r.Get(name)
		if f := into.Def.byName[name]; f.Custom && v != nil {
			return fromJournal(f, v)
		}
		return v, nil
	}
	return nil, errs.Field(name, "not_merged", "%s can only be taken from one of the records that are merged.", name)
}

// points reports whether a value leads to one of the records being merged: a parent
// that becomes part of its child is nobody's parent.
func points(v any, into *Record, from []*Record) bool {
	u, ok := v.(uuid.UUID)
	if !ok {
		return false
	}
	return u == into.ID() || slices.ContainsFunc(from, func(r *Record) bool { return r.ID() == u })
}

// unite adds what b has to a: empty values are filled, lists are joined, and a
// sticky wish of any record is kept.
func unite(f *Field, a, b any) any {
	switch {
	case b == nil:
		return a
	case a == nil:
		return b
	case f.Sticky && b == any(true):
		return b
	}
	switch a := a.(type) {
	case []string:
		return joinTexts(a, b)
	case []any:
		return joinItems(a, b)
	}
	return a
}

func joinTexts(a []string, b any) any {
	out := slices.Clone(a)
	list, _ := b.([]string)
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// joinItems adds the items of b that a does not have. Items with a value (e-mail
// addresses, phone numbers) are the same when that is, and none of b is primary.
func joinItems(a []any, b any) any {
	out := slices.Clone(a)
	list, _ := b.([]any)
	for _, item := range list {
		if slices.ContainsFunc(out, func(have any) bool { return sameItem(have, item) }) {
			continue
		}
		if m, ok := item.(map[string]any); ok && m["primary"] != nil {
			m = maps.Clone(m)
			m["primary"] = false
			item = m
		}
		out = append(out, item)
	}
	return out
}

func sameItem(a, b any) bool {
	ma, okA := a.(map[string]any)
	mb, okB := b.(map[string]any)
	if okA && okB && ma["value"] != nil {
		return Same(ma["value"], mb["value"])
	}
	return Same(a, b)
}

// fillCustom adds the custom values that a lacks and nobody decided.
func fillCustom(a, b any, decided Patch) any {
	have, _ := a.(map[string]any)
	more, _ := b.(map[string]any)
	out := maps.Clone(have)
	for name, v := range more {
		_, given := decided["custom."+name]
		if _, ok := have[name]; ok || given {
			continue
		}
		if out == nil {
			out = map[string]any{}
		}
		out[name] = v
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
