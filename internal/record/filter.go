package record

import (
	"context"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"

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
	InSegment  Op = "in_segment" // of the pseudo field "segment" only
)

var (
	textOps    = []Op{Eq, Ne, In, NotIn, Contains, StartsWith, Gt, Gte, Lt, Lte, IsNull}
	orderedOps = []Op{Eq, Ne, In, NotIn, Gt, Gte, Lt, Lte, Between, IsNull}
	timeOps    = orderedOps
	segmentOps = []Op{InSegment, Eq, Ne, In, NotIn}
)

// Filter is one node of the filter grammar that lists, views, segments, bulk
// selections, reports and the API share: a group (All or Any) or a condition.
// A node with both groups needs both; an empty node matches everything.
//
// It compiles to SQL (sql.go) and is evaluated in memory (evaluate.go); the two
// must say the same of every record, empty values included.
type Filter struct {
	All  []Filter
	Any  []Filter
	Cond *Cond
}

// Cond compares one field, at most one relation away, with values. An empty
// field only matches is_null, ne, not_in and none_of.
type Cond struct {
	Relation *Field // nil for a field of the object itself
	Field    *Field // nil for a condition on segments
	Op       Op
	// Values are canonical values of the field's type, except: times may be a
	// Moment, money may be a Figure.
	Values []any
	// Words are what to keep instead of a value when the filter is stored, because
	// they mean something else tomorrow or to somebody else: "last_days:7", "me".
	// nil, or one per value, "" = the value itself.
	Words []string
	// Segments are the segments a condition names: member of any of them, or for
	// Ne and NotIn of none.
	Segments []SegmentRef
}

// SegmentRef is a segment inside a filter. Inner is what makes a member of a
// dynamic segment, read for the very caller.
type SegmentRef struct {
	ID     uuid.UUID
	Static bool
	Inner  Filter
}

// Resolver finds the definition of an object with the tenant's custom fields.
type Resolver func(object string) (*Definition, error)

// Limits of one filter, so that a statement stays of a size PostgreSQL plans well.
const (
	maxFilterDepth  = 4
	maxConditions   = 100
	maxFilterValues = 500
	maxFilterText   = 500 // runes of a searched text
	maxSegmentDepth = 3   // segments may name segments
)

// parser turns user input into a Filter over one definition.
type parser struct {
	def      *Definition
	resolve  Resolver
	segment  func(id uuid.UUID) (*Segment, error) // nil = no segments here
	me       uuid.UUID
	now      time.Time
	zone     *time.Location
	conds    *int // conditions read so far, those of inner segments included
	segments int  // how many segments deep this parser is
}

// listParams are query parameters that are not filters.
var listParams = []string{"limit", "cursor", "sort", "fields", "expand", "q", "count", "filter", "view", "peek", "trash", "after", "before", "columns"}

// ListParam reports whether a query parameter of a list is no filter.
func ListParam(name string) bool { return slices.Contains(listParams, name) }

// ParseFilter reads the filter parameters of a URL for this object. Names in
// ignore are parameters of the caller's own.
func (o *Object) ParseFilter(ctx context.Context, q url.Values, ignore ...string) (Filter, error) {
	p, err := o.parser(ctx)
	if err != nil {
		return Filter{}, err
	}
	return p.parseURL(q, ignore)
}

// ParseFilterJSON reads a stored filter (views, segments, campaigns, bulk
// selections). Relative dates and "me" are resolved for the caller, now.
func (o *Object) ParseFilterJSON(ctx context.Context, raw string) (Filter, error) {
	p, err := o.parser(ctx)
	if err != nil {
		return Filter{}, err
	}
	return p.parseJSON(raw)
}

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
	for _, raw := range q["filter"] {
		if raw == "" {
			continue
		}
		f, err := p.parseJSON(raw)
		if err != nil {
			refused = append(refused, fieldErrors("filter", err)...)
		} else {
			out.All = append(out.All, f.parts()...)
		}
	}
	return out, malformed(refused)
}

