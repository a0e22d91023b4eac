package formula_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"crm/internal/record/formula"
)

var kinds = map[string]formula.Kind{
	"amount": formula.Money, "cost": formula.Money, "usd": formula.Money, "probability": formula.Number, "zero": formula.Number, "none": formula.Number,
	"name": formula.Text, "blank": formula.Text, "open": formula.Bool, "start": formula.Date, "finish": formula.Date, "at": formula.Time, "custom.tier": formula.Text,
}

var day = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

var values = map[string]any{
	"amount": formula.Amount{Value: big.NewRat(10001, 100), Currency: "EUR"}, "cost": formula.Amount{Value: big.NewRat(40, 1), Currency: "EUR"},
	"usd": formula.Amount{Value: big.NewRat(1, 1), Currency: "USD"}, "probability": big.NewRat(33, 1), "zero": new(big.Rat),
	"name": "Straße", "open": true, "start": day, "finish": day.AddDate(0, 0, 10), "at": day.Add(13 * time.Hour), "custom.tier": "gold",
}

func parse(src string) (*formula.Program, error) {
	return formula.Parse(src, func(n string) (formula.Kind, bool) { k, ok := kinds[n]; return k, ok })
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "empty"
	case *big.Rat:
		return formula.Decimal(v)
	case formula.Amount:
		return formula.Decimal(v.Value) + " " + v.Currency
	case string:
		return "'" + v + "'"
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case time.Time:
		return v.Format(time.DateOnly)
	}
	return "?"
}

func TestFormulas(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"1 + 2 * 3":                                 "7",
		"(1 + 2) * 3 - -1":                          "10",
		"0.1 + 0.2":                                 "0.3",
		"1 / 3":                                     "0.3333333333",
		"1 / 3 * 3":                                 "1",
		"2 / zero":                                  "empty",
		"none + 1":                                  "empty",
		"coalesce(none, 5)":                         "5",
		"amount * probability / 100":                "33.0033 EUR",
		"round(amount * probability / 100, 2)":      "33 EUR",
		"round(amount * 0.005, 2)":                  "0.5 EUR",
		"amount - cost":                             "60.01 EUR",
		"amount - usd":                              "empty",
		"(amount - cost) / amount > 0.6":            "yes",
		"cost / amount":                             "0.399960004",
		"amount > 100 and open":                     "yes",
		"not open or 1 > 2":                         "no",
		"if(amount > 1000, 'big', 'small')":         "'small'",
		"if(open, 1)":                               "1",
		"if(not open, 1)":                           "empty",
		"round(2.5)":                                "3",
		"round(-2.5)":                               "-3",
		"round(1234.5, -2)":                         "1200",
		"min(3, none, 2)":                           "2",
		"max(amount, cost)":                         "100.01 EUR",
		"max(amount, usd)":                          "empty",
		"abs(-4.5)":                                 "4.5",
		"concat(name, ' ', upper(custom.tier))":     "'Straße GOLD'",
		"concat(blank)":                             "empty",
		"lower('ÄB') = 'äb'":                        "yes",
		"length(name)":                              "6",
		"name = 'it''s'":                            "no",
		"blank = 'x'":                               "no",
		"blank != 'x'":                              "yes",
		"is_empty(blank)":                           "yes",
		"days_between(start, finish)":               "10",
		"finish - start":                            "10",
		"start + 11":                                "2026-12-02",
		"start + 99999999":                          "empty",
		"days_between(at, finish)":                  "10",
		"year(start) * 100 + month(at)":             "202611",
		"start < date('2027-01-01')":                "yes",
		"date('nonsense')":                          "empty",
		"money(12.5, 'EUR') + cost":                 "52.5 EUR",
		"number(amount) * 2":                        "200.02",
		"concat(amount, '/', start, '/', open, at)": "'100.01 EUR/2026-11-21/yes2026-11-21T13:00:00Z'",
		"IF(OPEN_IS_NOT_A_FIELD, 1, 2)":             "refused",
		"'a' + 'b'":                                 "refused",
		"amount + 1":                                "refused",
		"amount * cost":                             "refused",
		"1 < 'a'":                                   "refused",
		"if(1, 2, 3)":                               "refused",
		"if(open, 2, 'x')":                          "refused",
		"today()":                                   "refused",
		"days_between(today, start)":                "refused",
		"1 +":                                       "refused",
		"(1":                                        "refused",
		"1 2":                                       "refused",
		"'open":                                     "refused",
		"1..2":                                      "refused",
		"system('rm')":                              "refused",
		"a; b":                                      "refused",
		"":                                          "refused",
		"round()":                                   "refused",
		"money(1, 'euro')":                          "refused",
		"not 1":                                     "refused",
		"-name":                                     "refused",
		"upper(1)":                                  "refused",
	} {
		got := "refused"
		if p, err := parse(src); err == nil {
			got = show(p.Eval(func(f string) any { return values[f] }))
		}
		if got != want {
			t.Errorf("%s = %s, want %s", src, got, want)
		}
	}
}

