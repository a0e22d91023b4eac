package formula

import (
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"crm/internal/platform/money"
)

// function is one word of the language. check gives the result's kind or refuses.
type function struct {
	low, high int
	usage     string
	check     func(fn string, args []*node) (Kind, error)
	run       func(args []any) any
}

const many = 50

var functions = map[string]function{
	"if":           {2, 3, "if(condition, then, else)", checkIf, runIf},
	"coalesce":     {1, many, "coalesce(a, b, …): the first that is not empty", checkAlike(Number, Money, Text, Bool, Date, Time), runCoalesce},
	"is_empty":     {1, 1, "is_empty(a)", gives(Bool), func(a []any) any { return a[0] == nil }},
	"round":        {1, 2, "round(number, decimals)", checkRound, runRound},
	"abs":          {1, 1, "abs(number)", checkAlike(Number, Money), runAbs},
	"min":          {1, many, "min(a, b, …)", checkAlike(Number, Money, Text, Date, Time), runBest(-1)},
	"max":          {1, many, "max(a, b, …)", checkAlike(Number, Money, Text, Date, Time), runBest(1)},
	"concat":       {1, many, "concat(a, b, …)", gives(Text), runConcat},
	"lower":        {1, 1, "lower(text)", takes(Text, Text), onText(func(s string) any { return boundedText(strings.ToLower(s)) })},
	"upper":        {1, 1, "upper(text)", takes(Text, Text), onText(func(s string) any { return boundedText(strings.ToUpper(s)) })},
	"length":       {1, 1, "length(text)", takes(Number, Text), onText(func(s string) any { return new(big.Rat).SetInt64(int64(utf8.RuneCountInString(s))) })},
	"days_between": {2, 2, "days_between(from, to)", takes(Number, Date, Time), func(a []any) any { return days(a[0], a[1]) }},
	"year":         {1, 1, "year(date)", takes(Number, Date, Time), onDay(time.Time.Year)},
	"month":        {1, 1, "month(date)", takes(Number, Date, Time), onDay(func(t time.Time) int { return int(t.Month()) })},
	"date":         {1, 1, "date('2026-11-21')", takes(Date, Text, Time), runDate},
	"money":        {2, 2, "money(100, 'EUR')", checkMoney, runMoney},
	"number":       {1, 1, "number(amount)", takes(Number, Money, Number), runNumber},
}

func gives(k Kind) func(string, []*node) (Kind, error) {
	return func(string, []*node) (Kind, error) { return k, nil }
}

// takes refuses arguments of other kinds.
func takes(result Kind, kinds ...Kind) func(string, []*node) (Kind, error) {
	return func(fn string, args []*node) (Kind, error) {
		for _, a := range args {
			if !slices.Contains(kinds, a.kind) {
				return 0, fail(a.pos, "%s does not take %s", fn, a.kind)
			}
		}
		return result, nil
	}
}

// checkAlike wants arguments of one kind among kinds, and gives that kind.
func checkAlike(kinds ...Kind) func(string, []*node) (Kind, error) {
	return func(fn string, args []*node) (Kind, error) {
		k := args[0].kind
		for _, a := range args {
			if a.kind != k {
				return 0, fail(a.pos, "%s needs values of one kind, not %s and %s", fn, k, a.kind)
			}
		}
		if !slices.Contains(kinds, k) {
			return 0, fail(args[0].pos, "%s does not take %s", fn, k)
		}
		return k, nil
	}
}

func checkIf(fn string, args []*node) (Kind, error) {
	if args[0].kind != Bool {
		return 0, fail(args[0].pos, "if needs yes or no first, this is %s", args[0].kind)
	}
	return checkAlike(Number, Money, Text, Bool, Date, Time)(fn, args[1:])
}

func runIf(a []any) any {
	if truth(a[0]) {
		return a[1]
	}
	if len(a) == 3 {
		return a[2]
	}
	return nil
}

func runCoalesce(a []any) any {
	for _, v := range a {
		if v != nil {
			return v
		}
	}
	return nil
}

func checkRound(fn string, args []*node) (Kind, error) {
	if len(args) == 2 && args[1].kind != Number {
		return 0, fail(args[1].pos, "round needs a number of decimals, this is %s", args[1].kind)
	}
	return checkAlike(Number, Money)(fn, args[:1])
}

func runRound(a []any) any {
	n := 0
	if len(a) == 2 {
		var ok bool
		if n, ok = whole(a[1]); !ok {
			return nil
		}
	}
	switch v := a[0].(type) {
	case *big.Rat:
		return bounded(Round(v, n))
	case Amount:
		return amountOf(bounded(Round(v.Value, n)), v.Currency)
	}
	return nil
}

func runAbs(a []any) any {
	switch v := a[0].(type) {
	case *big.Rat:
		return new(big.Rat).Abs(v)
	case Amount:
		return Amount{new(big.Rat).Abs(v.Value), v.Currency}
	}
	return nil
}

// runBest is the smallest or largest that is not empty; amounts of two currencies
// have none.
func runBest(sign int) func([]any) any {
	return func(a []any) any {
		var best any
		for _, v := range a {
			if v == nil {
				continue
			}
			if best == nil {
				best = v
				continue
			}
			c, ok := compare(v, best)
			if !ok {
				return nil
			}
			if c*sign > 0 {
				best = v
			}
		}
		return best
	}
}

// runConcat joins what is there; empty values add nothing.
func runConcat(a []any) any {
	var b strings.Builder
	for _, v := range a {
		b.WriteString(words(v))
		if b.Len() > maxText {
			return nil
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return boundedText(b.String())
}

func words(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case *big.Rat:
		return Decimal(v)
	case Amount:
		return Round(v.Value, money.Exponent(v.Currency)).FloatString(money.Exponent(v.Currency)) + " " + v.Currency
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case time.Time:
		if v.Equal(midnight(v)) {
			return v.Format(time.DateOnly)
		}
		return v.UTC().Format(time.RFC3339)
	}
	return ""
}

func onText(f func(string) any) func([]any) any {
	return func(a []any) any {
		if s, ok := a[0].(string); ok {
			return f(s)
		}
		return nil
	}
}

func onDay(f func(time.Time) int) func([]any) any {
	return func(a []any) any {
		if t, ok := a[0].(time.Time); ok {
			return new(big.Rat).SetInt64(int64(f(t.UTC())))
		}
		return nil
	}
}

func runDate(a []any) any {
	switch v := a[0].(type) {
	case time.Time:
		return midnight(v)
	case string:
		if t, err := time.Parse(time.DateOnly, v); err == nil && t.Year() > 0 {
			return t
		}
	}
	return nil
}

func checkMoney(_ string, args []*node) (Kind, error) {
	if args[0].kind != Number || args[1].kind != Text {
		return 0, fail(args[0].pos, "write money(100, 'EUR')")
	}
	if c, ok := args[1].value.(string); ok && !money.ValidCurrency(c) {
		return 0, fail(args[1].pos, "a currency is three capital letters like EUR")
	}
	return Money, nil
}

func runMoney(a []any) any {
	c, ok := a[1].(string)
	if !ok || !money.ValidCurrency(c) {
		return nil
	}
	return amountOf(a[0], c)
}

func runNumber(a []any) any {
	if m, ok := a[0].(Amount); ok {
		return m.Value
	}
	return a[0]
}
