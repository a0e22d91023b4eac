package learn

import (
	"cmp"
	"math"
	"slices"
)

// Contribution is how far one field moved a prediction away from the average lead, in log-odds. Positive effects speak
// for conversion.
type Contribution struct {
	Field  string  `json:"field"`
	Effect float64 `json:"effect"`
}

// Explanation divides one prediction among its fields: Base plus all effects is the prediction's log-odds, exactly.
type Explanation struct {
	Base          float64        `json:"base"`
	Contributions []Contribution `json:"contributions"`
}

// Explain returns the exact contribution of every field to the log-odds of an encoded vector, the largest first. They
// are Shapley values: for the ridge w·(x − mean), for the trees the path-dependent game, averaged and calibrated like
// the prediction itself. All levels of a field count as one. It costs about 0.1 ms.
func (m *Model) Explain(x []float32) Explanation {
	effects := m.effects(x)
	e := Explanation{Base: m.expected(), Contributions: make([]Contribution, len(effects))}
	for i, effect := range effects {
		e.Contributions[i] = Contribution{Field: m.Layout.Fields[i].Name, Effect: effect}
	}
	slices.SortStableFunc(e.Contributions, func(a, b Contribution) int {
		return cmp.Compare(math.Abs(b.Effect), math.Abs(a.Effect))
	})
	return e
}

// effects are the contributions in layout order.
func (m *Model) effects(x []float32) []float64 {
	effects := make([]float64, len(m.Layout.Fields))
	treeShare := 0.0
	if m.Forest != nil {
		treeShare = m.TreeShare
		m.Forest.Explain(x, effects)
	}
	for i := range effects {
		effects[i] *= treeShare
	}
	l := &m.Linear
	for slot, v := range x {
		effects[m.Layout.owner[slot]] += (1 - treeShare) * l.effect(slot, v)
	}
	for i := range effects {
		effects[i] *= m.Calibration.A
	}
	return effects
}

// effect is a slot's distance from the average row in log-odds.
func (l *Linear) effect(slot int, v float32) float64 {
	absent := -float64(l.AbsentRate[slot])
	if v != v {
		absent++
	}
	away := float64(l.scaled(slot, v)) - float64(l.Background[slot])
	return float64(l.Weight[slot])*away + float64(l.Absent[slot])*absent
}

// expected is the calibrated log-odds with no field known.
func (m *Model) expected() float64 {
	z := m.Linear.expected()
	if m.Forest != nil {
		z = mix(m.TreeShare, z, m.Forest.Expected())
	}
	return m.Calibration.A*z + m.Calibration.B
}
