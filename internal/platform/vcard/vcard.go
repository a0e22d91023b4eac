// Package vcard reads and writes vCards, the address cards of phones and mail programs.
//
// Read takes what is found in the wild: versions 2.1, 3.0 and 4.0, folded lines, groups
// (item1.EMAIL), quoted-printable with its own way of going on, and Latin-1. Write makes
// version 3.0, which everything can read: UTF-8, CR LF, lines folded at 75 bytes without
// cutting a character.
//
// Not for: pictures and sounds (they are skipped), calendars, or what a property means;
// that is the caller's business.
package vcard

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Property is one line of a card: EMAIL;TYPE=work:ada@example.com.
type Property struct {
	Name  string   // upper case, without group
	Types []string // lower case: work, home, cell, pref
	Value string   // decoded text; structured values still hold their escapes
}

// Card is one address card.
type Card []Property

// Limits of what is read: bytes of one card, and of one line of it.
const (
	maxCard = 4 << 20
	maxLine = 2 << 20
)

// Begins reports whether a file is made of vCards.
func Begins(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(head) >= 11 && strings.EqualFold(string(head[:11]), "BEGIN:VCARD")
}

// Reader reads the cards of a file one by one.
type Reader struct {
	in   *bufio.Reader
	next string // a line that was read ahead
	done bool
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(r, 64<<10)} }

// ErrTooLong is a card or line beyond all reason.
var ErrTooLong = errors.New("a card is too long")

// Read returns the next card, or io.EOF. What stands between cards is skipped, and a
// card that never ends is taken as far as it goes.
func (r *Reader) Read() (Card, error) {
	inside, size := false, 0
	var card Card
	for {
		line, err := r.logicalLine()
		if errors.Is(err, io.EOF) && inside && len(card) > 0 {
			return card, nil
		}
		if err != nil {
			return nil, err
		}
		if size += len(line); size > maxCard {
			return nil, ErrTooLong
		}
		switch {
		case isMark(line, "BEGIN"):
			card, inside, size = nil, true, 0
		case isMark(line, "END") && inside:
			return card, nil
		case inside:
			if p, ok := parseLine(line); ok {
				card = append(card, p)
			}
		default:
			size = 0
		}
	}
}

func isMark(line, word string) bool {
	name, value, ok := strings.Cut(line, ":")
	name = strings.TrimPrefix(name, "\ufeff")
	return ok && strings.EqualFold(strings.TrimSpace(name), word) && strings.EqualFold(strings.TrimSpace(value), "VCARD")
}

// logicalLine joins a line with those that go on with it.
func (r *Reader) logicalLine() (string, error) {
	line, err := r.line()
	if err != nil {
		return "", err
	}
	soft := quotedPrintable(line)
	var b strings.Builder
	b.WriteString(line)
	for {
		last := b.String()
		next, err := r.line()
		if err != nil {
			return last, nil //nolint:nilerr // the end of the file ends the line; the next call says so
		}
		switch {
		case soft && strings.HasSuffix(last, "="): // quoted-printable goes on after a bare =
			b.Reset()
			b.WriteString(last[:len(last)-1] + next)
		case next != "" && (next[0] == ' ' || next[0] == '\t'):
			b.WriteString(next[1:])
		default:
			r.next = next + "\n"
			return last, nil
		}
		if b.Len() > maxLine {
			return "", ErrTooLong
		}
	}
}

func quotedPrintable(line string) bool {
	head, _, _ := strings.Cut(line, ":")
	return strings.Contains(strings.ToUpper(head), "QUOTED-PRINTABLE")
}

// line reads one line as it stands in the file.
func (r *Reader) line() (string, error) {
	if r.next != "" {
		line := strings.TrimSuffix(r.next, "\n")
		r.next = ""
		return line, nil
	}
	if r.done {
		return "", io.EOF
	}
	var raw []byte
	for {
		piece, err := r.in.ReadSlice('\n')
		raw = append(raw, piece...)
		if errors.Is(err, bufio.ErrBufferFull) && len(raw) < maxLine {
			continue
		}
		if errors.Is(err, io.EOF) {
			r.done = true
			if len(raw) == 0 {
				return "", io.EOF
			}
			err = nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			err = ErrTooLong
		}
		return strings.TrimRight(string(raw), "\r\n"), err
	}
}

