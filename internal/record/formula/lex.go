package formula

import (
	"fmt"
	"strings"
)

// Error says what is wrong with a formula and where, for the person who wrote it.
type Error struct {
	Pos     int // byte offset, from 0
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (at character %d)", e.Message, e.Pos+1) }

func fail(pos int, format string, args ...any) *Error {
	return &Error{pos, fmt.Sprintf(format, args...)}
}

type tokenKind uint8

const (
	end tokenKind = iota
	number
	text
	name
	symbol
)

type token struct {
	kind tokenKind
	text string
	pos  int
}

const maxDigits = 30

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// lex cuts the source into tokens. Only texts may hold anything but ASCII.
func lex(src string) ([]token, error) {
	var out []token
	for i := 0; i < len(src); {
		c := src[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case isDigit(c):
			for i < len(src) && (isDigit(src[i]) || src[i] == '.') {
				i++
			}
			s := src[start:i]
			if len(s) > maxDigits || strings.Count(s, ".") > 1 || strings.HasSuffix(s, ".") {
				return nil, fail(start, "%s is no number", cut(s))
			}
			out = append(out, token{number, s, start})
		case isLetter(c):
			for i < len(src) && (isLetter(src[i]) || isDigit(src[i]) || src[i] == '.') {
				i++
			}
			out = append(out, token{name, src[start:i], start})
		case c == '\'' || c == '"':
			s, n := quoted(src[i:])
			if n == 0 {
				return nil, fail(start, "this text has no closing quote")
			}
			i += n
			out = append(out, token{text, s, start})
		default:
			n := 1
			for _, two := range []string{"<=", ">=", "!=", "<>", "=="} {
				if strings.HasPrefix(src[i:], two) {
					n = 2
				}
			}
			if n == 1 && !strings.ContainsRune("+-*/()=<>,", rune(c)) {
				return nil, fail(start, "%q means nothing here", cut(src[i:i+1]))
			}
			i += n
			out = append(out, token{symbol, src[start:i], start})
		}
	}
	return append(out, token{end, "", len(src)}), nil
}

// quoted reads a text in quotes; a doubled quote stands for one. n is 0 when it
// does not end.
func quoted(s string) (string, int) {
	var b strings.Builder
	q := s[0]
	for i := 1; i < len(s); i++ {
		if s[i] != q {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == q {
			b.WriteByte(q)
			i++
			continue
		}
		return b.String(), i + 1
	}
	return "", 0
}

func cut(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
