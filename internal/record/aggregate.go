package record

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// Limits of one aggregate.
const (
	maxGroups       = 3
	maxMeasures     = 10
	maxAggregated   = 1000 // rows of the answer
	defaultRows     = 100
	maxCurrencies   = 20
	maxSortedByKeys = 3
)

// AggregateInput asks for figures over the records a list with this filter would
// show: groups of equal values, and measures of each group.
type AggregateInput struct {
	GroupBy  []GroupBy       `json:"group_by"`
	Measures []Measure       `json:"measures"`
	Filter   json.RawMessage `json:"filter"`
	Search   string          `json:"q"`
	Sort     string          `json:"sort"`
	Limit    int             `json:"limit"`
	TimeZone string          `json:"time_zone"` // IANA name; the caller's own when empty
}

// GroupBy is a field to group by; By is how dates are bucketed. As JSON it may be
// the field's name alone.
type GroupBy struct {
	Field string `json:"field"`
	By    string `json:"by"`
}

// UnmarshalJSON also reads a bare name.
func (g *GroupBy) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, &g.Field)
	}
	type plain GroupBy // without this method
	return json.Unmarshal(raw, (*plain)(g))
}

// Measure is one figure of every group: count, sum, avg, min, max or
// count_distinct of a field. As names it in the answer; "sum_amount" when empty.
type Measure struct {
	Fn    string `json:"fn"`
	Field string `json:"field"`
	As    string `json:"as"`
}

// Aggregate is the answer. Sums of money are one amount per currency and never
// added across currencies. Truncated says that there are more groups than rows.
type Aggregate struct {
	Rows      []AggregateRow
	Total     map[string]any
	Truncated bool
	TimeZone  string
}

// AggregateRow is one group. Labels say in words what ids and options mean, for
// values that have other words than themselves.
type AggregateRow struct {
	Group  map[string]any    `json:"group"`
	Labels map[string]string `json:"labels"`
	Values map[string]any    `json:"values"`
}

// groupKey is one checked group.
type groupKey struct {
	name string // in the answer
	cond *Cond  // Relation and Field
	by   string // "" or day … year
}

// measure is one checked measure.
type measure struct {
	name string
	fn   string
	cond *Cond // nil for count of rows
}

func (m measure) money() bool { return m.cond != nil && m.cond.Field.kind() == kindMoney }

// Aggregate computes figures over all records the actor may see, in SQL. Rights,
// filter and search are the list's own.
func (o *Object) Aggregate(ctx context.Context, in AggregateInput) (*Aggregate, error) {
	a, _, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return nil, err
	}
	p, err := o.parser(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := newPlan(p, in)
	if err != nil {
		return nil, badAggregate(err)
	}
	if plan.zone, err = aggregateZone(a, in.TimeZone); err != nil {
		return nil, err
	}
	p.zone = plan.zone
	if raw := strings.TrimSpace(string(in.Filter)); raw != "" && raw != "null" {
		if plan.query.Filter, err = p.parseJSON(raw); err != nil {
			return nil, badAggregate(err)
		}
	}
	plan.query.Search = in.Search
	return o.runPlan(ctx, plan)
}

