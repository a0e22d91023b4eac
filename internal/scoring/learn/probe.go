package learn

import (
	"math"
	"math/rand/v2"
)

// Probes returns n made-up but valid encoded vectors, one after another, for comparing two evaluators of the model.
// They are drawn from the layout and the clip ranges, so a gate at load time needs no stored leads. Numbers go a little
// beyond their range and are missing now and then, and tree thresholds are hit exactly, where evaluators disagree first.
func (m *Model) Probes(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 0x9c0be))
	thresholds := m.thresholds()
	flat := make([]float32, n*m.Layout.Width)
	for i := range n {
		x := flat[i*m.Layout.Width : (i+1)*m.Layout.Width]
		for j := range m.Layout.Fields {
			f := &m.Layout.Fields[j]
			if f.Kind == Category {
				x[f.Offset+rng.IntN(f.slots())] = 1
				continue
			}
			x[f.Offset] = m.probe(rng, f.Offset, thresholds[f.Offset])
		}
	}
	return flat
}

func (m *Model) probe(rng *rand.Rand, slot int, thresholds []float32) float32 {
	switch kind := rng.IntN(8); {
	case kind == 0:
		return float32(math.NaN())
	case kind < 3 && len(thresholds) > 0:
		return thresholds[rng.IntN(len(thresholds))]
	}
	low, high := float64(m.Linear.Low[slot]), float64(m.Linear.High[slot])
	return float32(low + (high-low)*(1.2*rng.Float64()-0.1))
}

// thresholds lists what the trees compare each slot with.
func (m *Model) thresholds() map[int][]float32 {
	out := make(map[int][]float32)
	if m.Forest == nil {
		return out
	}
	for _, tree := range m.Forest.Trees {
		for i := range tree {
			if n := &tree[i]; !n.Leaf() && n.Threshold < math.MaxFloat32 {
				out[int(n.Slot)] = append(out[int(n.Slot)], n.Threshold)
			}
		}
	}
	return out
}
