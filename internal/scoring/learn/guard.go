package learn

import (
	"fmt"
	"slices"
)

const (
	// leakAUC and leakHoldoutAUC are beyond what honest sales data gives; above them the outcome is hiding in a field.
	leakAUC        = 0.90
	leakHoldoutAUC = 0.95
	// clockShare is how much of a field's variation the time of a row may explain before the field is a clock, and
	// clockOrder how much of the order of rows the field must explain in turn: the weekday is set by time too, but it
	// comes back every week and says nothing about which week it is.
	clockShare = 0.85
	clockOrder = 0.10
	driftShare = 0.40
)

// Dropped is a field the trainer left out, and why, in words for people.
type Dropped struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
	// Code is refused, constant, scattered or clock.
	Code string `json:"code"`
}

// Warning is something about the data that a person should look at. Code is possible_leak, drifting_field,
// random_holdout, one_class_holdout or fields_rare.
type Warning struct {
	Code  string `json:"code"`
	Field string `json:"field,omitempty"`
	Text  string `json:"text"`
}

// guard decides which columns may be used on the given rows.
type guard struct {
	table    *Table
	rows     []int32
	opts     *Options
	columns  []int
	dropped  []Dropped
	warnings []Warning
}

func inspect(t *Table, rows []int32, opts *Options) *guard {
	g := &guard{table: t, rows: rows, opts: opts}
	for i := range t.Cols {
		if g.refused(i) || g.useless(i) || g.clock(i) {
			continue
		}
		g.leak(i)
		g.columns = append(g.columns, i)
	}
	return g
}

func (g *guard) drop(column int, code, reason string) bool {
	g.dropped = append(g.dropped, Dropped{Field: g.table.Cols[column].Name, Code: code, Reason: reason})
	return true
}

func (g *guard) warn(code, field, text string) {
	g.warnings = append(g.warnings, Warning{Code: code, Field: field, Text: text})
}

// refused drops fields the caller knows to be filled in after the outcome.
func (g *guard) refused(column int) bool {
	if !slices.Contains(g.opts.Refuse, g.table.Cols[column].Name) {
		return false
	}
	return g.drop(column, "refused", "left out on request: it is filled in after the outcome or must not be used")
}

// useless drops fields that cannot tell rows apart.
func (g *guard) useless(column int) bool {
	c := &g.table.Cols[column]
	if c.Kind == Category && len(commonLevels(c, g.rows)) == 0 && g.present(c) > 0 {
		return g.drop(column, "scattered", "every value is too rare to learn from")
	}
	if g.constant(c) {
		return g.drop(column, "constant", "it has the same value in every row")
	}
	return false
}

func (g *guard) present(c *Column) int {
	n := 0
	for _, row := range g.rows {
		if !c.missing(row) {
			n++
		}
	}
	return n
}

func (g *guard) constant(c *Column) bool {
	first := g.rows[0]
	for _, row := range g.rows {
		if c.missing(row) != c.missing(first) {
			return false
		}
		if c.missing(row) {
			continue
		}
		if c.Kind == Number && c.Numbers[row] != c.Numbers[first] || c.Kind == Category && c.Codes[row] != c.Codes[first] {
			return false
		}
	}
	return true
}

// clock drops fields that are nearly a function of time: market series, counters, dates, the calendar month. A model
// that sees one learns "it was a good month" and meets, when it scores, only months it has never seen.
func (g *guard) clock(column int) bool {
	c := &g.table.Cols[column]
	if g.opts.Exchangeable || g.opts.KeepClocks {
		return false
	}
	share := timeShare(c, g.rows)
	if share < driftShare || orderShare(c, g.rows) < clockOrder {
		return false
	}
	if share < clockShare {
		g.warn("drifting_field", c.Name, fmt.Sprintf("%s changes with time: the period of a row explains %.0f %% of it", c.Name, 100*share))
		return false
	}
	return g.drop(column, "clock", fmt.Sprintf("it is a clock: the period of a row explains %.0f %% of it, so it would not hold for new leads", 100*share))
}
