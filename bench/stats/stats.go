// Package stats holds the few statistics the benchmarks quote.
//
// Medians everywhere, because a machine that does other work produces outliers in one direction only. Ratios are taken
// inside a round, where both sides met the same disturbance, and only then summarised: the ratio of two medians would
// compare rounds that never happened together.
//
// Not for: significance. A spread is given beside a figure so that a reader can see when two of them are not apart.
package stats

import (
	"math"
	"slices"
	"time"
)

// Median is the middle of values, or the mean of the two in the middle; NaN without values.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile interpolates between the two nearest ranks; q is from 0 to 1. It is NaN without values.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// Spread is the least and the greatest value; NaN without values.
func Spread(values []float64) (low, high float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(values), slices.Max(values)
}

// Ratio is the median of ours[i]/theirs[i] over the rounds both have. Rounds whose other side is zero are left out; NaN
// when none remains.
func Ratio(ours, theirs []float64) float64 {
	var ratios []float64
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] != 0 {
			ratios = append(ratios, ours[i]/theirs[i])
		}
	}
	return Median(ratios)
}

// Percentile returns a duration that share q of the times do not exceed (nearest rank, so it is a time that was
// measured), in milliseconds. It is NaN without times.
func Percentile(times []time.Duration, q float64) float64 {
	if len(times) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(times))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return Millis(sorted[min(max(rank, 0), len(sorted)-1)])
}

// Millis is a duration in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
