package learn

import (
	"fmt"
	"slices"
	"time"
)

// Field names an attribute and says how to read it.
type Field struct {
	Name string
	Kind Kind
}

// Column holds one field of all rows. Numbers has one entry per row for a number (NaN is missing). Codes has one entry
// per row for a category: an index into Levels, whose first entry is always "", the missing value.
type Column struct {
	Field
	Numbers []float64
	Codes   []int32
	Levels  []string

	codes map[string]int32
}

// Table is training data, one row per lead as it stood at its scoring moment, in time order, oldest first.
//
// It is held by column with categories as 4-byte codes: a row of 20 fields costs about 150 bytes. Times may all be
// equal or zero when only the order is known. A Table is not safe for concurrent writes.
type Table struct {
	Cols   []Column
	Labels []bool
	Times  []time.Time
}

// NewTable returns an empty table with the given fields.
func NewTable(fields ...Field) *Table {
	t := &Table{Cols: make([]Column, len(fields))}
	for i, f := range fields {
		t.Cols[i] = Column{Field: f}
		if f.Kind == Category {
			t.Cols[i].Levels = []string{""}
			t.Cols[i].codes = map[string]int32{"": 0}
		}
	}
	return t
}

// Rows is the number of rows.
func (t *Table) Rows() int { return len(t.Labels) }

// Append adds a row. It has one value per field, in the table's order; label tells whether the lead converted, at when
// it was to be scored.
func (t *Table) Append(row []Value, label bool, at time.Time) error {
	if len(row) != len(t.Cols) {
		return fmt.Errorf("append training row: %d values for %d fields", len(row), len(t.Cols))
	}
	for i := range t.Cols {
		t.Cols[i].append(row[i])
	}
	t.Labels = append(t.Labels, label)
	t.Times = append(t.Times, at)
	return nil
}

// AppendMap adds a row given by field name; absent fields are missing, unknown names are ignored.
func (t *Table) AppendMap(values map[string]any, label bool, at time.Time) error {
	row := make([]Value, len(t.Cols))
	for i := range t.Cols {
		row[i] = Coerce(t.Cols[i].Kind, values[t.Cols[i].Name])
	}
	return t.Append(row, label, at)
}

func (c *Column) append(v Value) {
	if c.Kind == Number {
		c.Numbers = append(c.Numbers, v.Number)
		return
	}
	c.Codes = append(c.Codes, c.intern(level(v.Text)))
}

func (c *Column) intern(text string) int32 {
	if code, ok := c.codes[text]; ok {
		return code
	}
	code := int32(len(c.Levels))
	c.Levels = append(c.Levels, text)
	c.codes[text] = code
	return code
}

// SortByTime puts the rows into time order; rows of equal time keep theirs.
func (t *Table) SortByTime() {
	order := make([]int32, t.Rows())
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return t.Times[a].Compare(t.Times[b]) })
	*t = *t.Select(order)
}

// Select returns a table of the given rows in the given order. Levels are shared with t, which must not grow after.
func (t *Table) Select(rows []int32) *Table {
	out := &Table{Cols: make([]Column, len(t.Cols)), Labels: pick(t.Labels, rows), Times: pick(t.Times, rows)}
	for i := range t.Cols {
		c := &t.Cols[i]
		out.Cols[i] = Column{
			Field: c.Field, Levels: c.Levels, codes: c.codes,
			Numbers: pick(c.Numbers, rows), Codes: pick(c.Codes, rows),
		}
	}
	return out
}

func pick[T any](values []T, rows []int32) []T {
	if len(values) == 0 {
		return nil
	}
	out := make([]T, len(rows))
	for i, row := range rows {
		out[i] = values[row]
	}
	return out
}

// check verifies that all columns are as long as the labels and that time does not run backwards.
func (t *Table) check() error {
	if len(t.Times) != t.Rows() {
		return fmt.Errorf("check training table: %d times for %d rows", len(t.Times), t.Rows())
	}
	for i := range t.Cols {
		c := &t.Cols[i]
		if len(c.Numbers)+len(c.Codes) != t.Rows() {
			return fmt.Errorf("check training table: field %s has %d values for %d rows", c.Name, len(c.Numbers)+len(c.Codes), t.Rows())
		}
	}
	for i := 1; i < len(t.Times); i++ {
		if t.Times[i].Before(t.Times[i-1]) {
			return fmt.Errorf("check training table: row %d is older than the row before it; sort the table by time first", i)
		}
	}
	return nil
}

// missing reports whether the column has no value in a row.
func (c *Column) missing(row int32) bool {
	if c.Kind == Category {
		return c.Codes[row] == 0
	}
	v := c.Numbers[row]
	return v != v
}

func positives(labels []bool, rows []int32) int {
	n := 0
	for _, row := range rows {
		if labels[row] {
			n++
		}
	}
	return n
}

// span returns the row numbers from … to-1.
func span(from, to int) []int32 {
	rows := make([]int32, 0, max(0, to-from))
	for i := from; i < to; i++ {
		rows = append(rows, int32(i))
	}
	return rows
}