// aggregateZone checks the zone against the time zone database: only a name that
// is in it goes to PostgreSQL, and as a parameter.
func aggregateZone(a *auth.Actor, name string) (*time.Location, error) {
	if name == "" {
		return zone(a), nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil || strings.EqualFold(name, "local") {
		return nil, badAggregate(errs.Field("time_zone", "unknown_time_zone", "There is no time zone called %q. Use a name like Europe/Berlin.", name))
	}
	return loc, nil
}

// badAggregate makes every refusal of the request a 400.
func badAggregate(err error) error {
	e := errs.As(err)
	if e == nil || e.Kind != errs.Invalid {
		return err
	}
	return malformed(e.Fields)
}

// plan is a checked request.
type plan struct {
	groups   []groupKey
	measures []measure
	query    Query
	sort     []planSort
	limit    int
	zone     *time.Location
}

type planSort struct {
	column int // of groups, then measures
	desc   bool
}

func newPlan(p *parser, in AggregateInput) (*plan, error) {
	out := &plan{limit: in.Limit}
	if out.limit == 0 {
		out.limit = defaultRows
	}
	if out.limit < 1 || out.limit > maxAggregated {
		return nil, errs.Field("limit", "out_of_range", "limit must be between 1 and %d.", maxAggregated)
	}
	if len(in.GroupBy) > maxGroups {
		return nil, errs.Field("group_by", "too_many", "Group by at most %d fields.", maxGroups)
	}
	if len(in.Measures) > maxMeasures {
		return nil, errs.Field("measures", "too_many", "Ask for at most %d measures.", maxMeasures)
	}
	if len(in.Measures) == 0 {
		in.Measures = []Measure{{Fn: "count"}}
	}
	for _, g := range in.GroupBy {
		key, err := newGroup(p, g)
		if err != nil {
			return nil, err
		}
		out.groups = append(out.groups, key)
	}
	for _, m := range in.Measures {
		one, err := newMeasure(p, m)
		if err != nil {
			return nil, err
		}
		out.measures = append(out.measures, one)
	}
	if err := out.distinctNames(); err != nil {
		return nil, err
	}
	var err error
	out.sort, err = out.parseSort(in.Sort)
	return out, err
}

// buckets are the lengths dates may be grouped by; weeks begin on Monday.
var buckets = []string{"day", "week", "month", "quarter", "year"}

func newGroup(p *parser, g GroupBy) (groupKey, error) {
	c, err := p.field(g.Field)
	if err != nil {
		return groupKey{}, inField("group_by", err)
	}
	key := groupKey{name: c.Name(), cond: c, by: g.By}
	switch c.Field.kind() {
	case kindDate, kindTime:
		if key.by == "" {
			key.by = "day"
		}
		if !slices.Contains(buckets, key.by) {
			return key, errs.Field("group_by", "unknown_bucket", "Dates are grouped by one of: %s.", strings.Join(buckets, ", "))
		}
		return key, nil
	case kindJSON, kindMoney:
		return key, errs.Field("group_by", "not_groupable", "%s cannot be grouped by.", c.Field.Label)
	}
	if c.Field.kind() == kindList && c.Relation != nil {
		return key, errs.Field("group_by", "not_groupable", "Lists of a related record cannot be grouped by.")
	}
	if key.by != "" {
		return key, errs.Field("group_by", "not_a_date", "%s is no date: leave \"by\" out.", c.Field.Label)
	}
	return key, nil
}

func inField(field string, err error) error {
	e := errs.As(err)
	if e == nil || len(e.Fields) == 0 {
		return err
	}
	return errs.Field(field, e.Fields[0].Code, "%s", e.Fields[0].Message)
}

func newMeasure(p *parser, m Measure) (measure, error) {
	out := measure{fn: m.Fn, name: m.As}
	if m.Field != "" {
		c, err := p.field(m.Field)
		if err != nil {
			return out, inField("measures", err)
		}
		if c.Relation != nil {
			return out, errs.Field("measures", "too_far", "Measures are of the object's own fields.")
		}
		out.cond = c
	}
	if out.name == "" {
		out.name = strings.Trim(m.Fn+"_"+strings.ReplaceAll(m.Field, ".", "_"), "_")
	}
	if len(out.name) > 63 || CleanText(out.name) != out.name {
		return out, errs.Field("measures", "bad_name", "\"as\" is a short name.")
	}
	return out, out.check()
}

// check refuses a function that makes no sense for the field's kind.
func (m measure) check() error {
	if !slices.Contains([]string{"count", "count_distinct", "sum", "avg", "min", "max"}, m.fn) {
		return errs.Field("measures", "unknown_measure", "A measure's fn is one of: count, count_distinct, sum, avg, min, max.")
	}
	if m.cond == nil {
		if m.fn == "count" {
			return nil
		}
		return errs.Field("measures", "needs_field", "%s needs a field.", m.fn)
	}
	ok := true
	switch k := m.cond.Field.kind(); m.fn {
	case "sum", "avg":
		ok = k == kindInt || k == kindFloat || k == kindMoney
	case "min", "max":
		ok = k == kindInt || k == kindFloat || k == kindMoney || k == kindDate || k == kindTime
	case "count_distinct":
		ok = k != kindJSON && k != kindMoney && k != kindList
	case "count":
		ok = k != kindJSON && k != kindList
	}
	if !ok {
		return errs.Field("measures", "wrong_type", "There is no %s of %s.", m.fn, m.cond.Field.Label)
	}
	return nil
}

func (p *plan) distinctNames() error {
	seen := map[string]bool{}
	for _, g := range p.groups {
		if seen[g.name] {
			return errs.Field("group_by", "twice", "%s is named twice.", g.name)
		}
		seen[g.name] = true
	}
	seen = map[string]bool{}
	for _, m := range p.measures {
		if seen[m.name] {
			return errs.Field("measures", "twice", "%s is named twice; give one another name with \"as\".", m.name)
		}
		seen[m.name] = true
	}
	return nil
}

// parseSort reads "-sum_amount,stage_id". Without a wish, dates run forward and
// everything else is sorted by the first measure, largest first.
func (p *plan) parseSort(s string) ([]planSort, error) {
	if s == "" {
		if len(p.groups) > 0 && p.groups[0].by != "" {
			return nil, nil // the groups themselves, in order
		}
		return []planSort{{column: len(p.groups), desc: true}}, nil
	}
	var out []planSort
	for _, part := range strings.Split(s, ",") {
		name, desc := strings.CutPrefix(strings.TrimSpace(part), "-")
		at := slices.IndexFunc(p.groups, func(g groupKey) bool { return g.name == name })
		if at < 0 {
			if at = slices.IndexFunc(p.measures, func(m measure) bool { return m.name == name }); at >= 0 {
				at += len(p.groups)
			}
		}
		if at < 0 || len(out) == maxSortedByKeys {
			return nil, errs.Field("sort", "not_sortable", "Sort by at most %d of the groups and measures asked for.", maxSortedByKeys)
		}
		out = append(out, planSort{at, desc})
	}
	return out, nil
}
