package importing

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"crm/internal/platform/errs"
	"crm/internal/record/csvsafe"
)

// maxRow is the most bytes one row may have. A quote that is never closed makes
// the rest of the file one row; without a limit it would all go into memory.
const maxRow = 8 << 20

// decode turns the bytes of a file into UTF-8. Damaged UTF-8 passes: the field
// types drop what is no character.
func (d Dialect) decode(r io.Reader) io.Reader {
	switch d.Encoding {
	case latinEncoding:
		return transform.NewReader(r, charmap.Windows1252.NewDecoder())
	case utf16LEEncoding:
		return transform.NewReader(r, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder())
	case utf16BEEncoding:
		return transform.NewReader(r, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder())
	}
	return r
}

// rows reads a file row by row and knows where it is, so that reading can go on
// there in another process.
type rows struct {
	csv   *csv.Reader
	limit *rowLimit
	base  int64 // where the csv reader began, in decoded bytes
}

// openRows starts at an offset of the decoded text; 0 is the heading.
func openRows(f io.ReadSeeker, d Dialect, offset int64) (*rows, error) {
	if offset == 0 {
		offset = d.Skip
	}
	text, err := skipTo(f, d, offset)
	if err != nil {
		return nil, fmt.Errorf("go to byte %d of the file: %w", offset, err)
	}
	if d.CR {
		text = newlines{text}
	}
	limit := &rowLimit{r: text}
	c := csv.NewReader(bufio.NewReaderSize(limit, 64<<10))
	c.Comma, c.LazyQuotes, c.FieldsPerRecord, c.ReuseRecord = rune(d.Delimiter[0]), true, -1, true
	return &rows{csv: c, limit: limit, base: offset}, nil
}

// skipTo seeks where bytes are text, and decodes to the place where they are not;
// at some hundred MB a second that is no matter.
func skipTo(f io.ReadSeeker, d Dialect, offset int64) (io.Reader, error) {
	if d.Encoding == utf8Encoding {
		_, err := f.Seek(offset, io.SeekStart)
		return f, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	text := d.decode(bufio.NewReaderSize(f, 64<<10))
	_, err := io.CopyN(io.Discard, text, offset)
	return text, err
}

// next returns a row that is valid until the next call, or io.EOF.
func (r *rows) next() ([]string, error) {
	r.limit.got = 0
	row, err := r.csv.Read()
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return row, err
	case errors.Is(err, errRowTooLong):
		return nil, notCSV("One row is larger than %d MiB; probably a quotation mark is never closed.", maxRow>>20)
	}
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return nil, errs.Wrap(err, errs.Invalid, "not_csv", "The file cannot be read further after line %d.", bad.Line)
	}
	return nil, fmt.Errorf("read the file of the import: %w", err)
}

// offset is where the next row begins.
func (r *rows) offset() int64 { return r.base + r.csv.InputOffset() }

var errRowTooLong = errors.New("row too long")

// rowLimit counts what was read since the last row ended.
type rowLimit struct {
	r   io.Reader
	got int
}

func (l *rowLimit) Read(p []byte) (int, error) {
	if l.got > maxRow {
		return 0, errRowTooLong
	}
	n, err := l.r.Read(p)
	l.got += n
	return n, err
}

// newlines makes every CR a line feed, byte for byte, so that offsets stay true.
type newlines struct{ r io.Reader }

func (n newlines) Read(p []byte) (int, error) {
	got, err := n.r.Read(p)
	for i, b := range p[:got] {
		if b == '\r' {
			p[i] = '\n'
		}
	}
	return got, err
}

func columnNumber(i int) string { return strconv.Itoa(i + 1) }

// unlike makes a name that is not taken by adding (2), (3) …
func unlike(name string, taken map[string]bool) string {
	out := name
	for n := 2; taken[strings.ToLower(out)]; n++ {
		out = fmt.Sprintf("%s (%d)", name, n)
	}
	taken[strings.ToLower(out)] = true
	return out
}

// clean is a cell as its author meant it: the mark that keeps spreadsheets from
// running a cell as formula is taken off.
func clean(cell string) string { return csvsafe.Unguard(strings.TrimSpace(cell)) }
