package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/money"
)

// jsonFilter is the stored form and the form of the filter parameter.
type jsonFilter struct {
	And   *[]jsonFilter `json:"and,omitempty"`
	Or    *[]jsonFilter `json:"or,omitempty"`
	Field string        `json:"field,omitempty"`
	Op    Op            `json:"op,omitempty"`
	Value *any          `json:"value,omitempty"`
}

// UnmarshalJSON keeps the difference between a value of null and none.
func (j *jsonFilter) UnmarshalJSON(raw []byte) error {
	var in struct {
		And   *[]jsonFilter   `json:"and"`
		Or    *[]jsonFilter   `json:"or"`
		Field string          `json:"field"`
		Op    Op              `json:"op"`
		Value json.RawMessage `json:"value"`
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return err
	}
	*j = jsonFilter{And: in.And, Or: in.Or, Field: in.Field, Op: in.Op}
	if in.Value == nil {
		return nil
	}
	values := json.NewDecoder(bytes.NewReader(in.Value))
	values.UseNumber()
	j.Value = new(any)
	return values.Decode(j.Value)
}

// parseJSON reads {"and":[{"field":"status","op":"eq","value":"new"},{"or":[…]}]}.
func (p *parser) parseJSON(raw string) (Filter, error) {
	dec := json.NewDecoder(strings.NewReader(raw))
	var j *jsonFilter
	err := dec.Decode(&j)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errTrailing
		}
	}
	if err != nil || j == nil {
		return Filter{}, errs.Field("filter", "not_json", "filter must be JSON like {\"and\":[{\"field\":\"status\",\"op\":\"eq\",\"value\":\"new\"}]}.")
	}
	return p.fromJSON(*j, 0)
}

var errTrailing = errors.New("text after the filter")

func (p *parser) fromJSON(j jsonFilter, depth int) (Filter, error) {
	if depth > maxFilterDepth {
		return Filter{}, errs.Field("filter", "too_deep", "A filter may nest groups at most %d deep.", maxFilterDepth)
	}
	isGroup := j.And != nil || j.Or != nil
	switch {
	case j.Field != "" && isGroup:
		return Filter{}, errs.Field("filter", "mixed", "A filter node is either a group (and, or) or a condition (field, op, value), not both.")
	case j.Field != "":
		return p.jsonCond(j)
	case j.Op != "" || j.Value != nil:
		return Filter{}, errs.Field("filter", "no_field", "A condition needs a field.")
	case !isGroup && depth > 0:
		return Filter{}, errs.Field("filter", "empty_group", "A group needs at least one condition.")
	}
	var out Filter
	for _, group := range []struct {
		in  *[]jsonFilter
		out *[]Filter
	}{{j.And, &out.All}, {j.Or, &out.Any}} {
		if group.in == nil {
			continue
		}
		if len(*group.in) == 0 && (depth > 0 || group.out == &out.Any) {
			return Filter{}, errs.Field("filter", "empty_group", "A group needs at least one condition.")
		}
		for _, sub := range *group.in {
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
	var parts []any
	switch {
	case j.Value == nil: // only is_null does without
	case *j.Value == nil:
		if j.Op != Eq && j.Op != Ne && j.Op != IsNull {
			return Filter{}, errs.Field(j.Field, "empty", "%s needs a value; use is_null for empty ones.", j.Op)
		}
		parts = []any{j.Op != Ne}
		j.Op = IsNull
	default:
		list, ok := (*j.Value).([]any)
		if !ok {
			list = []any{*j.Value}
		}
		parts = list
	}
	c, err := p.condValues(j.Field, j.Op, parts)
	if err != nil {
		return Filter{}, err
	}
	return Filter{Cond: c}, nil
}

// JSON is the filter in its stored form. The same filter always gives the same
// text; read again, it gives the same filter, and relative dates and "me" are
// still words.
func (f Filter) JSON() string {
	if f.Empty() {
		return "{}"
	}
	j := f.stored()
	if j.Field != "" { // one condition alone is still a group, so that it can grow
		j = jsonFilter{And: &[]jsonFilter{j}}
	}
	b, _ := json.Marshal(j) // strings, numbers and lists of them
	return string(b)
}

func (f Filter) stored() jsonFilter {
	if f.Cond != nil {
		v := f.Cond.stored()
		return jsonFilter{Field: f.Cond.Name(), Op: f.Cond.Op, Value: &v}
	}
	var j jsonFilter
	for _, group := range []struct {
		in  []Filter
		out **[]jsonFilter
	}{{f.All, &j.And}, {f.Any, &j.Or}} {
		var list []jsonFilter
		for _, sub := range group.in {
			if !sub.Empty() {
				list = append(list, sub.stored())
			}
		}
		if len(list) > 0 {
			*group.out = &list
		}
	}
	return j
}

// Name is the condition's field in the grammar: "status", "account.industry",
// "segment".
func (c *Cond) Name() string {
	switch {
	case c.Field == nil:
		return "segment"
	case c.Relation != nil:
		return strings.TrimSuffix(c.Relation.Name, "_id") + "." + c.Field.path()
	}
	return c.Field.path()
}

func (c *Cond) stored() any {
	var list []any
	for _, s := range c.Segments {
		list = append(list, s.ID.String())
	}
	for i, v := range c.Values {
		if i < len(c.Words) && c.Words[i] != "" {
			list = append(list, c.Words[i])
			continue
		}
		list = append(list, plainJSON(c, v))
	}
	if len(list) == 1 && !c.Op.ManyValued() {
		return list[0]
	}
	return list
}

// plainJSON is a value in the types JSON has.
func plainJSON(c *Cond, v any) any {
	switch v := v.(type) {
	case time.Time:
		if c.Field.kind() == kindDate {
			return v.Format(time.DateOnly)
		}
		return v.UTC().Format(time.RFC3339Nano)
	case Moment:
		return plainJSON(c, v.From)
	case uuid.UUID:
		return v.String()
	case money.Amount:
		return map[string]string{"amount": v.Decimal(), "currency": v.Currency}
	case Figure:
		return v.Decimal
	}
	return v
}

// Values are the filter as query parameters of a list; what an address cannot
// say in plain parameters goes into filter= as JSON.
func (f Filter) Values() url.Values {
	out := url.Values{}
	var rest []Filter
	for _, part := range f.parts() {
		key, text, ok := part.param()
		if !ok {
			rest = append(rest, part)
			continue
		}
		out.Add(key, text)
	}
	switch len(rest) {
	case 0:
	case 1: // no group around it: that would be one level deeper than what was read
		out.Set("filter", rest[0].JSON())
	default:
		out.Set("filter", Filter{All: rest}.JSON())
	}
	return out
}

// param writes one condition as a parameter of an address.
func (f Filter) param() (key, text string, ok bool) {
	if f.Cond == nil || ListParam(f.Cond.Name()) {
		return "", "", false
	}
	var parts []string
	list, many := f.Cond.stored().([]any)
	if !many {
		list = []any{f.Cond.stored()}
	}
	for _, v := range list {
		s, ok := paramText(v)
		if !ok || (many && strings.Contains(s, ",")) {
			return "", "", false
		}
		parts = append(parts, s)
	}
	key = f.Cond.Name()
	if f.Cond.Op != Eq {
		key += "[" + string(f.Cond.Op) + "]"
	}
	return key, strings.Join(parts, ","), true
}

func paramText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case map[string]string:
		return v["amount"] + " " + v["currency"], true
	}
	b, err := json.Marshal(v)
	return string(b), err == nil
}
