package formula

import (
	"math/big"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is the type of an expression, known before it runs.
type Kind uint8

// The kinds. Time is an instant, Date a calendar day.
const (
	Number Kind = iota + 1
	Money
	Text
	Bool
	Date
	Time
)

func (k Kind) String() string {
	return [...]string{"nothing", "a number", "money", "text", "yes or no", "a date", "a time"}[k]
}

// Amount is money in major units, exact: 1234.50 EUR is 2469/2.
type Amount struct {
	Value    *big.Rat
	Currency string
}

// Values are nil (empty), *big.Rat, Amount, string, bool or time.Time. They are
// never changed in place.

const (
	maxBits = 1024   // of numerator and denominator together
	maxText = 10_000 // bytes of a text result
)

// bounded is r, or empty when it grew beyond what is worth computing with.
func bounded(r *big.Rat) any {
	if r.Num().BitLen()+r.Denom().BitLen() > maxBits {
		return nil
	}
	return r
}

func boundedText(s string) any {
	if len(s) > maxText || !utf8.ValidString(s) {
		return nil
	}
	return s
}

// whole reads a whole number out of a value; ok is false for anything else.
func whole(v any) (int, bool) {
	r, ok := v.(*big.Rat)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	n := r.Num().Int64()
	return int(n), n >= -1_000_000_000 && n <= 1_000_000_000
}

// Round rounds half away from zero to n decimals; n may be negative.
func Round(r *big.Rat, n int) *big.Rat {
	n = max(-18, min(n, 18))
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, -n))), nil))
	if n < 0 {
		scale.Inv(scale)
	}
	x := new(big.Rat).Mul(r, scale)
	// half away from zero: (2·num ± den) / (2·den), cut off
	num, den := new(big.Int).Lsh(x.Num(), 1), x.Denom()
	if x.Sign() < 0 {
		num.Sub(num, den)
	} else {
		num.Add(num, den)
	}
	num.Quo(num, new(big.Int).Lsh(den, 1))
	out := new(big.Rat).SetInt(num)
	return out.Quo(out, scale)
}

// Decimal writes a number as a plain decimal with at most ten places.
func Decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	s := Round(r, 10).FloatString(10)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

// compare orders two values of one kind; ok is false when they have no order.
func compare(a, b any) (int, bool) {
	switch a := a.(type) {
	case *big.Rat:
		switch b := b.(type) {
		case *big.Rat:
			return a.Cmp(b), true
		case Amount:
			return a.Cmp(b.Value), true
		}
	case Amount:
		switch b := b.(type) {
		case *big.Rat:
			return a.Value.Cmp(b), true
		case Amount:
			return a.Value.Cmp(b.Value), a.Currency == b.Currency
		}
	case string:
		b, ok := b.(string)
		return strings.Compare(a, b), ok
	case bool:
		b, ok := b.(bool)
		switch {
		case a == b:
			return 0, ok
		case b:
			return -1, ok
		}
		return 1, ok
	case time.Time:
		b, ok := b.(time.Time)
		return a.Compare(b), ok
	}
	return 0, false
}
