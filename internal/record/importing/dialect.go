package importing

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// headSize is how much of a file is looked at to learn how it is written.
const headSize = 256 << 10

// Encodings a file may have.
const (
	utf8Encoding    = "utf-8"
	latinEncoding   = "windows-1252" // and Latin-1, of which it is the superset in use
	utf16LEEncoding = "utf-16le"
	utf16BEEncoding = "utf-16be"
)

// Dialect is how a file is written.
type Dialect struct {
	Encoding  string `json:"encoding"`
	Delimiter string `json:"delimiter"`
	Skip      int64  `json:"skip"` // bytes before the first row, of the decoded text: byte order mark, "sep=;"
	CR        bool   `json:"cr"`   // lines end with a bare CR, as on old Macs
}

// bomUTF8 is what Windows programs put before UTF-8.
var bomUTF8 = []byte{0xef, 0xbb, 0xbf}

// magics are the first bytes of files that people take for a CSV.
var magics = []struct{ magic, what string }{
	{"PK\x05\x06", "an empty ZIP file"},
	{"\xd0\xcf\x11\xe0", "an old Excel file (.xls) or one with a password; save it as XLSX without one, or as CSV"},
	{"%PDF", "a PDF"},
	{"\x89PNG", "a picture"},
	{"\xff\xd8\xff", "a picture"},
	{"GIF8", "a picture"},
	{"\x1f\x8b", "a compressed file; unpack it first"},
	{"\x7fELF", "a program"},
	{"MZ\x90", "a program"},
	{"SQLite format 3", "a database"},
	{"{\\rtf", "a text document; save it as CSV first"},
}

func notCSV(format string, args ...any) error { return errs.Field("file", "not_csv", format, args...) }

// sniff learns the dialect from the head of a file and what was counted over all
// of it. It refuses what cannot be a table of text.
func sniff(head []byte, seen textCount) (Dialect, error) {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return Dialect{}, notCSV("This is %s, not a CSV file.", m.what)
		}
	}
	d := Dialect{Encoding: encodingOf(head, seen)}
	text, err := io.ReadAll(d.decode(bytes.NewReader(head)))
	if err != nil {
		return Dialect{}, notCSV("The file could not be read as text.")
	}
	if looksBinary(text) {
		return Dialect{}, notCSV("This file holds no text, so it is no CSV file.")
	}
	if d.Encoding == utf8Encoding && bytes.HasPrefix(text, bomUTF8) {
		d.Skip, text = 3, text[3:]
	}
	d.CR = bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') >= 0
	if d.CR {
		text = bytes.ReplaceAll(text, []byte{'\r'}, []byte{'\n'})
	}
	d.Delimiter = d.delimiterLine(text)
	if d.Delimiter == "" {
		d.Delimiter = guessDelimiter(text)
	}
	return d, nil
}

// delimiterLine reads Excel's "sep=;" and skips it.
func (d *Dialect) delimiterLine(text []byte) string {
	line, _, found := bytes.Cut(text, []byte{'\n'})
	sep, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r"), []byte("sep="))
	if !found || !ok || len(sep) != 1 || !strings.ContainsRune(delimiters, rune(sep[0])) {
		return ""
	}
	d.Skip += int64(len(line) + 1)
	return string(sep)
}

// textCount is gathered while a file is stored, so that one accent in the last
// row counts for its encoding as much as one in the first.
type textCount struct {
	multi   int64 // well-formed characters of several bytes
	invalid int64 // bytes that are not UTF-8
	rest    []byte
}

// add counts a piece; a character cut by its end waits for the next piece.
func (c *textCount) add(p []byte) {
	if len(c.rest) > 0 {
		p = append(c.rest, p...)
		c.rest = nil
	}
	for len(p) > 0 {
		if p[0] < utf8.RuneSelf {
			p = p[1:]
			continue
		}
		if !utf8.FullRune(p) {
			c.rest = slices.Clone(p)
			return
		}
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			c.invalid++
		} else {
			c.multi++
		}
		p = p[n:]
	}
}

