package learn

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// slowAUC compares every conversion with every loss.
func slowAUC(p []float64, y []bool) float64 {
	wins, pairs := 0.0, 0.0
	for i := range p {
		for j := range p {
			if !y[i] || y[j] {
				continue
			}
			pairs++
			switch {
			case p[i] > p[j]:
				wins++
			case p[i] == p[j]:
				wins += 0.5
			}
		}
	}
	return wins / pairs
}

func TestAUCEqualsItsDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 60).Draw(t, "n")
		p, y := make([]float64, n), make([]bool, n)
		for i := range n {
			p[i] = float64(rapid.IntRange(0, 9).Draw(t, "p")) / 10
			y[i] = rapid.Bool().Draw(t, "y")
		}
		y[0], y[1] = true, false
		if got, want := AUC(p, y), slowAUC(p, y); math.Abs(got-want) > 1e-12 {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestMetricsOnAHandMadeCase(t *testing.T) {
	t.Parallel()
	p := []float64{0.9, 0.8, 0.4, 0.2}
	y := []bool{true, false, true, false}
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	near("auc", AUC(p, y), 0.75)
	near("average precision", rank(p, y).averagePrecision(), (1+2.0/3)/2)
	near("log-loss", LogLoss(p, y), -(math.Log(0.9)+math.Log(0.2)+math.Log(0.4)+math.Log(0.8))/4)
	near("brier", brier(p, y), (0.01+0.64+0.36+0.04)/4)
	lift := rank(p, y).lift(0.25)
	near("lift", lift.Lift, 2)
	near("captured", lift.Captured, 0.5)
	if !math.IsNaN(AUC(p, []bool{true, true, true, true})) {
		t.Error("AUC of one class is a number")
	}
}

func TestTiesShareTheirPrecision(t *testing.T) {
	t.Parallel()
	forwards := rank([]float64{0.5, 0.5}, []bool{true, false}).averagePrecision()
	backwards := rank([]float64{0.5, 0.5}, []bool{false, true}).averagePrecision()
	if forwards != backwards || forwards != 0.5 {
		t.Errorf("average precision depends on the order of ties: %v and %v", forwards, backwards)
	}
}

func TestJudgeOfCalibratedPredictions(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	n := 20_000
	p, y := make([]float64, n), make([]bool, n)
	for i := range n {
		p[i] = 0.5 * rng.Float64()
		y[i] = rng.Float64() < p[i]
	}
	r := Judge(p, y, 1)
	m := r.Metrics
	if m.ECE > 0.015 || m.LogLoss >= m.BaseLogLoss || !(m.AUCLow < m.AUC && m.AUC < m.AUCHigh) || m.AUCHigh-m.AUCLow > 0.03 {
		t.Errorf("metrics of perfectly calibrated predictions: %+v", m)
	}
	if len(r.Calibration) != 10 || len(r.Lift) != 3 {
		t.Fatalf("%d bins and %d lift rows", len(r.Calibration), len(r.Lift))
	}
	count := 0
	for i, bin := range r.Calibration {
		count += bin.Count
		if bin.Low > bin.Observed || bin.High < bin.Observed || i > 0 && bin.Predicted < r.Calibration[i-1].Predicted {
			t.Errorf("bin %d: %+v", i, bin)
		}
	}
	if count != n {
		t.Errorf("bins hold %d of %d rows", count, n)
	}
}

func TestJudgeOfNothingAndOneClass(t *testing.T) {
	t.Parallel()
	if r := Judge(nil, nil, 1); r.Metrics.AUC != 0.5 {
		t.Errorf("nothing: %+v", r.Metrics)
	}
	r := Judge([]float64{0.1, 0.2}, []bool{false, false}, 1)
	if r.Metrics.AUC != 0.5 || len(r.Warnings) != 1 || r.Warnings[0].Code != "one_class_holdout" {
		t.Errorf("one class: %+v, %v", r.Metrics, r.Warnings)
	}
}

func TestCalibrateRecoversPlatt(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	z, y := make([]float64, 30_000), make([]bool, 30_000)
	for i := range z {
		z[i] = 2 * rng.NormFloat64()
		y[i] = rng.Float64() < sigmoid(0.6*z[i]-0.9)
	}
	c := calibrate(z, y)
	if math.Abs(c.A-0.6) > 0.03 || math.Abs(c.B+0.9) > 0.06 {
		t.Errorf("got %+v, want a 0.6 and b -0.9", c)
	}
	if b := levelOf(0.6, z, y); math.Abs(b+0.9) > 0.06 {
		t.Errorf("level %v, want -0.9", b)
	}
}

func TestCalibrateNeverReversesTheRanking(t *testing.T) {
	t.Parallel()
	z, y := make([]float64, 400), make([]bool, 400)
	for i := range z {
		z[i] = float64(i-200) / 50
		y[i] = i < 200
	}
	if c := calibrate(z, y); c.A < leastSlope {
		t.Errorf("slope %v", c.A)
	}
	if c := calibrate(z, make([]bool, 400)); c != (Calibration{A: 1}) {
		t.Errorf("without conversions: %+v", c)
	}
}

func TestGrades(t *testing.T) {
	t.Parallel()
	for p, want := range map[float64]int{-1: 0, 0: 0, 0.004: 0, 0.005: 1, 0.5: 50, 0.996: 100, 2: 100} {
		if got := Score(p); got != want {
			t.Errorf("score of %v is %d, want %d", p, got, want)
		}
	}
	var p []float64
	for i := range 100 {
		p = append(p, float64(i)/1000)
	}
	counts := map[string]int{}
	bands := bandsOf(p)
	for _, v := range p {
		counts[bands.Grade(v)]++
	}
	if counts["A"] != 10 || counts["B"] != 20 || counts["C"] != 30 || counts["D"] != 40 {
		t.Errorf("grades %v", counts)
	}
	if (Bands{}).Grade(0.8) != "A" || (Bands{}).Grade(0.3) != "C" {
		t.Error("without bands the fixed ones do not serve")
	}
	if ModelGrade(0.85)+ModelGrade(0.75)+ModelGrade(0.65)+ModelGrade(0.5) != "ABCD" {
		t.Error("model grades are off")
	}
}
