package record

import (
	"encoding/json"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"

	"crm/internal/platform/errs"
)

// Op is a filter operator.
type Op string

const (
	Eq         Op = "eq"
	Ne         Op = "ne"
	In         Op = "in"
	NotIn      Op = "not_in"
	Gt         Op = "gt"
	Gte        Op = "gte"
	Lt         Op = "lt"
	Lte        Op = "lte"
	Contains   Op = "contains"
	StartsWith Op = "starts_with"
	IsNull     Op = "is_null"
	Between    Op = "between"
	AnyOf      Op = "any_of"
	AllOf      Op = "all_of"
	NoneOf     Op = "none_of"
	within     Op = "within" // a relative range such as last_days:7
)

var (
	textOps    = []Op{Eq, Ne, In, NotIn, Contains, StartsWith, Gt, Gte, Lt, Lte, IsNull}
	orderedOps = []Op{Eq, Ne, In, NotIn, Gt, Gte, Lt, Lte, Between, IsNull}
	timeOps    = []Op{Eq, Ne, Gt, Gte, Lt, Lte, Between, IsNull, within}
)

// Filter is one node of the filter grammar that lists, views, segments, bulk
// selections, reports and the API share: a group (All or Any) or a condition.
type Filter struct {
	All  []Filter
	Any  []Filter
	Cond *Cond
}

// Cond compares one field, at most one relation away, with values.
type Cond struct {
	Relation *Field // nil for a field of the object itself
	Field    *Field
	Op       Op
	Values   []any
	From, To time.Time // for within: From ≤ value < To
}

// Resolver finds the definition of an object with the tenant's custom fields.
type Resolver func(object string) (*Definition, error)

// parser turns user input into a Filter over one definition.
type parser struct {
	def      *Definition
	resolve  Resolver
	now      time.Time
	zone     *time.Location
	currency string
}

// listParams are query parameters that are not filters.
var listParams = []string{"limit", "cursor", "sort", "fields", "expand", "q", "count", "filter", "view", "peek", "trash", "after", "before"}

// parseURL reads every filter parameter of a query string.
func (p *parser) parseURL(q url.Values, ignore []string) (Filter, error) {
	var out Filter
	var refused errs.Fields
	for _, key := range sortedKeys(q) {
		name, op := splitKey(key)
		if slices.Contains(listParams, key) || slices.Contains(ignore, key) {
			continue
		}
		for _, raw := range q[key] {
			c, err := p.cond(name, op, raw)
			if err != nil {
				refused = append(refused, fieldErrors(key, err)...)
				continue
			}
			out.All = append(out.All, Filter{Cond: c})
		}
	}
	if raw := q.Get("filter"); raw != "" {
		f, err := p.parseJSON(raw)
		if err != nil {
			refused = append(refused, fieldErrors("filter", err)...)
		} else {
			out.All = append(out.All, f)
		}
	}
	return out, malformed(refused)
}

// malformed makes refused query parameters a 400: the request cannot be read.
func malformed(refused errs.Fields) error {
	if len(refused) == 0 {
		return nil
	}
	e := errs.New(errs.Malformed, "bad_parameter", "%s", refused[0].Message)
	e.Fields = refused
	return e
}

func fieldErrors(key string, err error) []errs.FieldError {
	e := errs.As(err)
	if e == nil || len(e.Fields) == 0 {
		return []errs.FieldError{{Field: key, Code: "invalid", Message: err.Error()}}
	}
	out := slices.Clone(e.Fields)
	for i := range out {
		out[i].Field = key
	}
	return out
}

