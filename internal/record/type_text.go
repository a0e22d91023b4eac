package record

import (
	"net/mail"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// textType is a string of at most max runes; url is one with a web address.
type textType struct {
	name string
	max  int
}

func (t textType) Name() string                              { return t.name }
func (textType) Columns() []string                           { return []string{"text"} }
func (textType) Scan(c []cell) any                           { return c[0].text() }
func (textType) Args(v any) []any                            { return []any{v} }
func (textType) AppendJSON(dst []byte, v any) []byte         { return appendString(dst, v.(string)) }
func (textType) Text(v any) string                           { return v.(string) }
func (textType) Ops() []Op                                   { return textOps }
func (t textType) ParseText(f *Field, s string) (any, error) { return t.clean(f, s) }

func (t textType) Parse(f *Field, raw any) (any, error) {
	s, ok := raw.(string)
	if !ok {
		return nil, wrongType(f, "text")
	}
	return t.clean(f, s)
}

func (t textType) clean(f *Field, s string) (any, error) {
	s = CleanText(s)
	if t.name != "long_text" {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	}
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > t.max {
		return nil, refuse(f, "too_long", "%s may have at most %d characters.", f.Label, t.max)
	}
	if s == "" {
		return nil, nil
	}
	if t.name == "url" {
		return cleanURL(f, s)
	}
	return s, nil
}

// CleanText drops what must never be stored: invalid UTF-8, NUL and other
// control characters, bidirectional overrides and zero-width characters that
// make two names look alike.
func CleanText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return r
		case r == utf8.RuneError, unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200b, r == 0xfeff:
			return -1
		}
		return r
	}, s)
}

func cleanURL(f *Field, s string) (any, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, refuse(f, "not_a_url", "Enter a web address like https://company.com.")
	}
	return u.String(), nil
}

// emailType is one address; the domain is stored in lower case, and comparisons
// fold the whole address because people type it both ways.
type emailType struct{ textType }

func (emailType) Name() string { return "email" }
func (emailType) Parse(f *Field, raw any) (any, error) {
	s, ok := raw.(string)
	if !ok {
		return nil, wrongType(f, "an e-mail address")
	}
	return emailType{}.ParseText(f, s)
}

func (emailType) ParseText(f *Field, s string) (any, error) {
	s = strings.TrimSpace(CleanText(s))
	if s == "" {
		return nil, nil
	}
	addr, ok := NormalEmail(s)
	if !ok {
		return nil, refuse(f, "not_an_email", "Enter an address like name@company.com.")
	}
	return addr, nil
}

// NormalEmail returns the address in lower case, and whether it is one.
func NormalEmail(s string) (string, bool) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return "", false
	}
	_, domain, _ := strings.Cut(s, "@")
	if !strings.Contains(domain, ".") || strings.ContainsAny(s, " \t\r\n<>\"") {
		return "", false
	}
	return strings.ToLower(s), true
}

// phoneType stores E.164. Numbers without a country code are read in Region.
type phoneType struct{ textType }

func (phoneType) Name() string { return "phone" }
func (phoneType) Parse(f *Field, raw any) (any, error) {
	s, ok := raw.(string)
	if !ok {
		return nil, wrongType(f, "a phone number")
	}
	s = strings.TrimSpace(CleanText(s))
	if s == "" {
		return nil, nil
	}
	if n, ok := normalPhone(s); ok {
		return n, nil
	}
	return nil, refuse(f, "not_a_phone", "Enter a phone number with its country code, like +49 30 1234567.")
}

// ParseText keeps a number it cannot read as typed: files of other systems are
// full of them, and losing a row over one would be worse.
func (phoneType) ParseText(f *Field, s string) (any, error) {
	s = strings.TrimSpace(CleanText(s))
	if n, ok := normalPhone(s); ok {
		return n, nil
	}
	if len(s) > 40 {
		return nil, refuse(f, "too_long", "%s may have at most 40 characters.", f.Label)
	}
	if s == "" {
		return nil, nil
	}
	return s, nil
}

const phoneRegion = "US"

func normalPhone(s string) (string, bool) {
	if n, ok := quickPhone(s); ok {
		return n, true
	}
	return slowPhone(s)
}

// slowPhone is the whole parser, for numbers in every form people write.
func slowPhone(s string) (string, bool) {
	n, err := phonenumbers.Parse(s, phoneRegion)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}
