package learn

import (
	"math"
	"math/rand/v2"
	"slices"
)

// ranking is a set of predictions sorted from the most to the least likely, cut into groups of equal prediction.
type ranking struct {
	order  []int32 // prediction indexes, best first
	ends   []int   // end of each group of ties in order
	labels []bool
}

func rank(predictions []float64, labels []bool) *ranking {
	r := &ranking{order: span(0, len(predictions)), labels: labels}
	slices.SortStableFunc(r.order, func(a, b int32) int {
		switch pa, pb := predictions[a], predictions[b]; {
		case pa > pb:
			return -1
		case pa < pb:
			return 1
		}
		return 0
	})
	for i := 1; i <= len(r.order); i++ {
		if i == len(r.order) || predictions[r.order[i]] != predictions[r.order[i-1]] {
			r.ends = append(r.ends, i)
		}
	}
	return r
}

// auc is the chance that a random conversion is ranked above a random loss, ties counting half. weights, when given,
// says how often each prediction counts. It is NaN when either class is absent.
func (r *ranking) auc(weights []float64) float64 {
	var above, below, area float64
	start := 0
	for _, end := range r.ends {
		var up, down float64
		for _, i := range r.order[start:end] {
			w := 1.0
			if weights != nil {
				w = weights[i]
			}
			if r.labels[i] {
				up += w
			} else {
				down += w
			}
		}
		area += down * (above + up/2)
		above += up
		below += down
		start = end
	}
	return area / (above * below)
}

// averagePrecision is the precision at each conversion, averaged; predictions that tie share one precision.
func (r *ranking) averagePrecision() float64 {
	var hits, sum float64
	start := 0
	for _, end := range r.ends {
		up := 0.0
		for _, i := range r.order[start:end] {
			if r.labels[i] {
				up++
			}
		}
		hits += up
		sum += up * hits / float64(end)
		start = end
	}
	return sum / hits
}

// AUC is the area under the ROC curve of predictions against outcomes; NaN when all outcomes are alike.
func AUC(predictions []float64, labels []bool) float64 { return rank(predictions, labels).auc(nil) }

// aucInterval is the 95 % percentile bootstrap interval. Each resample draws as many rows with replacement; sorting is
// done once, a resample only changes weights.
func (r *ranking) aucInterval(resamples int, seed uint64) (low, high float64) {
	rng := rand.New(rand.NewPCG(seed, 0xa0c))
	n := len(r.labels)
	weights := make([]float64, n)
	var drawn []float64
	for range resamples {
		clear(weights)
		for range n {
			weights[rng.IntN(n)]++
		}
		if a := r.auc(weights); !math.IsNaN(a) {
			drawn = append(drawn, a)
		}
	}
	if len(drawn) == 0 {
		return 0, 1
	}
	slices.Sort(drawn)
	return drawn[len(drawn)*25/1000], drawn[min(len(drawn)-1, len(drawn)*975/1000)]
}

// LogLoss is the mean negative log-likelihood; probabilities are kept 1e-9 away from 0 and 1.
func LogLoss(predictions []float64, labels []bool) float64 {
	sum := 0.0
	for i, p := range predictions {
		p = min(max(p, 1e-9), 1-1e-9)
		if !labels[i] {
			p = 1 - p
		}
		sum -= math.Log(p)
	}
	return sum / float64(len(predictions))
}

func brier(predictions []float64, labels []bool) float64 {
	sum := 0.0
	for i, p := range predictions {
		if labels[i] {
			p = 1 - p
		}
		sum += p * p
	}
	return sum / float64(len(predictions))
}

// calibration cuts the ranking into equal-count bins, least likely first, and compares predicted with observed.
func (r *ranking) calibration(predictions []float64, bins int) []CalibrationBin {
	n := len(r.order)
	bins = min(bins, n)
	out := make([]CalibrationBin, 0, bins)
	for b := range bins {
		from, to := n-(b+1)*n/bins, n-b*n/bins
		out = append(out, r.bin(predictions, from, to))
	}
	return out
}

func (r *ranking) bin(predictions []float64, from, to int) CalibrationBin {
	bin := CalibrationBin{Count: to - from, From: 1}
	hits := 0
	for _, i := range r.order[from:to] {
		p := predictions[i]
		bin.Predicted += p
		bin.From, bin.To = min(bin.From, p), max(bin.To, p)
		if r.labels[i] {
			hits++
		}
	}
	bin.Predicted /= float64(bin.Count)
	bin.Observed = float64(hits) / float64(bin.Count)
	bin.Low, bin.High = wilson(hits, bin.Count)
	return bin
}

// wilson is the 95 % interval of a rate; unlike the textbook one it behaves for few rows and rates near 0 or 1.
func wilson(hits, n int) (low, high float64) {
	const z = 1.96
	rate, count := float64(hits)/float64(n), float64(n)
	centre := rate + z*z/(2*count)
	reach := z * math.Sqrt(rate*(1-rate)/count+z*z/(4*count*count))
	scale := 1 + z*z/count
	return max(0, (centre-reach)/scale), min(1, (centre+reach)/scale)
}

// ece is the expected calibration error: |predicted − observed| over the bins, weighted by their counts.
func ece(bins []CalibrationBin) float64 {
	sum, n := 0.0, 0
	for _, b := range bins {
		sum += math.Abs(b.Predicted-b.Observed) * float64(b.Count)
		n += b.Count
	}
	return sum / float64(max(n, 1))
}

// lift tells how much richer in conversions the best share of leads is than all leads.
func (r *ranking) lift(share float64) LiftRow {
	n := len(r.order)
	top := max(1, int(math.Round(share*float64(n))))
	hits, all := 0, 0
	for at, i := range r.order {
		if !r.labels[i] {
			continue
		}
		all++
		if at < top {
			hits++
		}
	}
	row := LiftRow{Share: share, Count: top, Rate: float64(hits) / float64(top)}
	if all > 0 {
		row.Captured = float64(hits) / float64(all)
		row.Lift = row.Rate * float64(n) / float64(all)
	}
	return row
}
