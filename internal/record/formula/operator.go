package formula

import (
	"math/big"
	"time"
)

// binary checks the operands and picks the operation.
func binary(op string, pos int, a, b *node) (*node, error) {
	n := &node{pos: pos, args: []*node{a, b}}
	switch op {
	case "and", "or":
		if a.kind != Bool || b.kind != Bool {
			return nil, fail(pos, "%s needs yes or no on both sides, not %s and %s", op, a.kind, b.kind)
		}
		n.kind, n.run = Bool, func(v []any) any { return truth(v[0]) && truth(v[1]) }
		if op == "or" {
			n.run = func(v []any) any { return truth(v[0]) || truth(v[1]) }
		}
		return n, nil
	case "+", "-", "*", "/":
		return arithmetic(op, n)
	}
	if !alike(a.kind, b.kind) {
		return nil, fail(pos, "%s and %s cannot be compared", a.kind, b.kind)
	}
	n.kind, n.run = Bool, comparisons[op]
	return n, nil
}

func truth(v any) bool {
	b, _ := v.(bool)
	return b
}

func alike(a, b Kind) bool {
	return a == b || (a == Money && b == Number) || (a == Number && b == Money)
}

func ordered(holds func(int) bool) func([]any) any {
	return func(v []any) any {
		c, ok := compare(v[0], v[1])
		return ok && holds(c)
	}
}

func equal(v []any) any {
	if v[0] == nil || v[1] == nil {
		return v[0] == nil && v[1] == nil
	}
	c, ok := compare(v[0], v[1])
	return ok && c == 0
}

var comparisons = map[string]func([]any) any{
	"=": equal, "==": equal,
	"!=": func(v []any) any { return !truth(equal(v)) },
	"<>": func(v []any) any { return !truth(equal(v)) },
	"<":  ordered(func(c int) bool { return c < 0 }),
	"<=": ordered(func(c int) bool { return c <= 0 }),
	">":  ordered(func(c int) bool { return c > 0 }),
	">=": ordered(func(c int) bool { return c >= 0 }),
}

// arithmetic knows which kinds go together: money with numbers only by * and /,
// dates only with days.
func arithmetic(op string, n *node) (*node, error) {
	a, b := n.args[0].kind, n.args[1].kind
	switch {
	case a == Number && b == Number:
		n.kind, n.run = Number, func(v []any) any { return calculate(op, v[0], v[1]) }
	case a == Money && b == Money && (op == "+" || op == "-"):
		n.kind, n.run = Money, func(v []any) any { return sameCurrency(op, v[0], v[1]) }
	case a == Money && b == Money && op == "/":
		n.kind, n.run = Number, func(v []any) any { return share(v[0], v[1]) }
	case a == Money && b == Number && (op == "*" || op == "/"):
		n.kind, n.run = Money, func(v []any) any { return scale(op, v[0], v[1]) }
	case a == Number && b == Money && op == "*":
		n.kind, n.run = Money, func(v []any) any { return scale(op, v[1], v[0]) }
	case a == Date && b == Number && (op == "+" || op == "-"):
		n.kind, n.run = Date, func(v []any) any { return shift(op, v[0], v[1]) }
	case a == Date && b == Date && op == "-":
		n.kind, n.run = Number, func(v []any) any { return days(v[1], v[0]) }
	case a == Text && b == Text && op == "+":
		return nil, fail(n.pos, "join texts with concat(a, b)")
	case (a == Money && b == Number || a == Number && b == Money) && op != "/":
		return nil, fail(n.pos, "%s needs money on both sides; write money(100, 'EUR') for an amount", op)
	default:
		return nil, fail(n.pos, "%s does not work on %s and %s", op, a, b)
	}
	return n, nil
}

func calculate(op string, a, b any) any {
	x, ok := a.(*big.Rat)
	y, ok2 := b.(*big.Rat)
	if !ok || !ok2 {
		return nil
	}
	out := new(big.Rat)
	switch op {
	case "+":
		return bounded(out.Add(x, y))
	case "-":
		return bounded(out.Sub(x, y))
	case "*":
		return bounded(out.Mul(x, y))
	}
	if y.Sign() == 0 {
		return nil
	}
	return bounded(out.Quo(x, y))
}

func negate(v any) any {
	switch v := v.(type) {
	case *big.Rat:
		return new(big.Rat).Neg(v)
	case Amount:
		return Amount{new(big.Rat).Neg(v.Value), v.Currency}
	}
	return nil
}

func amountOf(v any, currency string) any {
	if r, ok := v.(*big.Rat); ok {
		return Amount{r, currency}
	}
	return nil
}

func sameCurrency(op string, a, b any) any {
	x, ok := a.(Amount)
	y, ok2 := b.(Amount)
	if !ok || !ok2 || x.Currency != y.Currency {
		return nil
	}
	return amountOf(calculate(op, x.Value, y.Value), x.Currency)
}

func share(a, b any) any {
	x, ok := a.(Amount)
	y, ok2 := b.(Amount)
	if !ok || !ok2 || x.Currency != y.Currency {
		return nil
	}
	return calculate("/", x.Value, y.Value)
}

func scale(op string, money, by any) any {
	x, ok := money.(Amount)
	if !ok {
		return nil
	}
	return amountOf(calculate(op, x.Value, by), x.Currency)
}

func shift(op string, day, by any) any {
	t, ok := day.(time.Time)
	r, ok2 := by.(*big.Rat)
	if !ok || !ok2 {
		return nil
	}
	n, ok := whole(Round(r, 0))
	if !ok || n > 4_000_000 || n < -4_000_000 {
		return nil
	}
	if op == "-" {
		n = -n
	}
	t = t.AddDate(0, 0, n)
	if t.Year() < 1 || t.Year() > 9999 {
		return nil
	}
	return t
}

// days counts the days from one calendar day (UTC) to another.
func days(from, to any) any {
	a, ok := from.(time.Time)
	b, ok2 := to.(time.Time)
	if !ok || !ok2 {
		return nil
	}
	n := midnight(b).Unix() - midnight(a).Unix()
	return new(big.Rat).SetInt64(n / 86400)
}

func midnight(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
