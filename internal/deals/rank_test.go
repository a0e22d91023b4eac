package deals

import (
	"testing"

	"pgregory.net/rapid"
)

func TestBetween(t *testing.T) {
	t.Parallel()
	at := func(f float64) *float64 { return &f }
	tests := []struct {
		above, below *float64
		want         float64
		ok           bool
	}{
		{nil, nil, 0, true},
		{nil, at(0), -spacing, true},
		{at(0), nil, spacing, true},
		{at(0), at(10), 5, true},
		{at(5), at(5), 5, false},
		{at(0), at(closest), closest / 2, false},
	}
	for _, tt := range tests {
		if p, ok := between(tt.above, tt.below); p != tt.want || ok != tt.ok {
			t.Errorf("between(%v, %v) = %v, %v", tt.above, tt.below, p, ok)
		}
	}
}

// Whatever the bounds, spaced positions lie in order inside them, and another card
// fits between any two.
func TestSpaced(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		bound := func(name string, from float64) *float64 {
			if !rapid.Bool().Draw(rt, name+" is there") {
				return nil
			}
			p := rapid.Float64Range(from, from+1e6).Draw(rt, name)
			return &p
		}
		lo := bound("lo", -1e8)
		hi := bound("hi", 1e7)
		n := rapid.IntRange(1, 100).Draw(rt, "n")
		out, ok := spaced(lo, hi, n)
		if !ok {
			rt.Fatalf("no room between %v and %v for %d", lo, hi, n)
		}
		all := out
		if lo != nil {
			all = append([]float64{*lo}, all...)
		}
		if hi != nil {
			all = append(all, *hi)
		}
		for i := 1; i < len(all); i++ {
			if _, fits := between(&all[i-1], &all[i]); !fits {
				rt.Fatalf("no room between %v and %v", all[i-1], all[i])
			}
		}
	})
	p := 1.0
	if _, ok := spaced(&p, &p, 3); ok {
		t.Error("three cards fit between equal bounds")
	}
}
