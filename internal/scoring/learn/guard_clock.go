package learn

import (
	"cmp"
	"maps"
	"slices"
)

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
	if n < 50 {
		return 0
	}
	// Short blocks, so that on small tables too they are shorter than the periods a clock goes through.
	blocks := min(400, n/5)
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
