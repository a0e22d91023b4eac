package learn

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	layoutVersion = 1
	// topLevels, leastRows and leastRowsSmall decide which values of a category get a slot of their own.
	topLevels      = 60
	leastRows      = 20
	leastRowsSmall = 5
	smallTable     = 1000
	// maxWidth bounds the vector: the ridge solves a dense system of this size.
	maxWidth = 600
)

// ErrLayout says that a layout is damaged or not of this program's making.
var ErrLayout = errors.New("the field layout of the model does not match its checksum or version; train the model again")

// LayoutField is one field's place in the encoded vector. A number has one slot at Offset. A category has a slot per
// level, then one for every other value ("rare") and one for "no value": exactly one of them is 1.
type LayoutField struct {
	Name   string   `json:"name"`
	Kind   Kind     `json:"kind"`
	Offset int      `json:"offset"`
	Levels []string `json:"levels,omitempty"`
}

// slots is how many entries of the vector the field takes.
func (f *LayoutField) slots() int {
	if f.Kind == Number {
		return 1
	}
	return len(f.Levels) + 2
}

func (f *LayoutField) rare() int  { return f.Offset + len(f.Levels) }
func (f *LayoutField) empty() int { return f.Offset + len(f.Levels) + 1 }

// Layout maps a record to the float32 vector a model reads. It is part of the model: the hash ties the two together,
// so that a vector made by one layout is never scored by a model trained on another. It is read-only once made.
type Layout struct {
	Version int           `json:"version"`
	Width   int           `json:"width"`
	Fields  []LayoutField `json:"fields"`
	Hash    string        `json:"hash"`

	index []map[string]int // per field: level to slot
	owner []int32          // per slot: field
}

// ParseLayout reads a layout written by json.Marshal and verifies it.
func ParseLayout(data []byte) (*Layout, error) {
	var l Layout
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, fmt.Errorf("read layout: %w", err)
	}
	return &l, nil
}

// UnmarshalJSON reads and verifies a layout: version, offsets and hash.
func (l *Layout) UnmarshalJSON(data []byte) error {
	type plain Layout
	var p plain
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("read layout: %w", err)
	}
	stored := p.Hash
	made, err := newLayout(p.Fields)
	if err != nil {
		return err
	}
	if p.Version != layoutVersion || made.Hash != stored || made.Width != p.Width {
		return ErrLayout
	}
	*l = *made
	return nil
}

// newLayout places the fields one after another and computes the hash.
func newLayout(fields []LayoutField) (*Layout, error) {
	l := &Layout{Version: layoutVersion, Fields: fields}
	for i := range fields {
		f := &fields[i]
		f.Offset = l.Width
		l.Width += f.slots()
		l.index = append(l.index, levelIndex(f))
		for range f.slots() {
			l.owner = append(l.owner, int32(i))
		}
	}
	canonical, err := json.Marshal(struct {
		Version int           `json:"version"`
		Fields  []LayoutField `json:"fields"`
	}{l.Version, fields})
	if err != nil {
		return nil, fmt.Errorf("hash layout: %w", err)
	}
	sum := sha256.Sum256(canonical)
	l.Hash = hex.EncodeToString(sum[:])
	return l, nil
}

func levelIndex(f *LayoutField) map[string]int {
	if f.Kind == Number {
		return nil
	}
	index := make(map[string]int, len(f.Levels)+1)
	for i, s := range f.Levels {
		index[s] = f.Offset + i
	}
	index[""] = f.empty()
	return index
}

// Encode returns the vector of a record given by field name. Absent or unreadable values are missing, values the
// training did not know are rare, names the layout does not know are ignored.
func (l *Layout) Encode(values map[string]any) []float32 {
	x := make([]float32, l.Width)
	for i := range l.Fields {
		f := &l.Fields[i]
		l.set(x, i, Coerce(f.Kind, values[f.Name]))
	}
	return x
}

// EncodeRow writes the vector of a row that has one value per layout field, in order, into x, which must be Width long.
func (l *Layout) EncodeRow(row []Value, x []float32) error {
	if len(row) != len(l.Fields) || len(x) != l.Width {
		return fmt.Errorf("encode row: %d values into %d slots, the layout has %d and %d", len(row), len(x), len(l.Fields), l.Width)
	}
	clear(x)
	for i, v := range row {
		l.set(x, i, v)
	}
	return nil
}

