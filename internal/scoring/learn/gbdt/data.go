package gbdt

import (
	"fmt"
	"slices"
)

// maxCuts leaves room for the missing bin and the open-ended last bin in one byte.
const maxCuts = 254

// cutSample bounds the sorting for quantiles; 65,536 values place 255 cuts well within sampling noise.
const cutSample = 1 << 16

// Feature is one field of the training rows in binned form.
//
// A categorical field (Levels > 0) has bin = level, and its slots in the encoded vector are Offset … Offset+Levels-1.
// A numeric field (Levels == 0) sits in slot Offset; bin 0 is missing, bin i holds Cuts[i-2] < x <= Cuts[i-1].
type Feature struct {
	Offset int
	Levels int
	Cuts   []float32
	Bins   []uint8
}

// Data is the training set: all features have one bin per label.
type Data struct {
	Features []Feature
	Labels   []bool
}

// Cuts returns ascending split points for a numeric field, at most 254, from quantiles of the present values.
// Each lies between two neighbouring values, so a value never seen falls on the side it is closer to.
func Cuts(values []float32) []float32 {
	sorted := sample(values)
	slices.Sort(sorted)
	distinct := slices.Compact(slices.Clone(sorted))
	if len(distinct) <= maxCuts+1 {
		return between(distinct)
	}
	return quantileCuts(sorted)
}

func sample(values []float32) []float32 {
	stride := len(values)/cutSample + 1
	kept := make([]float32, 0, len(values)/stride+1)
	for i := 0; i < len(values); i += stride {
		if v := values[i]; v == v {
			kept = append(kept, v)
		}
	}
	return kept
}

func between(distinct []float32) []float32 {
	var cuts []float32
	for i := 1; i < len(distinct); i++ {
		cuts = append(cuts, middle(distinct[i-1], distinct[i]))
	}
	return cuts
}

// middle is the largest useful split between a < b: it must keep a on the left and b on the right even when the
// rounded mean of two neighbouring floats equals b.
func middle(a, b float32) float32 {
	m := float32((float64(a) + float64(b)) / 2)
	if m >= b {
		return a
	}
	return m
}

func quantileCuts(sorted []float32) []float32 {
	var cuts []float32
	for i := 1; i <= maxCuts; i++ {
		at := i * len(sorted) / (maxCuts + 1)
		if sorted[at-1] == sorted[at] {
			// A run of equal values: cut above the run, once.
			cuts = appendAscending(cuts, sorted[at])
			continue
		}
		cuts = appendAscending(cuts, middle(sorted[at-1], sorted[at]))
	}
	return cuts
}

func appendAscending(cuts []float32, cut float32) []float32 {
	if len(cuts) > 0 && cut <= cuts[len(cuts)-1] {
		return cuts
	}
	return append(cuts, cut)
}

// Bin returns the bin of a numeric value for the given cuts.
func Bin(cuts []float32, value float32) uint8 {
	if value != value {
		return 0
	}
	lo, hi := 0, len(cuts)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if value <= cuts[mid] {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return uint8(lo + 1)
}

// bins is the number of histogram cells the feature needs.
func (f *Feature) bins() int {
	if f.Levels > 0 {
		return f.Levels
	}
	return len(f.Cuts) + 2
}

func (d *Data) check() error {
	for i := range d.Features {
		f := &d.Features[i]
		if len(f.Bins) != len(d.Labels) {
			return fmt.Errorf("feature %d has %d bins for %d rows", i, len(f.Bins), len(d.Labels))
		}
		if f.Levels > 256 || len(f.Cuts) > maxCuts {
			return fmt.Errorf("feature %d has more than 256 bins", i)
		}
	}
	return nil
}
