package record

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
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

// CheckSort refuses a stored sort that no list could use.
func (d *Definition) CheckSort(s string) error {
	_, err := d.parseSort(s)
	if e := errs.As(err); e != nil {
		return errs.Fields(e.Fields).Err()
	}
	return err
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
	bad := badCursor()
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

// rankSort is the sort a cursor of a ranked list names.
const rankSort = "~rank"

func encodeRank(tenant uuid.UUID, rank string, last uuid.UUID) string {
	b, _ := json.Marshal(cursor{Tenant: tenant.String()[24:], Sort: rankSort, Values: []*string{&rank}, ID: last})
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeRank(s string, tenant uuid.UUID) (float64, uuid.UUID, error) {
	var c cursor
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err == nil && c.Tenant == tenant.String()[24:] && c.Sort == rankSort && len(c.Values) == 1 && c.Values[0] != nil {
		if rank, err := strconv.ParseFloat(*c.Values[0], 32); err == nil {
			return rank, c.ID, nil
		}
	}
	return 0, uuid.Nil, badCursor()
}

func badCursor() error {
	return malformed(errs.Fields{{Field: "cursor", Code: "bad_cursor", Message: "This cursor belongs to another list. Start again without it."}})
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

// orderBy writes the order: empty values last in both directions. With split,
// the statement shows only filled or only empty first keys; the first key then
// is ordered as an index is.
func orderBy(keys []SortKey, alias string, split bool) string {
	var parts []string
	desc := false
	for i, k := range keys {
		s := alias + "." + k.Field.Column
		if k.Desc {
			s += " desc"
			if !notNull(k.Field) && (i > 0 || !split) {
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

// afterCursor is the predicate for rows after the cursor in orderBy's order,
// among those whose first key is filled if the cursor's is, and empty if not.
func (b *sqlBuilder) afterCursor(keys []SortKey, values []any, last uuid.UUID, alias string) string {
	cmp := ".id > "
	if keys[len(keys)-1].Desc {
		cmp = ".id < "
	}
	pred := alias + cmp + b.arg(last)
	for i := len(keys) - 1; i >= 0; i-- {
		pred = b.afterKey(keys[i], values[i], alias, pred, i == 0 || notNull(keys[i].Field))
	}
	return pred
}

// afterKey wraps the predicate of the later keys: strictly after this value, or
// equal to it and after on the rest. filled says that no row here lacks it.
func (b *sqlBuilder) afterKey(k SortKey, v any, alias, rest string, filled bool) string {
	col := alias + "." + k.Field.Column
	if v == nil {
		return "(" + col + " is null and " + rest + ")"
	}
	ref := b.value(k.Field, v)
	cmp, wide := " > ", " >= "
	if k.Desc {
		cmp, wide = " < ", " <= "
	}
	if filled {
		// The redundant bound lets the index start at the right place.
		return "(" + col + wide + ref + " and (" + col + cmp + ref + " or " + rest + "))"
	}
	return "(" + col + cmp + ref + " or " + col + " is null or (" + col + " = " + ref + " and " + rest + "))"
}
