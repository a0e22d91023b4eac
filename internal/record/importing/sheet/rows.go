package sheet

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// The size of the grid, in rows and columns.
const (
	MaxRows    = 1 << 20
	MaxColumns = 1 << 14
)

// Rows are the rows of one sheet from top to bottom.
type Rows struct {
	b     *Book
	s     *scanner
	row   int // the last one read, from 1
	cells []string
}

// Rows begins to read a sheet; "" is the first one.
func (b *Book) Rows(name string) (*Rows, error) {
	if name == "" {
		name = b.Sheets[0]
	}
	i := slices.IndexFunc(b.Sheets, func(s string) bool { return strings.EqualFold(s, name) })
	if i < 0 {
		return nil, damaged("there is no sheet %q", name)
	}
	s, err := b.open(b.paths[b.Sheets[i]], b.limits.Part)
	if err != nil {
		return nil, err
	}
	return &Rows{b: b, s: s}, nil
}

// Close ends reading.
func (r *Rows) Close() { r.s.close() }

// Next returns the next row that has cells, and its number in the sheet, or io.EOF.
// The slice is valid until the next call.
func (r *Rows) Next() ([]string, int, error) {
	for {
		t, err := r.s.next()
		if err != nil {
			return nil, 0, err
		}
		if !t.open || string(t.name) != "row" {
			continue
		}
		if err := r.place(t.attr("r")); err != nil {
			return nil, 0, err
		}
		if t.empty {
			continue
		}
		r.cells = r.cells[:0]
		if err := r.readRow(); err != nil {
			return nil, 0, err
		}
		return r.cells, r.row, nil
	}
}

// place moves on to the row's number; rows without one follow each other.
func (r *Rows) place(number string) error {
	n := r.row + 1
	if number != "" {
		var err error
		if n, err = strconv.Atoi(number); err != nil || n <= r.row {
			return damaged("row %q stands after row %d", number, r.row)
		}
	}
	if n > MaxRows {
		return damaged("row %d lies outside of the grid", n)
	}
	r.row = n
	return nil
}

func (r *Rows) readRow() error {
	for {
		t, err := r.s.next()
		if errors.Is(err, io.EOF) {
			return damaged("it ends in the middle of row %d", r.row)
		}
		if err != nil {
			return err
		}
		switch string(t.name) {
		case "row":
			return nil
		case "c":
			if err := r.readCell(t); err != nil {
				return err
			}
		}
	}
}

func (r *Rows) readCell(t *tag) error {
	column, err := columnOf(t.attr("r"), len(r.cells))
	if err != nil {
		return err
	}
	typ, style := t.attr("t"), -1
	if s := t.attr("s"); s != "" {
		if style, err = strconv.Atoi(s); err != nil {
			style = -1
		}
	}
	if t.empty {
		return nil
	}
	raw, err := r.readValue()
	if err != nil || raw == "" {
		return err
	}
	text, err := r.value(typ, style, raw)
	if err != nil {
		return err
	}
	for len(r.cells) <= column {
		r.cells = append(r.cells, "")
	}
	r.cells[column] = text
	return nil
}

// readValue reads up to the end of the cell: <v>, or the texts of <is>. The formula
// itself, <f>, is nothing to us.
func (r *Rows) readValue() (string, error) {
	var out []byte
	var inside string
	for {
		t, err := r.s.next()
		if errors.Is(err, io.EOF) {
			return "", damaged("it ends in the middle of row %d", r.row)
		}
		if err != nil {
			return "", err
		}
		if inside == "v" || inside == "t" {
			out = append(out, t.text...)
		}
		if len(out) > maxPiece {
			return "", ErrTooLarge
		}
		name := string(t.name)
		if name == "c" || name == "row" {
			return string(out), nil
		}
		inside = ""
		if t.open && !t.empty {
			inside = name
		}
	}
}

func (r *Rows) value(typ string, style int, raw string) (string, error) {
	switch typ {
	case "s":
		i, err := strconv.Atoi(raw)
		text, ok := r.b.strings.at(i)
		if err != nil || !ok {
			return "", damaged("row %d names the text %q, which is not there", r.row, raw)
		}
		return text, nil
	case "str", "inlineStr":
		return raw, nil
	case "b":
		return strconv.FormatBool(raw == "1" || raw == "true"), nil
	case "e":
		return "", nil
	case "d":
		return strings.TrimSuffix(strings.Replace(raw, "T00:00:00", "", 1), "Z"), nil
	}
	return r.b.show(raw, style), nil
}

// columnOf reads the letters of AB12; cells without a place follow each other.
func columnOf(ref string, next int) (int, error) {
	n := 0
	for i := 0; i < len(ref) && i < 8; i++ {
		c := ref[i] | 0x20
		if c < 'a' || c > 'z' {
			break
		}
		n = n*26 + int(c-'a') + 1
	}
	if n == 0 {
		n = next + 1
	}
	if n > MaxColumns {
		return 0, damaged("the cell %q lies outside of the grid", ref)
	}
	return n - 1, nil
}
