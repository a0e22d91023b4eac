// Package money holds exact amounts: integer minor units and an ISO 4217
// currency. There is no float in it, amounts of two currencies are never added,
// and every rounding is named.
package money

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Amount is a number of minor units (cents) of Currency (three capital letters).
type Amount struct {
	Minor    int64
	Currency string
}

// exponents lists currencies whose minor unit is not a hundredth (ISO 4217).
var exponents = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
	"RWF": 0, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

// Exponent is the number of decimals of a currency: 2 unless ISO says otherwise.
func Exponent(currency string) int {
	if e, ok := exponents[currency]; ok {
		return e
	}
	return 2
}

// Exponents lists the currencies without decimals and those with three, in order,
// for SQL that needs the size of their minor unit. All others have two.
func Exponents() (none, three []string) {
	for _, c := range slices.Sorted(maps.Keys(exponents)) {
		if exponents[c] == 0 {
			none = append(none, c)
		} else {
			three = append(three, c)
		}
	}
	return none, three
}

// ErrCurrency means the currency is not three capital letters.
var ErrCurrency = errors.New("a currency is three capital letters like EUR")

// ErrAmount means the text is not a decimal number that fits.
var ErrAmount = errors.New("an amount is a decimal number like 1234.50")

// ValidCurrency reports whether c has the shape of an ISO 4217 code.
func ValidCurrency(c string) bool {
	if len(c) != 3 {
		return false
	}
	for i := range 3 {
		if c[i] < 'A' || c[i] > 'Z' {
			return false
		}
	}
	return true
}

// Parse reads a decimal string exactly; more decimals than the currency has are
// refused unless they are zeros, because silently losing a tenth of a cent is
// how totals stop adding up.
func Parse(s, currency string) (Amount, error) {
	if !ValidCurrency(currency) {
		return Amount{}, ErrCurrency
	}
	s = strings.TrimSpace(s)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	whole, frac, _ := strings.Cut(s, ".")
	exp := Exponent(currency)
	frac = strings.TrimRight(frac, "0")
	if whole == "" || !digits(whole) || !digits(frac) || len(frac) > exp {
		return Amount{}, ErrAmount
	}
	frac += strings.Repeat("0", exp-len(frac))
	n, err := strconv.ParseInt(whole+frac, 10, 64)
	if err != nil || n == math.MaxInt64 {
		return Amount{}, ErrAmount
	}
	if neg {
		n = -n
	}
	return Amount{Minor: n, Currency: currency}, nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Decimal writes the amount as a plain decimal string such as "1234.50".
func (a Amount) Decimal() string {
	exp := Exponent(a.Currency)
	neg, n := "", uint64(a.Minor)
	if a.Minor < 0 {
		neg, n = "-", -n // unsigned, because the smallest int64 has no positive twin
	}
	if exp == 0 {
		return neg + strconv.FormatUint(n, 10)
	}
	unit := uint64(math.Pow10(exp))
	return fmt.Sprintf("%s%d.%0*d", neg, n/unit, exp, n%unit)
}

func (a Amount) String() string { return a.Decimal() + " " + a.Currency }

// Percent returns p percent of a, rounded half away from zero; p is 0 to 100.
func (a Amount) Percent(p int) Amount {
	// Whole hundreds and the rest apart: the product of a large sum would wrap.
	whole, rest := a.Minor/100, a.Minor%100*int64(p)
	half := int64(50)
	if rest < 0 {
		half = -half
	}
	return Amount{Minor: whole*int64(p) + (rest+half)/100, Currency: a.Currency}
}
