package gbdt

// minGain keeps splits that only fit rounding noise out of the tree.
const minGain = 1e-4

// noMass is the hessian below which a bin counts as empty: histogram subtraction leaves rounding behind.
const noMass = 1e-6

// best looks through the histograms of the sampled columns; a gain of zero means "leave it a leaf".
func (w *grower) best(f frontier) split {
	var found split
	if f.sum.h < 2*w.params.MinHessian {
		return found
	}
	for _, c := range w.columns {
		feature := &w.data.Features[c]
		hist := f.hist[w.offsets[c] : w.offsets[c]+feature.bins()]
		if feature.Levels > 0 {
			w.bestLevel(&found, c, hist, f.sum)
		} else {
			w.bestCut(&found, c, hist, f.sum)
		}
	}
	return found
}

// bestLevel tries each level against all others.
func (w *grower) bestLevel(found *split, feature int, hist []cell, sum cell) {
	for level, right := range hist {
		left := cell{sum.g - right.g, sum.h - right.h}
		w.offer(found, split{feature: feature, bin: uint8(level), left: left, right: right}, sum)
	}
}

// bestCut tries each cut of a number with the missing values on either side.
func (w *grower) bestCut(found *split, feature int, hist []cell, sum cell) {
	missing := hist[0]
	var left cell
	for bin := 1; bin < len(hist)-1; bin++ {
		left.g += hist[bin].g
		left.h += hist[bin].h
		right := cell{sum.g - left.g - missing.g, sum.h - left.h - missing.h}
		s := split{feature: feature, bin: uint8(bin), left: left, right: right}
		if missing.h <= noMass {
			// Nothing is missing here: a value missing later follows the larger side.
			s.missingLeft = left.h >= right.h
			w.offer(found, s, sum)
			continue
		}
		s.right = cell{right.g + missing.g, right.h + missing.h}
		w.offer(found, s, sum)
		s.left, s.right, s.missingLeft = cell{left.g + missing.g, left.h + missing.h}, right, true
		w.offer(found, s, sum)
	}
	w.bestMissing(found, feature, len(hist), missing, sum)
}

// bestMissing tries "has a value" against "has none": the cut above all values.
func (w *grower) bestMissing(found *split, feature, bins int, missing, sum cell) {
	if missing.h <= noMass {
		return
	}
	left := cell{sum.g - missing.g, sum.h - missing.h}
	w.offer(found, split{feature: feature, bin: uint8(bins - 1), left: left, right: missing}, sum)
}

func (w *grower) offer(found *split, s split, sum cell) {
	least := w.params.MinHessian
	if s.left.h < least || s.right.h < least {
		return
	}
	s.gain = w.score(s.left) + w.score(s.right) - w.score(sum)
	if s.gain > minGain && s.gain > found.gain {
		*found = s
	}
}

func (w *grower) score(c cell) float64 { return c.g * c.g / (c.h + w.params.Lambda) }
