package record

import (
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"crm/internal/platform/money"
)

// kind is how a field's values are stored and compared, whatever its type is
// called.
type kind int

const (
	kindText kind = iota
	kindInt
	kindFloat
	kindBool
	kindDate
	kindTime
	kindMoney
	kindID
	kindList
	kindJSON
)

var kinds = map[string]kind{
	"text": kindText, "bigint": kindInt, "double precision": kindFloat, "boolean": kindBool, "date": kindDate, "timestamptz": kindTime,
	"uuid": kindID, "text[]": kindList, "jsonb": kindJSON,
}

func (f *Field) kind() kind {
	cols := f.Type.Columns()
	if len(cols) == 2 {
		return kindMoney
	}
	if k, ok := kinds[cols[0]]; ok {
		return k
	}
	return kindJSON
}

// path is the field's name in the filter grammar.
func (f *Field) path() string {
	if f.Custom {
		return "custom." + f.Name
	}
	return f.Name
}

// Figure is an amount of money without a currency: a filter amount[gte]=1000
// means a thousand of whatever currency each record has.
type Figure struct{ Decimal string }

func (f Figure) rat() *big.Rat {
	r, _ := new(big.Rat).SetString(f.Decimal) // checked when it was read
	return r
}

// rat is the exact decimal number of an amount.
func rat(a money.Amount) *big.Rat {
	r, _ := new(big.Rat).SetString(a.Decimal())
	return r
}

func (p *parser) values(c *Cond, parts []any) error {
	switch {
	case c.Op == IsNull:
		return p.emptiness(c, parts)
	case len(parts) == 0:
		return refuse(c.Field, "empty", "The filter on %s needs a value; use %s[is_null]=true for empty ones.", c.Field.Label, c.Field.path())
	case len(parts) > maxFilterValues:
		return refuse(c.Field, "too_many", "A filter may list at most %d values.", maxFilterValues)
	case c.Op == Between && len(parts) != 2:
		return refuse(c.Field, "needs_two", "between needs two values: from,to.")
	case len(parts) > 1 && !c.Op.ManyValued():
		return refuse(c.Field, "needs_one", "%s takes one value; use in for several.", c.Op)
	}
	for _, raw := range parts {
		v, word, err := p.value(c, raw)
		if err != nil {
			return err
		}
		c.Values = append(c.Values, v)
		c.Words = append(c.Words, word)
	}
	return nil
}

// emptiness reads the value of is_null: yes when nothing is said.
func (p *parser) emptiness(c *Cond, parts []any) error {
	s := "true"
	if len(parts) > 0 {
		s, _ = textOf(parts[0])
	}
	if len(parts) > 1 {
		return refuse(c.Field, "needs_one", "is_null takes true or false.")
	}
	if s == "" {
		s = "true"
	}
	v, err := boolType{}.ParseText(c.Field, s)
	c.Values = []any{v}
	return err
}

// value reads one comparison value, and the word to store in its place. Pattern
// operators take the text as it is: "smi" is no e-mail address, yet a fine thing
// to search one for.
func (p *parser) value(c *Cond, raw any) (v any, word string, err error) {
	if m, ok := raw.(map[string]any); ok && c.Field.kind() == kindMoney {
		v, err = c.Field.Type.Parse(c.Field, m)
		return v, "", err
	}
	s, ok := textOf(raw)
	if !ok {
		return nil, "", wrongType(c.Field, "compared with texts, numbers or true and false")
	}
	if s = strings.TrimSpace(CleanText(s)); s == "" {
		return nil, "", refuse(c.Field, "empty", "The filter on %s needs a value; use %s[is_null]=true for empty ones.", c.Field.Label, c.Field.path())
	}
	if utf8.RuneCountInString(s) > maxFilterText {
		return nil, "", refuse(c.Field, "too_long", "A filter value may have at most %d characters.", maxFilterText)
	}
	switch {
	case c.Op == Contains || c.Op == StartsWith:
		return s, "", nil
	case c.Field.Type.Name() == "user" && s == "me":
		return p.me, s, nil
	}
	v, word, err = p.typed(c.Field, s)
	if err == nil && v == nil {
		err = refuse(c.Field, "empty", "The filter on %s needs a value; use %s[is_null]=true for empty ones.", c.Field.Label, c.Field.path())
	}
	return v, word, err
}

func (p *parser) typed(f *Field, s string) (v any, word string, err error) {
	switch f.kind() {
	case kindList:
		return s, "", nil
	case kindDate, kindTime:
		return p.moment(f, s)
	case kindMoney:
		v, err = figure(f, s)
		return v, "", err
	}
	if f.Type.Name() == "email" {
		return strings.ToLower(s), "", nil
	}
	v, err = f.Type.ParseText(f, s)
	return v, "", err
}

// figure reads "1000", meaning any currency, or "1000 EUR".
func figure(f *Field, s string) (any, error) {
	if number, currency, ok := strings.Cut(s, " "); ok {
		return parseMoney(f, number, strings.ToUpper(currency))
	}
	digits := strings.TrimPrefix(s, "-")
	whole, frac, _ := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 18 || len(frac) > 3 || strings.Trim(whole+frac, "0123456789") != "" {
		return nil, refuse(f, "not_money", "%s is compared with a number like 1234.50, or one with a currency like 1234.50 EUR.", f.Label)
	}
	return Figure{s}, nil
}

// segmentCond reads a condition on the pseudo field "segment".
func (p *parser) segmentCond(op Op, parts []any) (*Cond, error) {
	c := &Cond{Op: op}
	switch op {
	case Eq, InSegment:
		c.Op = In
	case Ne:
		c.Op = NotIn
	case In, NotIn:
	default:
		return nil, refuse(segmentField, "unknown_operator", "segment cannot be filtered with %q. Use one of: %s.", op, opList(segmentOps))
	}
	if len(parts) == 0 || len(parts) > 10 {
		return nil, refuse(segmentField, "too_many", "Name one to ten segments.")
	}
	for _, raw := range parts {
		s, _ := textOf(raw)
		v, err := idType{}.ParseText(segmentField, strings.TrimSpace(s))
		if err != nil {
			return nil, err
		}
		ref, err := p.segmentRef(v.(uuid.UUID))
		if err != nil {
			return nil, err
		}
		c.Segments = append(c.Segments, ref)
	}
	return c, nil
}

// segmentField stands for the pseudo field in messages.
var segmentField = &Field{Name: "segment", Label: "Segment", Type: idType{"relation"}}
