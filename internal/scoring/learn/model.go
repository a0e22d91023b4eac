package learn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"crm/internal/scoring/learn/gbdt"
)

const modelFormat = 1

// ErrModel says that a stored model cannot be used.
var ErrModel = errors.New("the stored model is damaged or from another version of the program; train it again")

// Model is a trained scorer: a ridge logistic regression, boosted trees when there were enough conversions, and two
// calibration constants. It is read-only after training and safe for concurrent use.
//
// The same model leaves this package in two forms: JSON, read back by [ReadModel] and evaluated in Go, and ONNX, written
// by [Model.ONNX]. Both give the same probabilities to within 1e-5.
type Model struct {
	Format int          `json:"format"`
	Layout *Layout      `json:"layout"`
	Linear Linear       `json:"linear"`
	Forest *gbdt.Forest `json:"forest,omitempty"`
	// TreeShare is the trees' weight in the blend, 0 without trees; the ridge has the rest.
	TreeShare   float64     `json:"tree_share"`
	Calibration Calibration `json:"calibration"`
	Bands       Bands       `json:"bands"`
}

// Linear is the ridge in vector form, one entry per slot. A slot's value is filled with Mean when missing, clipped to
// Low … High (what training saw, so that one absurd number cannot swing a score), centred and scaled, then weighted.
// Absent is added when the slot is missing. Background and AbsentRate are training means, the zero of explanations.
type Linear struct {
	Intercept  float32   `json:"intercept"`
	Mean       []float32 `json:"mean"`
	Scale      []float32 `json:"scale"`
	Low        []float32 `json:"low"`
	High       []float32 `json:"high"`
	Weight     []float32 `json:"weight"`
	Absent     []float32 `json:"absent"`
	Background []float32 `json:"background"`
	AbsentRate []float32 `json:"absent_rate"`
}

// Calibration maps the blend's log-odds z to a·z + b (Platt scaling).
type Calibration struct {
	A float64 `json:"a"`
	B float64 `json:"b"`
}

// scaled is the centred, scaled value of a slot. It works in float32 step by step as the ONNX graph does, so that both
// round alike even for large numbers.
func (l *Linear) scaled(slot int, v float32) float32 {
	if v != v {
		v = l.Mean[slot]
	}
	v = min(max(v, l.Low[slot]), l.High[slot])
	v -= l.Mean[slot]
	return v * l.Scale[slot]
}

func (l *Linear) logit(x []float32) float64 {
	sum := float64(l.Intercept)
	for i, v := range x {
		if v == 0 && l.Scale[i] == 1 && l.Mean[i] == 0 {
			continue // an unset level: most of the vector
		}
		if v != v {
			sum += float64(l.Absent[i])
		}
		sum += float64(l.scaled(i, v)) * float64(l.Weight[i])
	}
	return sum
}

// expected is the ridge's log-odds of the average training row.
func (l *Linear) expected() float64 {
	sum := float64(l.Intercept)
	for i, w := range l.Weight {
		sum += float64(w)*float64(l.Background[i]) + float64(l.Absent[i])*float64(l.AbsentRate[i])
	}
	return sum
}

// blend is the weighted mean of the parts' log-odds before calibration.
func (m *Model) blend(x []float32) float64 {
	z := m.Linear.logit(x)
	if m.Forest == nil {
		return z
	}
	return mix(m.TreeShare, z, m.Forest.Logit(x))
}

func mix(treeShare, ridge, trees float64) float64 { return (1-treeShare)*ridge + treeShare*trees }

// Logit returns the calibrated log-odds of an encoded vector of Layout.Width entries.
func (m *Model) Logit(x []float32) float64 { return m.Calibration.A*m.blend(x) + m.Calibration.B }

// Probability returns the chance of conversion, 0 to 1, of an encoded vector of Layout.Width entries.
func (m *Model) Probability(x []float32) float64 { return sigmoid(m.Logit(x)) }

// Marshal returns the model as JSON, for [ReadModel].
func (m *Model) Marshal() ([]byte, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write model: %w", err)
	}
	return data, nil
}

// ReadModel reads a model written by Marshal and verifies that it can be evaluated without failing.
func ReadModel(data []byte) (*Model, error) {
	var m Model
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	return &m, nil
}

func (m *Model) check() error {
	if m.Format != modelFormat {
		return fmt.Errorf("format %d, this program reads %d", m.Format, modelFormat)
	}
	if m.Layout == nil || m.Layout.index == nil {
		return errors.New("it has no layout")
	}
	l := &m.Linear
	for _, part := range [][]float32{l.Mean, l.Scale, l.Low, l.High, l.Weight, l.Absent, l.Background, l.AbsentRate} {
		if len(part) != m.Layout.Width {
			return fmt.Errorf("a part has %d entries for a vector of %d", len(part), m.Layout.Width)
		}
	}
	if m.Forest == nil {
		return nil
	}
	if !(m.TreeShare >= 0 && m.TreeShare <= 1) {
		return fmt.Errorf("the trees' share is %g", m.TreeShare)
	}
	return m.Forest.Check(m.Layout.Width, len(m.Layout.Fields))
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
