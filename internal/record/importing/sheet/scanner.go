package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPiece is the most bytes a tag, or the text between two, may have. A cell holds
// 32,767 characters at most.
const maxPiece = 1 << 20

// scanner cuts the XML that spreadsheets are written in into tags and the text
// before them. It knows no declarations, comments or CDATA: the format has none, and
// they are where XML keeps its traps.
type scanner struct {
	src  io.ReadCloser
	r    *bufio.Reader
	left *io.LimitedReader
	tag  tag
	buf  []byte
}

// tag is one tag and what was written before it. It is valid until the next one.
type tag struct {
	text  []byte // unescaped
	name  []byte // without its prefix
	attrs []byte
	open  bool // <a> or <a/>
	empty bool // <a/>
}

func newScanner(r io.ReadCloser, limit int64) *scanner {
	left := &io.LimitedReader{R: r, N: limit}
	return &scanner{src: r, left: left, r: bufio.NewReaderSize(left, maxPiece)}
}

func (s *scanner) close() { _ = s.src.Close() }

// next returns the next tag, or io.EOF.
func (s *scanner) next() (*tag, error) {
	text, err := s.until('<')
	if errors.Is(err, io.EOF) && len(bytes.TrimSpace(text)) == 0 {
		if s.left.N <= 0 {
			return nil, fmt.Errorf("%w: a part is too long", ErrTooLarge)
		}
		return nil, io.EOF
	}
	if err != nil {
		return nil, s.broken(err)
	}
	s.tag = tag{text: s.tag.text[:0]}
	s.tag.text = unescape(s.tag.text, text[:len(text)-1])
	body, err := s.inside()
	if err != nil {
		return nil, s.broken(err)
	}
	if len(body) > 0 && body[0] == '?' {
		return s.next()
	}
	return &s.tag, s.tag.read(body)
}

func (s *scanner) broken(err error) error {
	switch {
	case errors.Is(err, bufio.ErrBufferFull), s.left.N <= 0:
		return fmt.Errorf("%w: one cell or part is too long", ErrTooLarge)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return damaged("it ends in the middle")
	case errors.Is(err, ErrDamaged):
		return err
	}
	return damaged("%v", err)
}

func (s *scanner) until(delim byte) ([]byte, error) { return s.r.ReadSlice(delim) }

// inside reads to the end of the tag; a > within quotes does not end it.
func (s *scanner) inside() ([]byte, error) {
	piece, err := s.until('>')
	if err != nil {
		return nil, err
	}
	if len(piece) > 0 && piece[0] == '!' {
		return nil, damaged("it has parts that no spreadsheet program writes")
	}
	if balanced(piece) {
		return piece[:len(piece)-1], nil
	}
	s.buf = append(s.buf[:0], piece...)
	for !balanced(s.buf) && len(s.buf) < maxPiece {
		if piece, err = s.until('>'); err != nil {
			return nil, err
		}
		s.buf = append(s.buf, piece...)
	}
	return s.buf[:len(s.buf)-1], nil
}

func balanced(b []byte) bool {
	var quote byte
	for _, c := range b {
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
	}
	return quote == 0
}

func (t *tag) read(body []byte) error {
	t.open = true
	if rest, ok := bytes.CutPrefix(body, []byte{'/'}); ok {
		t.open, body = false, rest
	}
	if rest, ok := bytes.CutSuffix(body, []byte{'/'}); ok {
		t.empty, body = true, rest
	}
	end := bytes.IndexAny(body, " \t\r\n")
	if end < 0 {
		end = len(body)
	}
	t.name, t.attrs = body[:end], body[end:]
	if i := bytes.IndexByte(t.name, ':'); i >= 0 {
		t.name = t.name[i+1:]
	}
	if len(t.name) == 0 {
		return damaged("a tag has no name")
	}
	return nil
}

// attr is the value of an attribute, whatever its prefix; "" when it is absent.
func (t *tag) attr(name string) string {
	rest := t.attrs
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		key, after, ok := bytes.Cut(rest, []byte{'='})
		after = bytes.TrimLeft(after, " \t\r\n")
		if !ok || len(after) == 0 {
			return ""
		}
		value, tail, ok := bytes.Cut(after[1:], after[:1])
		if !ok {
			return ""
		}
		key = bytes.TrimSpace(key)
		if i := bytes.IndexByte(key, ':'); i >= 0 && string(key[:i]) != "xmlns" {
			key = key[i+1:]
		}
		if string(key) == name {
			return string(unescape(nil, value))
		}
		rest = tail
	}
}

// unescape appends text with its entities, and the _x000D_ of spreadsheets, replaced.
func unescape(dst, text []byte) []byte {
	for len(text) > 0 {
		i := bytes.IndexAny(text, "&_")
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		text = text[i:]
		r, n := entity(text)
		if n == 0 {
			r, n = rune(text[0]), 1
		}
		dst = utf8.AppendRune(dst, r)
		text = text[n:]
	}
	return dst
}

var entities = map[string]rune{"lt": '<', "gt": '>', "amp": '&', "quot": '"', "apos": '\''}

// entity reads &lt; &#10; &#x0a; and _x000a_; n is 0 where there is none.
func entity(text []byte) (r rune, n int) {
	if text[0] == '_' {
		if len(text) < 7 || text[1] != 'x' || text[6] != '_' {
			return 0, 0
		}
		code, err := strconv.ParseUint(string(text[2:6]), 16, 16)
		if err != nil {
			return 0, 0
		}
		return rune(code), 7
	}
	end := bytes.IndexByte(text[:min(len(text), 12)], ';')
	if end < 0 {
		return 0, 0
	}
	name := string(text[1:end])
	if r, ok := entities[name]; ok {
		return r, end + 1
	}
	digits, base := strings.TrimPrefix(name, "#"), 10
	if digits == name {
		return 0, 0
	}
	if hex, ok := strings.CutPrefix(strings.ToLower(digits), "x"); ok {
		digits, base = hex, 16
	}
	code, err := strconv.ParseInt(digits, base, 32)
	if err != nil || !utf8.ValidRune(rune(code)) {
		return 0, 0
	}
	return rune(code), end + 1
}
