package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/big"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/money"
)

// Env is what a filter asks beyond the record itself. Both answers must already
// be limited to what the actor may see, as SQL's are. A nil function answers no.
type Env struct {
	// Related returns the living record a relation points to, or nil.
	Related func(object string, id uuid.UUID) *Record
	// Member reports whether a record is in a static segment.
	Member func(segment, record uuid.UUID) bool
}

// Matches evaluates the filter over a record in memory, with the same outcome as
// a list would have: workflows and live pages decide by it without a query.
// Relative dates were resolved when the filter was read.
func (f Filter) Matches(r *Record, env Env) bool {
	if f.Cond != nil {
		return f.Cond.matches(r, env)
	}
	one := func(g Filter) bool { return g.Matches(r, env) }
	none := func(g Filter) bool { return !g.Matches(r, env) }
	return !slices.ContainsFunc(f.All, none) && (len(f.Any) == 0 || slices.ContainsFunc(f.Any, one))
}

func (c *Cond) matches(r *Record, env Env) bool {
	if c.Field == nil {
		return c.member(r, env) == (c.Op != NotIn)
	}
	if c.Relation != nil {
		id, ok := r.Get(c.Relation.path()).(uuid.UUID)
		if !ok || env.Related == nil {
			return false
		}
		if r = env.Related(c.Relation.Target, id); r == nil || r.Deleted() {
			return false
		}
	}
	return c.holds(c.Field.value(r))
}

func (c *Cond) member(r *Record, env Env) bool {
	return slices.ContainsFunc(c.Segments, func(s SegmentRef) bool {
		if s.Static {
			return env.Member != nil && env.Member(s.ID, r.ID())
		}
		return s.Inner.Matches(r, env)
	})
}

// value is the canonical value of the field in r. What does not have the type of
// a custom field counts as empty.
func (f *Field) value(r *Record) any {
	v := r.Get(f.path())
	if !f.Custom || v == nil {
		return v
	}
	if f.kind() == kindText {
		return documentText(v)
	}
	out, err := f.Type.Parse(f, v)
	if err != nil {
		return nil
	}
	return out
}

// documentText is a value of the custom document as PostgreSQL's ->> gives it.
func documentText(v any) any {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	b, _ := json.Marshal(v) // from JSON, so it goes back
	return string(b)
}

// holds compares one value; nil is empty.
func (c *Cond) holds(v any) bool {
	if list, ok := v.([]string); ok && len(list) == 0 {
		v = nil
	}
	if c.Op == IsNull {
		return (v == nil) == (c.Values[0] == any(true))
	}
	if v == nil {
		return c.Op == Ne || c.Op == NotIn || c.Op == NoneOf
	}
	switch c.Field.kind() {
	case kindList:
		return c.overlaps(v.([]string))
	case kindDate, kindTime:
		return c.inSpan(v)
	}
	return c.compares(v)
}

func (c *Cond) overlaps(items []string) bool {
	has := func(v any) bool { s, _ := v.(string); return slices.Contains(items, s) }
	switch c.Op {
	case AllOf:
		return !slices.ContainsFunc(c.Values, func(v any) bool { return !has(v) })
	case NoneOf:
		return !slices.ContainsFunc(c.Values, has)
	}
	return slices.ContainsFunc(c.Values, has)
}

func (c *Cond) inSpan(v any) bool {
	at := momentOf(c.Field, v).From
	within := func(v any) bool {
		m := momentOf(c.Field, v)
		return !at.Before(m.From) && at.Before(m.To)
	}
	first := momentOf(c.Field, c.Values[0])
	switch c.Op {
	case Ne, NotIn:
		return !slices.ContainsFunc(c.Values, within)
	case Between:
		return !at.Before(first.From) && at.Before(momentOf(c.Field, c.Values[1]).To)
	case Gt:
		return !at.Before(first.To)
	case Gte:
		return !at.Before(first.From)
	case Lt:
		return at.Before(first.From)
	case Lte:
		return at.Before(first.To)
	}
	return slices.ContainsFunc(c.Values, within)
}

func (c *Cond) compares(v any) bool {
	same := func(want any) bool { n, ok := order(v, want); return ok && n == 0 }
	n, ok := order(v, c.Values[0])
	switch c.Op {
	case Eq, In:
		return slices.ContainsFunc(c.Values, same)
	case Ne, NotIn:
		return !slices.ContainsFunc(c.Values, same)
	case Gt:
		return ok && n > 0
	case Gte:
		return ok && n >= 0
	case Lt:
		return ok && n < 0
	case Lte:
		return ok && n <= 0
	case Between:
		m, fits := order(v, c.Values[1])
		return ok && fits && n >= 0 && m <= 0
	}
	text, _ := v.(string)
	part, _ := c.Values[0].(string)
	if c.Op == StartsWith {
		return strings.HasPrefix(strings.ToLower(text), strings.ToLower(part))
	}
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// order compares a value with one of a condition. Amounts of two currencies have
// no order.
func order(v, want any) (n int, ok bool) {
	switch v := v.(type) {
	case string:
		w, ok := want.(string)
		return strings.Compare(v, w), ok
	case int64:
		w, ok := want.(int64)
		return cmp.Compare(v, w), ok
	case float64:
		w, ok := want.(float64)
		return cmp.Compare(v, w), ok
	case bool:
		if want == any(v) {
			return 0, true
		}
		return 1, true
	case uuid.UUID:
		w, ok := want.(uuid.UUID)
		return bytes.Compare(v[:], w[:]), ok
	case money.Amount:
		return orderMoney(v, want)
	}
	return 0, false
}

func orderMoney(v money.Amount, want any) (int, bool) {
	var w *big.Rat
	switch want := want.(type) {
	case money.Amount:
		if want.Currency != v.Currency {
			return 0, false
		}
		w = rat(want)
	case Figure:
		w = want.rat()
	default:
		return 0, false
	}
	return rat(v).Cmp(w), true
}
