// Package csvsafe keeps spreadsheets from running a cell of a CSV file as a formula.
//
// A program that opens a CSV file takes a cell that begins with = + - or @ for a
// formula, and a formula can call other programs or send the sheet away. Guard puts
// an apostrophe before such a text; Unguard takes exactly that one off again, so that
// a file that is exported and taken in again holds the same texts. For every text s:
//
//	Unguard(Guard(s)) == s
//
// Plain numbers are left alone, signs and phone numbers like +493012345 included:
// they mean nothing but themselves, and an apostrophe would spoil them for every
// other program.
//
// Not for: XLSX, where a cell says itself that it is a text.
package csvsafe

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// mark is what Guard puts in front.
const mark = "'"

// triggers begin a formula; the full-width forms are turned into them by programs
// set to an East Asian language.
const triggers = "=+-@＝＋－＠\t\r"

// Guard returns the text in a form no spreadsheet runs.
func Guard(s string) string {
	if beginsFormula(s) && !isNumber(s) {
		return mark + s
	}
	return s
}

// Unguard is the inverse of Guard. It also takes the apostrophe off a number, which
// other programs mark too.
func Unguard(s string) string {
	if rest, ok := strings.CutPrefix(s, mark); ok && beginsFormula(rest) {
		return rest
	}
	return s
}

// beginsFormula looks through what spreadsheets overlook, and through apostrophes: a
// text that begins with one and would else be a formula gets a second, so that the
// mark can be told from what its author wrote.
func beginsFormula(s string) bool {
	if s == "" || isLetterOrDigit(s[0]) {
		return false // nearly all texts
	}
	rest := strings.TrimLeftFunc(strings.TrimLeft(s, mark), overlooked)
	first, _ := utf8.DecodeRuneInString(rest)
	return rest != "" && strings.ContainsRune(triggers, first)
}

func isLetterOrDigit(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}

func overlooked(r rune) bool {
	return r != '\t' && r != '\r' && (unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
}

// isNumber: at most a sign, then digits with single separators between them.
func isNumber(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	if s == "" {
		return false
	}
	for i := range len(s) {
		digit := s[i] >= '0' && s[i] <= '9'
		between := (s[i] == '.' || s[i] == ',') && i > 0 && i < len(s)-1 && s[i-1] >= '0' && s[i-1] <= '9'
		if !digit && !between {
			return false
		}
	}
	return true
}