func sortedKeys(q url.Values) []string {
	keys := make([]string, 0, len(q))
	for k := range q {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// splitKey reads "score[gte]" as (score, gte).
func splitKey(key string) (string, Op) {
	name, rest, ok := strings.Cut(key, "[")
	if !ok || !strings.HasSuffix(rest, "]") {
		return key, Eq
	}
	return name, Op(strings.TrimSuffix(rest, "]"))
}

const maxFilterDepth = 4

type jsonFilter struct {
	And   []jsonFilter `json:"and"`
	Or    []jsonFilter `json:"or"`
	Field string       `json:"field"`
	Op    Op           `json:"op"`
	Value any          `json:"value"`
}

// parseJSON reads {"and":[{"field":"status","op":"eq","value":"new"},{"or":[…]}]}.
func (p *parser) parseJSON(raw string) (Filter, error) {
	dec := json.NewDecoder(strings.NewReader(raw))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	var j jsonFilter
	if err := dec.Decode(&j); err != nil {
		return Filter{}, errs.Field("filter", "not_json", "filter must be JSON like {\"and\":[{\"field\":\"status\",\"op\":\"eq\",\"value\":\"new\"}]}.")
	}
	return p.fromJSON(j, 0)
}

func (p *parser) fromJSON(j jsonFilter, depth int) (Filter, error) {
	if depth > maxFilterDepth {
		return Filter{}, errs.Field("filter", "too_deep", "A filter may nest groups at most %d deep.", maxFilterDepth)
	}
	if j.Field != "" {
		return p.jsonCond(j)
	}
	var out Filter
	for _, group := range []struct {
		in  []jsonFilter
		out *[]Filter
	}{{j.And, &out.All}, {j.Or, &out.Any}} {
		for _, sub := range group.in {
			f, err := p.fromJSON(sub, depth+1)
			if err != nil {
				return Filter{}, err
			}
			*group.out = append(*group.out, f)
		}
	}
	return out, nil
}

func (p *parser) jsonCond(j jsonFilter) (Filter, error) {
	if j.Op == "" {
		j.Op = Eq
	}
	var parts []string
	switch v := j.Value.(type) {
	case nil:
		j.Op, parts = IsNull, []string{"true"}
	case []any:
		for _, it := range v {
			s, _ := textOf(it)
			parts = append(parts, s)
		}
	default:
		s, _ := textOf(v)
		parts = []string{s}
	}
	c, err := p.condValues(j.Field, j.Op, parts)
	if err != nil {
		return Filter{}, err
	}
	return Filter{Cond: c}, nil
}

// cond reads one condition from text; list operators split at commas.
func (p *parser) cond(name string, op Op, raw string) (*Cond, error) {
	parts := []string{raw}
	switch op {
	case In, NotIn, AnyOf, AllOf, NoneOf, Between:
		parts = strings.Split(raw, ",")
	}
	return p.condValues(name, op, parts)
}

func (p *parser) condValues(name string, op Op, parts []string) (*Cond, error) {
	c, err := p.field(name)
	if err != nil {
		return nil, err
	}
	c.Op = op
	if c.Field.Type.Name() == "datetime" || c.Field.Type.Name() == "date" {
		if ok, err := p.relative(c, parts); ok || err != nil {
			return c, err
		}
	}
	if c.Field.Type.Name() == "list" && (op == Eq || op == In) {
		c.Op = AnyOf
	}
	if !slices.Contains(c.Field.Type.Ops(), c.Op) {
		return nil, refuse(c.Field, "unknown_operator", "%s cannot be filtered with %q. Use one of: %s.", c.Field.Label, op, opList(c.Field.Type.Ops()))
	}
	return c, p.values(c, parts)
}

func opList(ops []Op) string {
	var s []string
	for _, o := range ops {
		if o != within {
			s = append(s, string(o))
		}
	}
	return strings.Join(s, ", ")
}

// field resolves "status", "account.industry" or "custom.tier".
func (p *parser) field(name string) (*Cond, error) {
	if f, ok := p.def.Field(name); ok {
		return &Cond{Field: f}, nil
	}
	rel, rest, ok := strings.Cut(name, ".")
	if ok && rel != "custom" {
		rf, found := p.def.Field(rel + "_id")
		if found && rf.Target != "" {
			target, err := p.resolve(rf.Target)
			if err != nil {
				return nil, err
			}
			if f, ok := target.Field(rest); ok {
				return &Cond{Relation: rf, Field: f}, nil
			}
		}
	}
	return nil, errs.Field(name, "unknown_field", "There is no field %q on %s to filter by.", name, p.def.Plural)
}

func (p *parser) values(c *Cond, parts []string) error {
	if c.Op == IsNull {
		v, err := boolType{}.ParseText(c.Field, firstOr(parts, "true"))
		c.Values = []any{v}
		return err
	}
	if len(parts) > 500 {
		return refuse(c.Field, "too_many", "A filter may list at most 500 values.")
	}
	for _, s := range parts {
		v, err := p.value(c, s)
		if err != nil {
			return err
		}
		c.Values = append(c.Values, v)
	}
	if c.Op == Between && len(c.Values) != 2 {
		return refuse(c.Field, "needs_two", "between needs two values: from,to.")
	}
	return nil
}

// value reads one comparison value. Pattern operators take the text as it is:
// "smi" is no e-mail address, yet a fine thing to search one for.
func (p *parser) value(c *Cond, s string) (any, error) {
	s = strings.TrimSpace(CleanText(s))
	switch {
	case c.Op == Contains || c.Op == StartsWith:
		return s, nil
	case c.Field.Type.Name() == "list":
		return s, nil
	case c.Field.Type.Name() == "email":
		return strings.ToLower(s), nil
	}
	if s == "" {
		return nil, refuse(c.Field, "empty", "The filter on %s needs a value; use %s[is_null]=true for empty ones.", c.Field.Label, c.Field.Name)
	}
	return readText(c.Field, s, p.currency)
}

func firstOr(s []string, fallback string) string {
	if len(s) > 0 && s[0] != "" {
		return s[0]
	}
	return fallback
}
