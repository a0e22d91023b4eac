package learn

import (
	"fmt"
	"math"
	"slices"
)

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