// encodingOf: a file with a few broken bytes among many good characters is UTF-8
// with damage, one with mostly odd bytes is Windows-1252.
func encodingOf(head []byte, seen textCount) string {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), zeros(head, 1):
		return utf16LEEncoding
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}), zeros(head, 0):
		return utf16BEEncoding
	case seen.invalid+int64(len(seen.rest)) == 0 || seen.invalid*10 < seen.multi:
		return utf8Encoding
	}
	return latinEncoding
}

// zeros recognises UTF-16 without a mark: of the first characters nearly every second
// byte is zero, and no other is.
func zeros(head []byte, odd int) bool {
	head = head[:min(len(head), 512)]
	var here, there int
	for i, b := range head {
		switch {
		case b == 0 && i%2 == odd:
			here++
		case b == 0:
			there++
		}
	}
	return here > 4 && there == 0 && here*10 > len(head)/2*7
}

// looksBinary: a stray NUL is dirt, a twentieth of control characters is no text.
func looksBinary(text []byte) bool {
	control := 0
	for _, b := range text {
		if b < 0x20 && b != '\n' && b != '\r' && b != '\t' {
			control++
		}
	}
	return control > 8 && control*20 > len(text)
}

// delimiters in the order of preference when nothing speaks for one.
const delimiters = ",;\t|"

// guessDelimiter takes the one that cuts the first rows into the most columns of
// the same number.
func guessDelimiter(text []byte) string {
	best, bestScore := ",", 0.0
	for _, d := range delimiters {
		if s := delimiterScore(text, d); s > bestScore {
			best, bestScore = string(d), s
		}
	}
	return best
}

func delimiterScore(text []byte, d rune) float64 {
	rows := headRows(text, d, 50)
	if len(rows) == 0 || len(rows[0]) < 2 {
		return 0
	}
	width, same := len(rows[0]), 0
	for _, r := range rows {
		if len(r) == width {
			same++
		}
	}
	agree := float64(same) / float64(len(rows))
	return agree * agree * float64(width)
}

// headRows reads up to limit rows of a head; the last one may be cut, so it only
// counts when it is alone or the head is whole.
func headRows(text []byte, d rune, limit int) [][]string {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = d, true, -1
	var rows [][]string
	for len(rows) <= limit {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			if len(rows) > 1 && len(text) >= headSize-4 {
				rows = rows[:len(rows)-1]
			}
			return rows
		}
		if err != nil {
			return rows
		}
		rows = append(rows, row)
	}
	return rows[:limit]
}

// headings are the names of the columns: trimmed, without the star some systems
// put behind required ones, and made different when two are alike.
func headings(row []string) ([]string, error) {
	out := make([]string, len(row))
	taken := map[string]bool{}
	named := 0
	for i, cell := range row {
		name := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(record.CleanText(strings.ToValidUTF8(cell, ""))), "*"))
		if name != "" {
			named++
		} else {
			name = "Column " + columnNumber(i)
		}
		if len(name) > 200 {
			return nil, notCSV("The first row must hold the names of the columns; the one of column %d is %d characters long.", i+1, len(name))
		}
		out[i] = unlike(name, taken)
	}
	if named == 0 {
		return nil, notCSV("The first row must hold the names of the columns, but it is empty.")
	}
	if len(out) > maxColumns {
		return nil, notCSV("The file has %d columns; at most %d can be read.", len(out), maxColumns)
	}
	return out, noHeading(out)
}

const maxColumns = 1000

// noHeading notices a file that begins with data: its first row would be lost and
// every column be named after somebody.
func noHeading(names []string) error {
	for _, n := range names {
		if _, isMail := record.NormalEmail(n); isMail {
			return notCSV("The first row must hold the names of the columns, but it holds data (%q).", n)
		}
	}
	numbers := 0
	for _, n := range names {
		if isNumber(n) || isDate(n) {
			numbers++
		}
	}
	if numbers*2 > len(names) {
		return notCSV("The first row must hold the names of the columns, but it holds data (%q).", names[0])
	}
	return nil
}
