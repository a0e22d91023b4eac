package ridge

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// makeDesign has two numbers and two choices of three slots each, the second sometimes absent.
func makeDesign(n int, seed uint64) (*Design, []bool) {
	rng := rand.New(rand.NewPCG(seed, 2))
	d := &Design{Numbers: 2, Choices: 2, Width: 8}
	labels := make([]bool, n)
	for i := range n {
		a, b := rng.NormFloat64(), rng.NormFloat64()
		first, second := int32(2+rng.IntN(3)), int32(5+rng.IntN(3))
		if rng.IntN(4) == 0 {
			second = -1
		}
		d.Numeric = append(d.Numeric, float32(a), float32(b))
		d.Slots = append(d.Slots, first, second)
		z := -1 + 0.8*a - 0.5*b
		if first == 3 {
			z++
		}
		labels[i] = rng.Float64() < 1/(1+math.Exp(-z))
	}
	return d, labels
}

// TestFitReachesTheOptimum checks the first-order condition, with the gradient computed the slow way.
func TestFitReachesTheOptimum(t *testing.T) {
	t.Parallel()
	for _, n := range []int{40, 3000} {
		d, labels := makeDesign(n, uint64(n))
		const c = 0.1
		w, err := Fit(context.Background(), d, labels, c)
		if err != nil {
			t.Fatal(err)
		}
		for column, g := range slowGradient(d, labels, w, c) {
			if math.Abs(g) > 1e-3 {
				t.Errorf("%d rows: gradient of column %d is %g", n, column, g)
			}
		}
	}
}

func slowGradient(d *Design, labels []bool, w *Weights, c float64) []float64 {
	gradient := make([]float64, d.Width+1)
	for j := range d.Width {
		gradient[j] = w.Columns[j] / c
	}
	for i, y := range labels {
		x := make([]float64, d.Width+1)
		x[d.Width] = 1
		z := w.Intercept
		for j := range d.Numbers {
			x[j] = float64(d.Numeric[i*d.Numbers+j])
		}
		for _, slot := range d.Slots[i*d.Choices : (i+1)*d.Choices] {
			if slot >= 0 {
				x[slot] = 1
			}
		}
		for j := range d.Width {
			z += x[j] * w.Columns[j]
		}
		residual := 1 / (1 + math.Exp(-z))
		if y {
			residual--
		}
		for j := range x {
			gradient[j] += residual * x[j]
		}
	}
	return gradient
}

func TestFitRecoversEffects(t *testing.T) {
	t.Parallel()
	d, labels := makeDesign(20_000, 9)
	w, err := Fit(context.Background(), d, labels, 1)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(w.Columns[0]-0.8) > 0.08 || math.Abs(w.Columns[1]+0.5) > 0.08 {
		t.Errorf("number weights %.3f and %.3f, want 0.8 and -0.5", w.Columns[0], w.Columns[1])
	}
	if gap := w.Columns[3] - w.Columns[2]; math.Abs(gap-1) > 0.12 {
		t.Errorf("level 3 is %.3f above level 2, want 1", gap)
	}
}

// TestFitSurvivesSeparableData: without the penalty the weights would run off to infinity.
func TestFitSurvivesSeparableData(t *testing.T) {
	t.Parallel()
	d := &Design{Numbers: 1, Choices: 1, Width: 3}
	var labels []bool
	for i := range 200 {
		d.Numeric = append(d.Numeric, float32(i-100)*1000)
		d.Slots = append(d.Slots, int32(1+i%2))
		labels = append(labels, i >= 100)
	}
	w, err := Fit(context.Background(), d, labels, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range append(w.Columns, w.Intercept) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Fatalf("weights %v, intercept %v", w.Columns, w.Intercept)
		}
	}
}

func TestFitWithOneOutcomeStaysFinite(t *testing.T) {
	t.Parallel()
	d, labels := makeDesign(100, 3)
	clear(labels)
	w, err := Fit(context.Background(), d, labels, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	if !(w.Intercept < -3) || math.IsInf(w.Intercept, 0) {
		t.Errorf("intercept %g", w.Intercept)
	}
}

func TestFitStopsWithContext(t *testing.T) {
	t.Parallel()
	d, labels := makeDesign(100, 4)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Fit(ctx, d, labels, 0.1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