func (l *Layout) set(x []float32, field int, v Value) {
	f := &l.Fields[field]
	if f.Kind == Number {
		x[f.Offset] = single(v.Number)
		return
	}
	slot, known := l.index[field][level(v.Text)]
	if !known {
		slot = f.rare()
	}
	x[slot] = 1
}

// fitLayout chooses the levels of the given columns by counting the given rows. Outcomes play no part in it.
func fitLayout(t *Table, columns []int, rows []int32) (*Layout, error) {
	kept := make([][]string, len(columns))
	for i, c := range columns {
		kept[i] = commonLevels(&t.Cols[c], rows)
	}
	limit := levelLimit(kept)
	fields := make([]LayoutField, len(columns))
	for i, c := range columns {
		fields[i] = LayoutField{Name: t.Cols[c].Name, Kind: t.Cols[c].Kind, Levels: kept[i][:min(limit, len(kept[i]))]}
	}
	return newLayout(fields)
}

// levelLimit lowers the number of levels per field until the vector fits maxWidth; most tables never need it.
func levelLimit(kept [][]string) int {
	for limit := topLevels; limit > 1; limit-- {
		width := 0
		for _, levels := range kept {
			width += min(limit, len(levels)) + 2
		}
		if width <= maxWidth {
			return limit
		}
	}
	return 1
}

// commonLevels returns a category's values with enough rows, the most frequent first, ties by name.
func commonLevels(c *Column, rows []int32) []string {
	if c.Kind == Number {
		return nil
	}
	counts := make([]int, len(c.Levels))
	for _, row := range rows {
		counts[c.Codes[row]]++
	}
	least := leastRows
	if len(rows) < smallTable {
		least = leastRowsSmall
	}
	var common []int32
	for code := 1; code < len(counts); code++ {
		if counts[code] >= least {
			common = append(common, int32(code))
		}
	}
	slices.SortFunc(common, func(a, b int32) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(c.Levels[a], c.Levels[b])
	})
	common = common[:min(topLevels, len(common))]
	return pick(c.Levels, common)
}

// encoder is a layout bound to a table, so that rows are encoded from codes without looking at text.
type encoder struct {
	layout *Layout
	cols   []*Column
	slots  [][]int32 // per field: code to slot
}

// bind matches the layout's fields with the table's columns by name; a field the table lacks is missing in every row.
func (l *Layout) bind(t *Table) *encoder {
	byName := make(map[string]*Column, len(t.Cols))
	for i := range t.Cols {
		byName[t.Cols[i].Name] = &t.Cols[i]
	}
	e := &encoder{layout: l, cols: make([]*Column, len(l.Fields)), slots: make([][]int32, len(l.Fields))}
	for i := range l.Fields {
		f := &l.Fields[i]
		c := byName[f.Name]
		if c == nil || c.Kind != f.Kind {
			continue
		}
		e.cols[i] = c
		e.slots[i] = l.slotsOf(i, c)
	}
	return e
}

func (l *Layout) slotsOf(field int, c *Column) []int32 {
	f := &l.Fields[field]
	if f.Kind == Number {
		return nil
	}
	slots := make([]int32, len(c.Levels))
	for code, text := range c.Levels {
		slot, known := l.index[field][text]
		if !known {
			slot = f.rare()
		}
		slots[code] = int32(slot)
	}
	return slots
}

// number returns a numeric field's value in a row.
func (e *encoder) number(field int, row int32) float32 {
	if e.cols[field] == nil {
		return float32(math.NaN())
	}
	return single(e.cols[field].Numbers[row])
}

// slot returns the vector position a categorical field sets in a row.
func (e *encoder) slot(field int, row int32) int32 {
	if e.cols[field] == nil {
		return int32(e.layout.Fields[field].empty())
	}
	return e.slots[field][e.cols[field].Codes[row]]
}

// vector writes a table row's encoded form into x.
func (e *encoder) vector(row int32, x []float32) {
	clear(x)
	for i := range e.layout.Fields {
		f := &e.layout.Fields[i]
		if f.Kind == Number {
			x[f.Offset] = e.number(i, row)
			continue
		}
		x[e.slot(i, row)] = 1
	}
}
