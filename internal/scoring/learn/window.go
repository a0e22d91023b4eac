package learn

import (
	"slices"
	"sort"
	"time"
)

// Window is how much of the past a model learns from. Old outcomes may mislead when the market, the product or the
// sources have changed; too few recent ones are noise. Which matters more is a question for the data.
type Window struct {
	Name string `json:"name"` // all, 12_months, 6_months, latest_half, latest_quarter
	// Months back from the last row, or Share of the rows, whichever is set; neither means all.
	Months int     `json:"months,omitempty"`
	Share  float64 `json:"share,omitempty"`
}

var (
	everything  = Window{Name: "all"}
	byTime      = [...]Window{{Name: "12_months", Months: 12}, {Name: "6_months", Months: 6}}
	byRows      = [...]Window{{Name: "latest_half", Share: 0.5}, {Name: "latest_quarter", Share: 0.25}}
	realSpread  = 9 * 30 * 24 * time.Hour // below this, months say nothing and shares of rows are tried
	leastCut    = 0.1                     // a window that leaves out less than this is no alternative
	windowLeast = 100                     // outcomes of each kind that a shorter window must keep
)

// rows returns the part of rows, which are in time order, that lies in the window.
func (w Window) rows(t *Table, rows []int32) []int32 {
	n := len(rows)
	if n == 0 {
		return rows
	}
	if w.Share > 0 {
		return rows[n-int(w.Share*float64(n)):]
	}
	if w.Months > 0 {
		since := t.Times[rows[n-1]].AddDate(0, -w.Months, 0)
		return rows[sort.Search(n, func(i int) bool { return t.Times[rows[i]].After(since) }):]
	}
	return rows
}

// windows lists the windows worth trying on the given rows, "all" first.
func windows(t *Table, rows []int32, opts *Options) []Window {
	out := []Window{everything}
	if opts.Exchangeable {
		return out
	}
	shorter := byRows[:]
	if t.Times[rows[len(rows)-1]].Sub(t.Times[rows[0]]) >= realSpread {
		shorter = byTime[:]
	}
	for _, w := range shorter {
		part := w.rows(t, rows)
		won := positives(t.Labels, part)
		if float64(len(part)) <= (1-leastCut)*float64(len(rows)) && min(won, len(part)-won) >= windowLeast {
			out = append(out, w)
		}
	}
	return permitted(out, opts.Windows)
}

func permitted(all []Window, names []string) []Window {
	if names == nil {
		return all
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(w Window) bool { return !slices.Contains(names, w.Name) })
	if len(kept) == 0 {
		return all[:1]
	}
	return kept
}