// parseLine reads [group.]NAME[;param…]:value.
func parseLine(line string) (Property, bool) {
	head, value, ok := cutHead(line)
	if !ok {
		return Property{}, false
	}
	params := strings.Split(head, ";")
	name := params[0]
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	p := Property{Name: strings.ToUpper(strings.TrimSpace(name)), Value: value}
	encoding, charset := "", ""
	for _, param := range params[1:] {
		key, v, named := strings.Cut(param, "=")
		if !named { // 2.1 writes TEL;WORK;CELL
			key, v = "TYPE", param
		}
		switch v = strings.Trim(v, `"`); strings.ToUpper(strings.TrimSpace(key)) {
		case "TYPE":
			p.Types = append(p.Types, types(v)...)
		case "PREF":
			p.Types = append(p.Types, "pref")
		case "ENCODING":
			encoding = strings.ToUpper(v)
		case "CHARSET":
			charset = strings.ToUpper(v)
		}
	}
	if encoding == "B" || encoding == "BASE64" {
		return Property{}, false
	}
	for i, t := range p.Types { // 2.1 writes the encoding among the types
		if t == "quoted-printable" {
			encoding, p.Types = "QUOTED-PRINTABLE", append(p.Types[:i:i], p.Types[i+1:]...)
			break
		}
	}
	p.Value = decode(p.Value, encoding, charset)
	return p, p.Name != ""
}

func types(v string) []string {
	var out []string
	for _, t := range strings.Split(v, ",") {
		if t = strings.ToLower(strings.TrimSpace(t)); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// cutHead finds the colon that ends the head; parameters may be quoted.
func cutHead(line string) (head, value string, ok bool) {
	quoted := false
	for i := range len(line) {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ':' && !quoted:
			return line[:i], line[i+1:], true
		}
	}
	return strings.Cut(line, ":")
}

func decode(value, encoding, charset string) string {
	if encoding == "QUOTED-PRINTABLE" {
		raw, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(value)))
		if err == nil || len(raw) > 0 {
			value = string(raw)
		}
		value = strings.ReplaceAll(value, "\r\n", "\n")
	}
	if !utf8.ValidString(value) || strings.HasPrefix(charset, "ISO-8859") || strings.HasPrefix(charset, "WINDOWS-125") {
		if out, err := charmap.Windows1252.NewDecoder().String(value); err == nil && !utf8.ValidString(value) {
			return out
		}
	}
	return value
}

// Text is a value without its escapes.
func (p Property) Text() string { return unescape(p.Value) }

// Parts are the parts of a structured value such as N or ADR.
func (p Property) Parts() []string {
	var out []string
	start := 0
	for i := 0; i < len(p.Value); i++ {
		switch p.Value[i] {
		case '\\':
			i++
		case ';':
			out = append(out, unescape(p.Value[start:i]))
			start = i + 1
		}
	}
	return append(out, unescape(p.Value[min(start, len(p.Value)):]))
}

// Is reports whether the property has one of these types.
func (p Property) Is(types ...string) bool {
	for _, t := range p.Types {
		for _, want := range types {
			if t == want {
				return true
			}
		}
	}
	return false
}

// All are the properties with a name.
func (c Card) All(name string) []Property {
	var out []Property
	for _, p := range c {
		if p.Name == name {
			out = append(out, p)
		}
	}
	return out
}

// First is the first value of a property as text, "" when there is none.
func (c Card) First(name string) string {
	for _, p := range c {
		if p.Name == name {
			return p.Text()
		}
	}
	return ""
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n', 'N':
			b.WriteByte('\n')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

var escaper = strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`)

// Structured writes the parts of a value such as N or ADR.
func Structured(parts ...string) string {
	out := make([]string, len(parts))
	for i, s := range parts {
		out[i] = escaper.Replace(s)
	}
	return strings.Join(out, ";")
}

// Write writes a card. Values are escaped already: by Structured, which for one text is
// the way to write that.
func Write(w io.Writer, c Card) error {
	var b strings.Builder
	b.WriteString("BEGIN:VCARD\r\nVERSION:3.0\r\n")
	for _, p := range c {
		name := p.Name
		if len(p.Types) > 0 {
			name += ";TYPE=" + strings.ToUpper(strings.Join(p.Types, ","))
		}
		fold(&b, name+":"+p.Value)
	}
	b.WriteString("END:VCARD\r\n")
	_, err := io.WriteString(w, b.String())
	if err != nil {
		return fmt.Errorf("write a card: %w", err)
	}
	return nil
}

// fold ends lines at 75 bytes, between characters.
func fold(b *strings.Builder, line string) {
	room := 75
	for len(line) > room {
		cut := room
		for cut > 0 && !utf8.RuneStart(line[cut]) {
			cut--
		}
		b.WriteString(line[:cut] + "\r\n ")
		line, room = line[cut:], 74
	}
	b.WriteString(line + "\r\n")
}
