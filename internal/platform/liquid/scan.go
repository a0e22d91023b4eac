package liquid

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// token is one word of an expression.
type token struct {
	kind tokenKind
	text string // for strings what stands between the quotes
}

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenString
	tokenNumber
	tokenSign // punctuation and comparison
)

func (t token) is(sign string) bool { return t.kind == tokenSign && t.text == sign }

func (t token) word(name string) bool { return t.kind == tokenWord && t.text == name }

func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end"
	}
	return fmt.Sprintf("“%.40s”", t.text)
}

// scan cuts an expression into tokens, ending with tokenEnd.
func scan(src string, line int) ([]token, error) {
	var tokens []token
	for {
		src = strings.TrimLeft(src, " \t\r\n")
		if src == "" {
			return append(tokens, token{}), nil
		}
		t, n, err := scanOne(src, line)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		src = src[n:]
	}
}

func scanOne(src string, line int) (token, int, error) {
	c := src[0]
	switch {
	case c == '"' || c == '\'':
		end := strings.IndexByte(src[1:], c)
		if end < 0 {
			return token{}, 0, fail(line, "a text begins with %c but does not end with it", c)
		}
		return token{tokenString, src[1 : end+1]}, end + 2, nil
	case letter(c):
		n := span(src, func(c byte) bool { return letter(c) || digit(c) || c == '-' })
		return token{tokenWord, src[:n]}, n, nil
	case digit(c) || c == '-' && len(src) > 1 && digit(src[1]):
		n := 1 + span(src[1:], digit)
		if n+1 < len(src) && src[n] == '.' && digit(src[n+1]) {
			n += 1 + span(src[n+1:], digit)
		}
		return token{tokenNumber, src[:n]}, n, nil
	}
	for _, sign := range []string{"==", "!=", "<>", "<=", ">=", "<", ">", "|", ":", ",", ".", "[", "]"} {
		if strings.HasPrefix(src, sign) {
			return token{tokenSign, sign}, len(sign), nil
		}
	}
	return token{}, 0, strange(src, line)
}

// strange explains a character that does not belong into an expression; curly quotes come with pasted text.
func strange(src string, line int) error {
	r, _ := utf8.DecodeRuneInString(src)
	switch {
	case strings.ContainsRune("“”„‟«»", r):
		return fail(line, "write texts between straight quotes (\"), not %c", r)
	case strings.ContainsRune("‘’‚", r):
		return fail(line, "write texts between straight quotes ('), not %c", r)
	case r == '\u00a0':
		return fail(line, "there is a non-breaking space; replace it by an ordinary one")
	case r == '=':
		return fail(line, "compare with == instead of =")
	case r == '&':
		return fail(line, "combine conditions with “and”")
	}
	return fail(line, "the character %s does not belong here", strconv.QuoteRune(r))
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

func digit(c byte) bool { return c >= '0' && c <= '9' }

func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}
