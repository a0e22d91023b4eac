package record

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/money"
)

// parseCondition reads a filter that is judged record by record, so it may not look
// into related records nor depend on the day.
func parseCondition(d *Definition, raw json.RawMessage, now time.Time) (Filter, error) {
	nowhere := func(object string) (*Definition, error) {
		return nil, errs.Field("filter", "unknown_field", "A condition cannot look into related records (%s).", object)
	}
	p := &parser{def: d, resolve: nowhere, now: now, zone: time.UTC}
	f, err := p.parseJSON(string(raw))
	if err != nil {
		return f, err
	}
	var refused error
	f.each(func(c *Cond) {
		if c.Op == within {
			refused = errs.Field(c.Field.fieldAs(), "relative_time", "A condition cannot depend on the day; compare %s with a date.", c.Field.Label)
		}
	})
	if len(f.All)+len(f.Any) == 0 && f.Cond == nil {
		refused = errs.Field("filter", "empty", "The condition is empty.")
	}
	return f, refused
}

// each visits every condition.
func (f *Filter) each(visit func(*Cond)) {
	if f.Cond != nil {
		visit(f.Cond)
	}
	for i := range f.All {
		f.All[i].each(visit)
	}
	for i := range f.Any {
		f.Any[i].each(visit)
	}
}

// Match judges a record in memory as the compiled SQL would judge its row. A
// condition over a relation never holds here: the related record is not at hand.
func (f *Filter) Match(r *Record) bool {
	if f.Cond != nil {
		return f.Cond.match(r)
	}
	for i := range f.All {
		if !f.All[i].Match(r) {
			return false
		}
	}
	if len(f.Any) == 0 {
		return true
	}
	return slices.ContainsFunc(f.Any, func(sub Filter) bool { return sub.Match(r) })
}

func (c *Cond) match(r *Record) bool {
	if c.Relation != nil {
		return false
	}
	v := c.Field.Value(r)
	switch c.Op {
	case IsNull:
		return (v == nil) == (c.Values[0] == any(true))
	case Ne:
		return v == nil || !c.is(v, c.Values[0])
	case NotIn:
		return v == nil || !slices.ContainsFunc(c.Values, func(w any) bool { return c.is(v, w) })
	case AnyOf, AllOf, NoneOf:
		return c.matchList(v)
	}
	if v == nil {
		return false
	}
	switch c.Op {
	case Eq, In:
		return slices.ContainsFunc(c.Values, func(w any) bool { return c.is(v, w) })
	case Contains:
		return strings.Contains(strings.ToLower(c.Field.Type.Text(v)), strings.ToLower(c.Values[0].(string)))
	case StartsWith:
		return strings.HasPrefix(strings.ToLower(c.Field.Type.Text(v)), strings.ToLower(c.Values[0].(string)))
	case within:
		t, ok := v.(time.Time)
		return ok && !t.Before(c.From) && t.Before(c.To)
	}
	return c.matchOrder(v)
}

func (c *Cond) is(v, w any) bool {
	n, ok := order(v, w)
	return ok && n == 0
}

func (c *Cond) matchOrder(v any) bool {
	n, ok := order(v, c.Values[0])
	if !ok {
		return false
	}
	switch c.Op {
	case Gt:
		return n > 0
	case Gte:
		return n >= 0
	case Lt:
		return n < 0
	case Lte:
		return n <= 0
	case Between:
		m, ok := order(v, c.Values[1])
		return ok && n >= 0 && m <= 0
	}
	return false
}

func (c *Cond) matchList(v any) bool {
	have, _ := v.([]string)
	wanted := func(w any) bool { s, _ := w.(string); return slices.Contains(have, s) }
	switch c.Op {
	case AllOf:
		return !slices.ContainsFunc(c.Values, func(w any) bool { return !wanted(w) })
	case NoneOf:
		return !slices.ContainsFunc(c.Values, wanted)
	}
	return slices.ContainsFunc(c.Values, wanted)
}

// order compares two canonical values of one field; amounts by their number alone, as
// the SQL does.
func order(a, b any) (int, bool) {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return cmp.Compare(a, b), ok
	case time.Time:
		b, ok := b.(time.Time)
		return a.Compare(b), ok
	case uuid.UUID:
		b, ok := b.(uuid.UUID)
		return cmp.Compare(a.String(), b.String()), ok
	case bool:
		if b, ok := b.(bool); ok && a == b {
			return 0, true
		}
		return 1, true
	case int64, float64, money.Amount:
		x, y := exact(a), exact(b)
		if x == nil || y == nil {
			return 0, false
		}
		return x.Cmp(y), true
	}
	return 0, false
}
