package learn

import (
	"math"
	"slices"
)

// Score turns a probability into the 0–100 that people see.
func Score(p float64) int { return int(math.Round(100 * min(max(p, 0), 1))) }

// Grade puts a score into the fixed bands 75, 50 and 25. Where few leads convert hardly any reaches an A that way;
// [Bands] grades against the tenant's own leads instead.
func Grade(score int) string {
	switch {
	case score >= 75:
		return "A"
	case score >= 50:
		return "B"
	case score >= 25:
		return "C"
	}
	return "D"
}

// ModelGrade says in a letter how well a model ranks, by its holdout AUC.
func ModelGrade(auc float64) string {
	switch {
	case auc >= 0.80:
		return "A"
	case auc >= 0.70:
		return "B"
	case auc >= 0.60:
		return "C"
	}
	return "D"
}

// Bands are the least probabilities of grades A, B and C. They are set so that among the held-out leads the best tenth
// got an A, the next fifth a B and the next three tenths a C.
type Bands struct {
	A float64 `json:"a"`
	B float64 `json:"b"`
	C float64 `json:"c"`
}

// Grade returns A, B, C or D for a probability; the fixed bands serve when the model has none.
func (b Bands) Grade(p float64) string {
	switch {
	case b == Bands{}:
		return Grade(Score(p))
	case p >= b.A:
		return "A"
	case p >= b.B:
		return "B"
	case p >= b.C:
		return "C"
	}
	return "D"
}

func bandsOf(predictions []float64) Bands {
	sorted := slices.Clone(predictions)
	slices.Sort(sorted)
	at := func(top float64) float64 {
		if len(sorted) == 0 {
			return 0
		}
		return sorted[max(0, len(sorted)-max(1, int(top*float64(len(sorted)))))]
	}
	return Bands{A: at(0.1), B: at(0.3), C: at(0.6)}
}
