package record

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// quickCodes are country codes whose numbers need no rewriting once they are written
// without their trunk prefix: what follows the code is the number.
var quickCodes = map[string]int{
	"1": 1, "31": 31, "32": 32, "33": 33, "34": 34, "41": 41, "43": 43, "44": 44, "45": 45, "46": 46, "47": 47, "48": 48, "49": 49, "351": 351,
}

// quickPhone answers for numbers in international form and for the ten digits of North
// America, without the dozen regular expressions of the whole parser: a hundred
// thousand numbers of an import cost a tenth. ok is false for all it is not sure of.
func quickPhone(s string) (e164 string, ok bool) {
	digits, international, ok := phoneDigits(s)
	if !ok {
		return "", false
	}
	if !international {
		if len(digits) != 10 || digits[0] < '2' {
			return "", false
		}
		return "+1" + digits, true
	}
	for n := 1; n <= 3 && n < len(digits); n++ {
		code := quickCodes[digits[:n]]
		if code == 0 {
			continue
		}
		national := digits[n:]
		if national[0] == '0' || (code == 1 && (national[0] < '2' || len(national) != 10)) || len(national) > 15 {
			return "", false
		}
		return "+" + digits, possible(code, national)
	}
	return "", false
}

// phoneDigits drops blanks, hyphens, points and a pair of brackets around an area code.
func phoneDigits(s string) (digits string, international, ok bool) {
	s, international = strings.CutPrefix(s, "+")
	if len(s) > 30 {
		return "", false, false
	}
	var out [30]byte
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			out[n] = c
			n++
		case c == '(' && i+1 < len(s) && s[i+1] == '0': // +49 (0) 30
			return "", false, false
		case c == ' ' || c == '-' || c == '.' || c == '(' || c == ')':
		default:
			return "", false, false
		}
	}
	return string(out[:n]), international, n > 6
}

func possible(code int, national string) bool {
	var number uint64
	for i := range len(national) {
		number = number*10 + uint64(national[i]-'0')
	}
	c := int32(code) //nolint:gosec // at most three digits
	return phonenumbers.IsPossibleNumber(&phonenumbers.PhoneNumber{CountryCode: &c, NationalNumber: &number})
}
