package importing

import (
	"strings"
)

// normalNumber rewrites a number as people write it ("1.234,50 €", "(12)", "1'000")
// as digits with a point, and reports whether it is one. comma says that the file
// writes 12,5 for twelve and a half.
func normalNumber(s string, comma bool) (string, bool) {
	if isPlainNumber(s) && !comma {
		return s, true
	}
	s, negative := stripNumber(s)
	decimal, group := ".", ","
	if comma {
		decimal, group = ",", "."
	}
	whole, frac, hasFrac := cutLast(s, decimal)
	if !grouped(whole, group) || (hasFrac && !allDigits(frac)) {
		return "", false
	}
	whole = strings.ReplaceAll(whole, group, "")
	if whole == "" {
		if frac == "" {
			return "", false
		}
		whole = "0"
	}
	if hasFrac && frac != "" {
		whole += "." + frac
	}
	if negative {
		whole = "-" + whole
	}
	return whole, true
}

// isPlainNumber is the quick answer for most cells: -12 or 12.5.
func isPlainNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	whole, frac, hasFrac := strings.Cut(digits, ".")
	return whole != "" && allDigits(whole) && allDigits(frac) && (!hasFrac || frac != "")
}

// stripNumber takes off what stands around digits: signs, currency symbols, per
// cent, blanks and the apostrophes of Switzerland.
func stripNumber(s string) (string, bool) {
	negative := false
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		negative, s = true, s[1:len(s)-1]
	}
	s = strings.Map(func(r rune) rune {
		switch r {
		case '-', '−':
			negative = true
			return -1
		case '$', '€', '£', '¥', '%', '+', ' ', '\t', '\u00a0', '\u202f', '\'', '’':
			return -1
		}
		return r
	}, s)
	return s, negative
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// grouped: digits, and if they are grouped then by three.
func grouped(s, group string) bool {
	if !strings.Contains(s, group) {
		return allDigits(s)
	}
	parts := strings.Split(s, group)
	for i, p := range parts {
		if !allDigits(p) || (i > 0 && len(p) != 3) || (i == 0 && (p == "" || len(p) > 3)) {
			return false
		}
	}
	return true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func isNumber(s string) bool {
	if strings.ContainsAny(s, "-(") && strings.Count(s, "-") > 1 {
		return false
	}
	if _, ok := normalNumber(s, false); ok {
		return true
	}
	_, ok := normalNumber(s, true)
	return ok
}

// separators collects what a column's numbers say about the decimal separator.
// "1,5" speaks for the comma, "1.5" for the point, "1,500" for neither.
type separators struct {
	Comma, Point int
	Open         int // written like 1,500
}

func (v *separators) add(s string) {
	if isInteger(s) {
		return
	}
	s, _ = stripNumber(s)
	comma, point := strings.Count(s, ","), strings.Count(s, ".")
	switch {
	case comma > 0 && point > 0:
		v.vote(strings.LastIndex(s, ",") > strings.LastIndex(s, "."))
	case comma > 1:
		v.vote(false)
	case point > 1:
		v.vote(true)
	case comma == 1 && len(s)-strings.Index(s, ",") == 4:
		v.Open++
	case comma == 1:
		v.vote(true)
	case point == 1 && len(s)-strings.Index(s, ".") != 4:
		v.vote(false)
	}
}

func (v *separators) vote(comma bool) {
	if comma {
		v.Comma++
		return
	}
	v.Point++
}

// comma decides; where nothing speaks, a file cut by ; comes from a country that
// keeps the comma for decimals.
func (v separators) comma(delimiter string) bool {
	if v.Comma == v.Point {
		return v.Open > 0 && delimiter == ";"
	}
	return v.Comma > v.Point
}

// isInteger refuses leading zeros: 06652 is a post code, and would lose its 0.
func isInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || len(digits) > 15 || !allDigits(digits) {
		return false
	}
	return len(digits) == 1 || digits[0] != '0'
}