func TestHostileFormulasAreBounded(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"parentheses": strings.Repeat("(", 1000) + "1",
		"minus":       strings.Repeat("-", 1000) + "1",
		"not":         strings.Repeat("not ", 400) + "open",
		"calls":       strings.Repeat("abs(", 400) + "1",
		"sum":         "1" + strings.Repeat("+1", 900),
		"long":        "'" + strings.Repeat("x", 5000) + "'",
		"digits":      strings.Repeat("9", 200),
		"utf8":        "'\xff'",
		"nul":         "\x00",
		"arguments":   "min(" + strings.Repeat("1,", 100) + "1)",
	} {
		if _, err := parse(src); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// What parses stays small: squaring again and again ends as empty, not as gigabytes.
	src := "123456789.123456789"
	for range 25 {
		src = "(" + src + ")*99999999999999999999999"
	}
	p, err := parse(src)
	if err != nil {
		t.Fatal(err)
	}
	if v := p.Eval(func(string) any { return nil }); v != nil {
		t.Errorf("a number of over a thousand bits: %v", show(v))
	}
	long := strings.Repeat("y", 9000)
	p, err = parse("concat(name, name, name)")
	if err != nil {
		t.Fatal(err)
	}
	if v := p.Eval(func(string) any { return long }); v != nil {
		t.Error("a text beyond the bound")
	}
}

// TestAnySourceIsAnsweredQuietly: whatever is typed is a program or an error, and a
// program gives a value of its kind.
func TestAnySourceIsAnsweredQuietly(t *testing.T) {
	t.Parallel()
	words := []string{"1", "0", "2.5", "amount", "none", "open", "name", "start", "at", "+", "-", "*", "/", "(", ")", ",", "=", "<", ">=", "and", "or", "not", "if(", "round(", "min(", "concat(", "coalesce(", "'x'", "days_between(", "money(", "date("}
	rapid.Check(t, func(rt *rapid.T) {
		src := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 14).Draw(rt, "words"), " ")
		p, err := parse(src)
		if err != nil {
			return
		}
		want := map[formula.Kind]string{formula.Number: "*big.Rat", formula.Money: "formula.Amount", formula.Text: "string", formula.Bool: "bool", formula.Date: "time.Time", formula.Time: "time.Time"}[p.Kind()]
		v := p.Eval(func(f string) any { return values[f] })
		if got := typeName(v); v != nil && got != want {
			rt.Fatalf("%s: %s instead of %s", src, got, want)
		}
	})
}

func typeName(v any) string {
	switch v.(type) {
	case *big.Rat:
		return "*big.Rat"
	case formula.Amount:
		return "formula.Amount"
	case string:
		return "string"
	case bool:
		return "bool"
	case time.Time:
		return "time.Time"
	}
	return "?"
}

func FuzzParse(f *testing.F) {
	f.Add("if(amount > 1, 'a', \"b\") ")
	f.Fuzz(func(_ *testing.T, src string) {
		if p, err := parse(src); err == nil {
			p.Eval(func(n string) any { return values[n] })
		}
	})
}
