package money_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"crm/internal/platform/money"
)

func TestDecimalsAreReadExactly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, currency string
		minor          int64
	}{
		{"0", "EUR", 0},
		{"-0", "EUR", 0},
		{"1234.50", "EUR", 123450},
		{"1234.5", "EUR", 123450},
		{"1234.5000", "EUR", 123450},
		{" 7 ", "USD", 700},
		{"007", "USD", 700},
		{"-0.01", "USD", -1},
		{"1500", "JPY", 1500},
		{"1500.00", "JPY", 1500},
		{"1.005", "KWD", 1005},
		{"-1.5", "KWD", -1500},
		{"92233720368547758.06", "EUR", math.MaxInt64 - 1},
		{"-92233720368547758.06", "EUR", math.MinInt64 + 2},
	}
	for _, tt := range tests {
		got, err := money.Parse(tt.text, tt.currency)
		if err != nil || got != (money.Amount{Minor: tt.minor, Currency: tt.currency}) {
			t.Errorf("Parse(%q, %s) = %+v, %v, want %d", tt.text, tt.currency, got, err, tt.minor)
		}
	}
}

func TestWhatIsNoAmountIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, currency string
		want           error
	}{
		{"", "EUR", money.ErrAmount},
		{"-", "EUR", money.ErrAmount},
		{".5", "EUR", money.ErrAmount},
		{"+5", "EUR", money.ErrAmount},
		{"--5", "EUR", money.ErrAmount},
		{"- 5", "EUR", money.ErrAmount},
		{"1e3", "EUR", money.ErrAmount},
		{"1,000.00", "EUR", money.ErrAmount},
		{"1.2.3", "EUR", money.ErrAmount},
		{"0x10", "EUR", money.ErrAmount},
		{"NaN", "EUR", money.ErrAmount},
		{"٣", "EUR", money.ErrAmount},
		{"1.001", "EUR", money.ErrAmount},
		{"1.5", "JPY", money.ErrAmount},
		{"1.0005", "KWD", money.ErrAmount},
		{"92233720368547758.07", "EUR", money.ErrAmount},
		{"92233720368547758.08", "EUR", money.ErrAmount},
		{"-92233720368547758.08", "EUR", money.ErrAmount},
		{"99999999999999999999999", "JPY", money.ErrAmount},
		{"1", "eur", money.ErrCurrency},
		{"1", "", money.ErrCurrency},
		{"1", "EURO", money.ErrCurrency},
		{"1", "E€", money.ErrCurrency},
	}
	for _, tt := range tests {
		if got, err := money.Parse(tt.text, tt.currency); !errors.Is(err, tt.want) || got != (money.Amount{}) {
			t.Errorf("Parse(%q, %q) = %+v, %v, want %v", tt.text, tt.currency, got, err, tt.want)
		}
	}
}

func TestEveryAmountSurvivesBeingWrittenAndRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		a := money.Amount{
			Minor:    rapid.Int64Range(-math.MaxInt64+1, math.MaxInt64-1).Draw(rt, "minor"),
			Currency: rapid.SampledFrom([]string{"EUR", "USD", "JPY", "KRW", "KWD", "TND"}).Draw(rt, "currency"),
		}
		back, err := money.Parse(a.Decimal(), a.Currency)
		if err != nil || back != a {
			rt.Fatalf("%+v is written %q and read %+v, %v", a, a.Decimal(), back, err)
		}
	})
}

func TestAmountsAreWrittenWithTheDecimalsOfTheirCurrency(t *testing.T) {
	t.Parallel()
	tests := map[money.Amount]string{
		{Minor: 0, Currency: "EUR"}:                 "0.00 EUR",
		{Minor: 5, Currency: "EUR"}:                 "0.05 EUR",
		{Minor: -5, Currency: "EUR"}:                "-0.05 EUR",
		{Minor: 123450, Currency: "USD"}:            "1234.50 USD",
		{Minor: -1500, Currency: "JPY"}:             "-1500 JPY",
		{Minor: 7, Currency: "KWD"}:                 "0.007 KWD",
		{Minor: math.MaxInt64, Currency: "EUR"}:     "92233720368547758.07 EUR",
		{Minor: math.MinInt64, Currency: "EUR"}:     "-92233720368547758.08 EUR",
		{Minor: math.MinInt64, Currency: "JPY"}:     "-9223372036854775808 JPY",
		{Minor: math.MinInt64 + 1, Currency: "KWD"}: "-9223372036854775.807 KWD",
	}
	for a, want := range tests {
		if got := a.String(); got != want {
			t.Errorf("%d minor units of %s are written %q, want %q", a.Minor, a.Currency, got, want)
		}
	}
}

func TestPercentRoundsHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	tests := []struct {
		minor int64
		p     int
		want  int64
	}{
		{100, 33, 33},
		{1, 50, 1},
		{-1, 50, -1},
		{1, 49, 0},
		{-1, 49, 0},
		{3, 50, 2},
		{-3, 50, -2},
		{149, 1, 1},
		{150, 1, 2},
		{-150, 1, -2},
		{999, 0, 0},
		{999, 100, 999},
		{-999, 100, -999},
	}
	for _, tt := range tests {
		got := money.Amount{Minor: tt.minor, Currency: "EUR"}.Percent(tt.p)
		if got.Minor != tt.want || got.Currency != "EUR" {
			t.Errorf("%d percent of %d is %+v, want %d", tt.p, tt.minor, got, tt.want)
		}
	}
}

// The whole range matters: a sum over a large pipeline is weighted too, and a
// product that wraps around would turn a fortune into a debt.
func TestPercentOfAnyAmountIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n, p := rapid.Int64().Draw(rt, "minor"), rapid.IntRange(0, 100).Draw(rt, "percent")
		twice := new(big.Int).Mul(big.NewInt(n), big.NewInt(int64(2*p)))
		half := big.NewInt(100)
		if n < 0 {
			half.Neg(half)
		}
		want := new(big.Int).Quo(twice.Add(twice, half), big.NewInt(200))
		if got := (money.Amount{Minor: n, Currency: "EUR"}).Percent(p).Minor; !want.IsInt64() || got != want.Int64() {
			rt.Fatalf("%d percent of %d is %d, want %s", p, n, got, want)
		}
	})
}
