package learn

import (
	"cmp"
	"fmt"
	"maps"
	"math"
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
	clocks   []int // kept columns that are clocks, when the options keep them
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
	if g.opts.Exchangeable {
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
	if g.opts.Clocks != DropClocks {
		g.clocks = append(g.clocks, column)
		return false
	}
	return g.drop(column, "clock", fmt.Sprintf("it is a clock: the period of a row explains %.0f %% of it, so it would not hold for new leads", 100*share))
}

// timeShare is the part of a field's variation between, not within, blocks of neighbouring rows: 0 for a field that
// has nothing to do with time, 1 for one that time determines. Only rows with a value count, so that a field which was
// introduced half-way is not taken for a clock. The share is corrected for what blocks explain by chance.
func timeShare(c *Column, rows []int32) float64 {
	present := make([]int32, 0, len(rows))
	for _, row := range rows {
		if !c.missing(row) {
			present = append(present, row)
		}
	}
	n := len(present)
	blocks := min(400, n/10)
	if blocks < 4 {
		return 0
	}
	var raw float64
	if c.Kind == Number {
		raw = numericShare(ranks(c, present), blocks)
	} else {
		raw = categoryShare(c, present, blocks)
	}
	chance := float64(blocks-1) / float64(n-1)
	return max(0, (raw-chance)/(1-chance))
}

// orderShare is the part of the rows' order that a field's value explains: near 1 for a counter or a trend, about a
// quarter for the calendar month over two years, 0 for the weekday.
func orderShare(c *Column, rows []int32) float64 {
	type tally struct{ sum, count float64 }
	tallies := make(map[int32]tally)
	groups := groupsOf(c, rows)
	for i, group := range groups {
		if group != 0 {
			t := tallies[group]
			tallies[group] = tally{t.sum + float64(i), t.count + 1}
		}
	}
	var n, sum, squares float64
	for i, group := range groups {
		if group != 0 {
			n, sum, squares = n+1, sum+float64(i), squares+float64(i)*float64(i)
		}
	}
	between := 0.0
	for _, group := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[group]
		d := t.sum/t.count - sum/n
		between += d * d * t.count
	}
	return between / max(squares-sum*sum/n, 1)
}

// ranks are the mid-ranks of a column's values, so that the scale of the field does not matter.
func ranks(c *Column, rows []int32) []float64 {
	order := span(0, len(rows))
	value := func(i int32) float64 { return c.Numbers[rows[i]] }
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(value(a), value(b)) })
	out := make([]float64, len(rows))
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && value(order[to]) == value(order[from]) {
			to++
		}
		for _, i := range order[from:to] {
			out[i] = float64(from+to) / 2
		}
		from = to
	}
	return out
}

// numericShare is the correlation ratio: variance of block means over variance of values.
func numericShare(values []float64, blocks int) float64 {
	n := len(values)
	mean, total, between := 0.0, 0.0, 0.0
	for _, v := range values {
		mean += v / float64(n)
	}
	for _, v := range values {
		total += (v - mean) * (v - mean)
	}
	for b := range blocks {
		part := values[b*n/blocks : (b+1)*n/blocks]
		sum := 0.0
		for _, v := range part {
			sum += v - mean
		}
		between += sum * sum / float64(len(part))
	}
	if total == 0 {
		return 0
	}
	return between / total
}

// categoryShare is Goodman and Kruskal's tau: how much better the block lets one guess the category.
func categoryShare(c *Column, rows []int32, blocks int) float64 {
	n := len(rows)
	overall, within := purity(c, rows), 0.0
	for b := range blocks {
		part := rows[b*n/blocks : (b+1)*n/blocks]
		within += purity(c, part) * float64(len(part)) / float64(n)
	}
	if overall >= 1 {
		return 0
	}
	return (within - overall) / (1 - overall)
}

// purity is the chance that two rows drawn with replacement agree.
func purity(c *Column, rows []int32) float64 {
	counts := make(map[int32]int, 64)
	for _, row := range rows {
		counts[c.Codes[row]]++
	}
	sum, n := 0, len(rows)
	for _, k := range counts {
		sum += k * k
	}
	return float64(sum) / (float64(n) * float64(n))
}

// leak warns of a field that alone nearly tells the outcome.
func (g *guard) leak(column int) {
	c := &g.table.Cols[column]
	a := singleAUC(c, g.table.Labels, g.rows)
	if a <= leakAUC {
		return
	}
	g.warn("possible_leak", c.Name, fmt.Sprintf(
		"possible leak: %s alone predicts the outcome with an AUC of %.3f; if it is filled in after the outcome, leave it out", c.Name, a))
}

// singleAUC measures one field against the outcome. Values are put into groups (levels, or up to 32 quantile ranges,
// plus missing), each scored by its conversion rate among the even rows, and the ranking is judged on the odd rows:
// a field with thousands of values cannot look good by memory.
func singleAUC(c *Column, labels []bool, rows []int32) float64 {
	groups := groupsOf(c, rows)
	type tally struct{ hits, all float64 }
	tallies := make(map[int32]*tally)
	base := float64(positives(labels, rows)) / float64(len(rows))
	for i := 0; i < len(rows); i += 2 {
		t := tallies[groups[i]]
		if t == nil {
			t = &tally{hits: base, all: 1}
			tallies[groups[i]] = t
		}
		t.all++
		if labels[rows[i]] {
			t.hits++
		}
	}
	var predictions []float64
	var outcomes []bool
	for i := 1; i < len(rows); i += 2 {
		p := base
		if t := tallies[groups[i]]; t != nil {
			p = t.hits / t.all
		}
		predictions = append(predictions, p)
		outcomes = append(outcomes, labels[rows[i]])
	}
	a := AUC(predictions, outcomes)
	if math.IsNaN(a) {
		return 0.5
	}
	return a
}

// groupsOf puts each row's value into a group; missing is group 0.
func groupsOf(c *Column, rows []int32) []int32 {
	if c.Kind == Category {
		return pick(c.Codes, rows)
	}
	present := make([]float64, 0, len(rows))
	for _, row := range rows {
		if !c.missing(row) {
			present = append(present, c.Numbers[row])
		}
	}
	slices.Sort(present)
	var edges []float64
	for i := 1; i < 32 && len(present) > 0; i++ {
		edges = append(edges, present[i*len(present)/32])
	}
	edges = slices.Compact(edges)
	groups := make([]int32, len(rows))
	for i, row := range rows {
		if !c.missing(row) {
			at, _ := slices.BinarySearch(edges, c.Numbers[row])
			groups[i] = int32(at + 1)
		}
	}
	return groups
}