// parts are the conditions of a filter that must all hold.
func (f Filter) parts() []Filter {
	switch {
	case f.Empty():
		return nil
	case f.Cond != nil || len(f.Any) > 0:
		return []Filter{f}
	}
	var out []Filter
	for _, g := range f.All {
		out = append(out, g.parts()...)
	}
	return out
}

// Empty reports whether the filter has no condition at all.
func (f Filter) Empty() bool {
	full := func(f Filter) bool { return !f.Empty() }
	return f.Cond == nil && !slices.ContainsFunc(f.All, full) && !slices.ContainsFunc(f.Any, full)
}

// And joins filters that must all hold.
func And(filters ...Filter) Filter {
	var out Filter
	for _, f := range filters {
		out.All = append(out.All, f.parts()...)
	}
	return out
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
		return []errs.FieldError{{Field: key, Code: "invalid", Message: message(e, err)}}
	}
	out := slices.Clone(e.Fields)
	for i := range out {
		out[i].Field = key
	}
	return out
}

func message(e *errs.Error, err error) string {
	if e != nil {
		return e.Message
	}
	return err.Error()
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

// ManyValued reports whether an operator takes several values, which an address
// separates by commas.
func (op Op) ManyValued() bool {
	switch op {
	case In, NotIn, AnyOf, AllOf, NoneOf, Between, InSegment:
		return true
	}
	return false
}

// cond reads one condition from text; list operators split at commas.
func (p *parser) cond(name string, op Op, raw string) (*Cond, error) {
	parts := []any{raw}
	if op.ManyValued() {
		parts = parts[:0]
		for _, s := range strings.Split(raw, ",") {
			parts = append(parts, s)
		}
	}
	return p.condValues(name, op, parts)
}

// condValues reads one condition. Values are texts, as an address has them, or
// decoded JSON objects.
func (p *parser) condValues(name string, op Op, parts []any) (*Cond, error) {
	if *p.conds++; *p.conds > maxConditions {
		return nil, errs.Field("filter", "too_many", "A filter may have at most %d conditions.", maxConditions)
	}
	if name == "segment" && p.segment != nil {
		return p.segmentCond(op, parts)
	}
	c, err := p.field(name)
	if err != nil {
		return nil, err
	}
	c.Op = op
	if k := c.Field.kind(); k == kindDate || k == kindTime {
		c.Op, parts = wordAsOperator(op, parts)
	}
	if c.Field.kind() == kindList && (op == Eq || op == In) {
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
		s = append(s, string(o))
	}
	return strings.Join(s, ", ")
}

// field resolves "status", "account.industry", "custom.tier", "account.custom.tier"
// or "owner.email". Lists, filters, totals and views all find fields here.
func (p *parser) field(name string) (*Cond, error) {
	if f, ok := p.def.Field(name); ok {
		return &Cond{Field: f}, nil
	}
	rel, rest, ok := strings.Cut(name, ".")
	if !ok || rel == "custom" {
		return nil, p.unknown(name)
	}
	rf := p.relation(rel)
	if rf == nil {
		return nil, p.unknown(name)
	}
	target, err := p.resolve(rf.Target)
	if err != nil {
		return nil, p.unknown(name)
	}
	f, ok := target.Field(rest)
	if !ok && strings.Contains(strings.TrimPrefix(rest, "custom."), ".") {
		return nil, errs.Field(name, "too_far", "%q goes over more than one relation. A filter may look one relation away, like account.industry.", name)
	}
	if !ok {
		return nil, p.unknown(name)
	}
	return &Cond{Relation: rf, Field: f}, nil
}

// relation finds the field behind "account", "owner" or "created_by".
func (p *parser) relation(name string) *Field {
	for _, n := range []string{name + "_id", name} {
		if f, ok := p.def.Field(n); ok && f.Target != "" && f.kind() == kindID {
			return f
		}
	}
	return nil
}

func (p *parser) unknown(name string) error {
	return errs.Field(name, "unknown_field", "There is no field %q on %s to filter by.", name, p.def.Plural)
}
