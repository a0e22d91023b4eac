package record

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
)

// SortKey orders a list by one field.
type SortKey struct {
	Field *Field
	Desc  bool
}

// parseSort reads "-created_at,last_name". id is always the last key, so that
// pages never overlap.
func (d *Definition) parseSort(s string) ([]SortKey, error) {
	if s == "" {
		s = d.DefaultSort
	}
	var keys []SortKey
	for _, part := range strings.Split(s, ",") {
		name, desc := strings.CutPrefix(part, "-")
		f, ok := d.Field(name)
		if !ok || !f.Sortable() {
			return nil, malformed(errs.Fields{{Field: "sort", Code: "not_sortable", Message: "Lists of " + d.Plural + " cannot be sorted by " + name + "."}})
		}
		keys = append(keys, SortKey{f, desc})
	}
	if len(keys) > 5 {
		return nil, malformed(errs.Fields{{Field: "sort", Code: "too_many", Message: "Sort by at most five fields."}})
	}
	return keys, nil
}

// cursor is the place after a row. It names tenant and sort, so that one cannot
// be used where it makes no sense; it grants nothing, so it is not signed.
type cursor struct {
	Tenant string    `json:"t"`
	Sort   string    `json:"s"`
	Values []*string `json:"v"`
	ID     uuid.UUID `json:"i"`
}

func encodeCursor(tenant uuid.UUID, sort string, keys []SortKey, r *Record) string {
	c := cursor{Tenant: tenant.String()[24:], Sort: sort, ID: r.ID()}
	for _, k := range keys {
		if r.Get(k.Field.Name) == nil {
			c.Values = append(c.Values, nil)
			continue
		}
		s := r.Text(k.Field.Name)
		c.Values = append(c.Values, &s)
	}
	b, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(s string, tenant uuid.UUID, sort string, keys []SortKey) ([]any, uuid.UUID, error) {
	bad := malformed(errs.Fields{{Field: "cursor", Code: "bad_cursor", Message: "This cursor belongs to another list. Start again without it."}})
	raw, err := base64.RawURLEncoding.DecodeString(s)
	var c cursor
	if err != nil || json.Unmarshal(raw, &c) != nil || c.Tenant != tenant.String()[24:] || c.Sort != sort || len(c.Values) != len(keys) {
		return nil, uuid.Nil, bad
	}
	out := make([]any, len(keys))
	for i, v := range c.Values {
		if v == nil {
			continue
		}
		if out[i], err = keys[i].Field.Type.ParseText(keys[i].Field, *v); err != nil {
			return nil, uuid.Nil, bad
		}
	}
	return out, c.ID, nil
}

// notNull names the base fields that are never empty, which allows the planner
// to walk an index with a row comparison.
func notNull(f *Field) bool {
	switch f.Name {
	case "id", "created_at", "updated_at", "version":
		return true
	}
	return f.Required
}

// orderBy writes the order: empty values last in both directions.
func orderBy(keys []SortKey, alias string) string {
	var parts []string
	desc := false
	for _, k := range keys {
		s := alias + "." + k.Field.Column
		if k.Desc {
			s += " desc"
			if !notNull(k.Field) {
				s += " nulls last"
			}
		}
		desc = k.Desc
		parts = append(parts, s)
	}
	last := alias + ".id"
	if desc {
		last += " desc"
	}
	return strings.Join(append(parts, last), ", ")
}

// afterCursor is the predicate for rows after the cursor in orderBy's order.
func (b *sqlBuilder) afterCursor(keys []SortKey, values []any, last uuid.UUID, alias string) string {
	cmp := ".id > "
	if keys[len(keys)-1].Desc {
		cmp = ".id < "
	}
	pred := alias + cmp + b.arg(last)
	for i := len(keys) - 1; i >= 0; i-- {
		pred = b.afterKey(keys[i], values[i], alias, pred)
	}
	return pred
}

// afterKey wraps the predicate of the later keys: strictly after this value, or
// equal to it and after on the rest.
func (b *sqlBuilder) afterKey(k SortKey, v any, alias, rest string) string {
	col := alias + "." + k.Field.Column
	if v == nil {
		return "(" + col + " is null and " + rest + ")"
	}
	ref := b.value(k.Field, v)
	cmp, wide := " > ", " >= "
	if k.Desc {
		cmp, wide = " < ", " <= "
	}
	if notNull(k.Field) {
		// The redundant bound lets the index start at the right place.
		return "(" + col + wide + ref + " and (" + col + cmp + ref + " or " + rest + "))"
	}
	return "(" + col + cmp + ref + " or " + col + " is null or (" + col + " = " + ref + " and " + rest + "))"
}
