package record

import (
	"math/big"
	"regexp"
	"strings"
	"unicode/utf8"

	"crm/internal/platform/errs"
	"crm/internal/platform/money"
)

// Constraint bounds the values of a field beyond its type. Min and Max are decimal
// numbers: of the value itself for numbers, ratings, durations (minutes) and money
// (major units), of the length for texts, of the count for lists.
type Constraint struct {
	Min     string
	Max     string
	Pattern string // RE2; the whole text must match

	low, high *big.Rat
	pattern   *regexp.Regexp
}

const maxPattern = 256

// compile reads the texts; it refuses what cannot be checked.
func (c *Constraint) compile(f *Field) error {
	var ok bool
	for _, b := range []struct {
		name, text string
		to         **big.Rat
	}{{"min", c.Min, &c.low}, {"max", c.Max, &c.high}} {
		if b.text == "" {
			continue
		}
		if f.measure() == "" {
			return errs.Field(b.name, "not_supported", "A field of type %s has no %s.", f.TypeName(), b.name)
		}
		if *b.to, ok = decimalText(b.text); !ok {
			return errs.Field(b.name, "not_a_number", "%s must be a number like 100 or 0.5.", b.name)
		}
	}
	if c.low != nil && c.high != nil && c.low.Cmp(c.high) > 0 {
		return errs.Field("max", "out_of_range", "max must not be below min.")
	}
	if f.Type.Name() == "rating" && c.high != nil && (!c.high.IsInt() || c.high.Sign() <= 0 || c.high.Cmp(big.NewRat(10, 1)) > 0) {
		return errs.Field("max", "out_of_range", "A rating goes up to a whole number from 1 to 10.")
	}
	if c.Pattern == "" {
		return nil
	}
	return c.compilePattern(f)
}

func (c *Constraint) compilePattern(f *Field) error {
	if !f.isText() {
		return errs.Field("pattern", "not_supported", "A field of type %s has no pattern.", f.TypeName())
	}
	if len(c.Pattern) > maxPattern {
		return errs.Field("pattern", "too_long", "A pattern may have at most %d characters.", maxPattern)
	}
	re, err := regexp.Compile(`\A(?:` + c.Pattern + `)\z`)
	if err != nil {
		return errs.Field("pattern", "bad_pattern", "The pattern is no regular expression: %s.", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	c.pattern = re
	return nil
}

// decimalText reads a plain decimal of bounded length.
func decimalText(s string) (*big.Rat, bool) {
	if len(s) > 40 || strings.ContainsAny(s, "eE/_xX") {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// measure is what min and max bound: value, length, count, or "" for nothing.
func (f *Field) measure() string {
	switch f.Type.Name() {
	case "integer", "decimal", "percent", "rating", "duration", "money":
		return "value"
	case "text", "long_text", "rich_text", "url", "email", "phone":
		return "length"
	case "list":
		return "count"
	}
	return ""
}

func (f *Field) isText() bool {
	switch f.Type.Name() {
	case "text", "long_text", "url", "email", "phone":
		return true
	}
	return false
}

// check refuses a canonical value outside of the field's bounds; nil is always
// within them.
func (f *Field) check(v any) error {
	c := &f.Constraint
	if v == nil || (c.low == nil && c.high == nil && c.pattern == nil) {
		return nil
	}
	n, unit := f.size(v)
	switch {
	case n == nil:
	case c.low != nil && n.Cmp(c.low) < 0:
		return refuse(f, "too_small", "%s must be at least %s%s.", f.Label, c.Min, unit)
	case c.high != nil && n.Cmp(c.high) > 0:
		return refuse(f, "too_large", "%s must be at most %s%s.", f.Label, c.Max, unit)
	}
	if s, ok := v.(string); ok && c.pattern != nil && !c.pattern.MatchString(s) {
		if f.Help != "" {
			return refuse(f, "pattern", "%s does not have the right form: %s", f.Label, f.Help)
		}
		return refuse(f, "pattern", "%s must match the pattern %s.", f.Label, c.Pattern)
	}
	return nil
}

// size is what the bounds compare, and its unit for the message.
func (f *Field) size(v any) (*big.Rat, string) {
	switch v := v.(type) {
	case string:
		return big.NewRat(int64(utf8.RuneCountInString(v)), 1), " characters long"
	case []string:
		return big.NewRat(int64(len(v)), 1), " entries"
	case int64, float64, money.Amount:
		return exact(v), ""
	}
	return nil, ""
}

// exact is a canonical number as it was written, in major units for money; nil for
// anything else.
func exact(v any) *big.Rat {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v)
	case float64:
		r, ok := new(big.Rat).SetString(formatFloat(v))
		if ok {
			return r
		}
	case money.Amount:
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(money.Exponent(v.Currency))), nil)
		return new(big.Rat).SetFrac(big.NewInt(v.Minor), unit)
	}
	return nil
}

// fieldAs names the field the way input does, custom.<name> for a custom one.
func (f *Field) fieldAs() string {
	if f.Custom {
		return "custom." + f.Name
	}
	return f.Name
}

// named puts the errors of a custom field under custom.<name>.
func named(f *Field, err error) error {
	e := errs.As(err)
	if e == nil || !f.Custom {
		return err
	}
	var out errs.Fields
	for _, fe := range e.Fields {
		out.Add(f.fieldAs(), fe.Code, "%s", fe.Message)
	}
	return out.Err()
}

// canonical reads the stored form of a custom value; what cannot be read is empty.
func (f *Field) canonical(raw any) any {
	if raw == nil || !f.Custom {
		return raw
	}
	v, err := f.Type.Parse(f, raw)
	if err != nil {
		return nil
	}
	return v
}

// Value is the canonical value a record holds for the field, custom or not.
func (f *Field) Value(r *Record) any {
	if !f.Custom {
		return r.Get(f.Name)
	}
	m, _ := r.Get("custom").(map[string]any)
	return f.canonical(m[f.Name])
}
