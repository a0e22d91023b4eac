package record

import (
	"encoding/json"
	"slices"
	"time"

	"crm/internal/platform/errs"
)

// parseCondition reads a filter that is judged record by record, so it may not look
// into related records nor depend on the day.
func parseCondition(d *Definition, raw json.RawMessage, now time.Time) (Filter, error) {
	nowhere := func(object string) (*Definition, error) {
		return nil, errs.Field("filter", "unknown_field", "A condition cannot look into related records (%s).", object)
	}
	p := &parser{def: d, resolve: nowhere, now: now, zone: time.UTC, conds: new(int)}
	f, err := p.parseJSON(string(raw))
	if err != nil {
		return f, err
	}
	var refused error
	f.each(func(c *Cond) {
		if slices.ContainsFunc(c.Words, movingWord) {
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

// movingWord reports whether a stored word means something else later or to
// somebody else; a day does not.
func movingWord(word string) bool {
	_, err := time.Parse(time.DateOnly, word)
	return word != "" && err != nil
}

// Match judges a record alone. A condition over a relation or a segment never holds
// here: neither is at hand.
func (f *Filter) Match(r *Record) bool { return f.Matches(r, Env{}) }
