package exporting

import (
	"context"
	"io"
	"slices"
	"strings"

	"crm/internal/record"
)

// Format of a file.
type Format string

const (
	CSV    Format = "csv"
	XLSX   Format = "xlsx"
	NDJSON Format = "ndjson"
)

// Formats are all of them.
var Formats = []Format{CSV, XLSX, NDJSON}

// MediaType is what the file is served as.
func (f Format) MediaType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8; header=present"
	case XLSX:
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	return "application/x-ndjson"
}

// encoder writes batches of records; end completes the file.
type encoder interface {
	batch(ctx context.Context, records []*record.Record) error
	end() error
}

func newEncoder(f Format, w io.Writer, k *record.Kernel, def *record.Definition, fields []string) (encoder, error) {
	if f == NDJSON {
		return newLines(w, fields), nil
	}
	t := &table{names: newNames(k), columns: tableColumns(def, fields)}
	t.cells = make([]cell, len(t.columns))
	var err error
	if f == XLSX {
		t.rows, err = newWorkbook(w, t.headings())
	} else {
		t.rows, err = newCSV(w, t.headings())
	}
	return t, err
}

// rowWriter writes the rows of one kind of table; it must not keep the slice.
type rowWriter interface {
	row(cells []cell) error
	end() error
}

// table turns records into rows of cells.
type table struct {
	names   *names
	columns []column
	cells   []cell
	rows    rowWriter
}

func (t *table) headings() []string {
	out := make([]string, len(t.columns))
	for i, c := range t.columns {
		out[i] = c.heading
	}
	return out
}

func (t *table) batch(ctx context.Context, records []*record.Record) error {
	if err := t.names.load(ctx, records, t.columns); err != nil {
		return err
	}
	for _, r := range records {
		for i, c := range t.columns {
			v := r.Get(c.name)
			if c.object != "" {
				t.cells[i] = cell{text: t.names.of(c.object, v)}
				continue
			}
			t.cells[i] = c.value(c.field, v)
		}
		if err := t.rows.row(t.cells); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) end() error { return t.rows.end() }

// lines writes records as the API shows them, one a line.
type lines struct {
	w      io.Writer
	only   map[string]bool
	custom []string // custom fields to keep
	buf    []byte
}

func newLines(w io.Writer, fields []string) *lines {
	l := &lines{w: w, only: map[string]bool{}}
	for _, name := range fields {
		if key, ok := strings.CutPrefix(name, "custom."); ok {
			l.custom = append(l.custom, key)
			name = "custom"
		}
		l.only[name] = true
	}
	return l
}

func (l *lines) batch(_ context.Context, records []*record.Record) error {
	l.buf = l.buf[:0]
	for _, r := range records {
		l.buf = append(l.limit(r).AppendJSON(l.buf, l.only, nil), '\n')
	}
	_, err := l.w.Write(l.buf)
	return err
}

// limit leaves out custom values that were not asked for.
func (l *lines) limit(r *record.Record) *record.Record {
	m, _ := r.Get("custom").(map[string]any)
	kept := map[string]any{}
	for k, v := range m {
		if slices.Contains(l.custom, k) {
			kept[k] = v
		}
	}
	if len(kept) == len(m) {
		return r
	}
	c := r.Clone()
	c.Set("custom", kept)
	return c
}

func (l *lines) end() error { return nil }
