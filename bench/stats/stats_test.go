package stats_test

import (
	"math"
	"testing"
	"time"

	"crm/bench/stats"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		values []float64
		q      float64
		want   float64
	}{
		{[]float64{3}, 0.5, 3},
		{[]float64{4, 1, 3}, 0.5, 3},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{5, 1, 2, 3, 4}, 0, 1},
		{[]float64{5, 1, 2, 3, 4}, 1, 5},
		{[]float64{0, 10}, 0.25, 2.5},
	}
	for _, tt := range tests {
		if got := stats.Quantile(tt.values, tt.q); got != tt.want {
			t.Errorf("Quantile(%v, %v) = %v, want %v", tt.values, tt.q, got, tt.want)
		}
	}
	if !math.IsNaN(stats.Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestQuantileLeavesItsArgumentAlone(t *testing.T) {
	t.Parallel()
	values := []float64{3, 1, 2}
	stats.Median(values)
	if values[0] != 3 || values[1] != 1 {
		t.Errorf("sorted in place: %v", values)
	}
}

// One disturbed round must not move the ratio, although it moves the medians' ratio.
func TestRatioIsTakenInsideRounds(t *testing.T) {
	t.Parallel()
	ours, theirs := []float64{10, 20, 5}, []float64{20, 40, 10}
	if got := stats.Ratio(ours, theirs); got != 0.5 {
		t.Errorf("ratio %v", got)
	}
	if got := stats.Ratio([]float64{1, 8}, []float64{0, 4}); got != 2 {
		t.Errorf("a round without a peer counts: %v", got)
	}
	if !math.IsNaN(stats.Ratio(nil, theirs)) {
		t.Error("the ratio of nothing is a number")
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	if low, high := stats.Spread([]float64{2, 9, 4}); low != 2 || high != 9 {
		t.Errorf("%v to %v", low, high)
	}
}

func TestPercentileIsATimeThatWasMeasured(t *testing.T) {
	t.Parallel()
	var times []time.Duration
	for i := 100; i > 0; i-- {
		times = append(times, time.Duration(i)*time.Millisecond)
	}
	for q, want := range map[float64]float64{0.5: 50, 0.95: 95, 0.99: 99, 1: 100, 0: 1} {
		if got := stats.Percentile(times, q); got != want {
			t.Errorf("p%v = %v ms, want %v", q*100, got, want)
		}
	}
	if got := stats.Percentile(times[:1], 0.99); got != 100 {
		t.Errorf("p99 of one time: %v", got)
	}
	if !math.IsNaN(stats.Percentile(nil, 0.5)) {
		t.Error("the median of no times is a number")
	}
}
