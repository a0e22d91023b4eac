package learn

import "math"

const (
	// slopePrior pulls the slope towards 1 as strongly as a few conversions would: short histories keep their ranking's
	// spread, long ones speak for themselves.
	slopePrior = 5.0
	levelPrior = 5.0
	// The slope stays within bounds that never reverse or flatten the ranking.
	leastSlope = 0.1
	mostSlope  = 3.0
)

// calibrate fits a and b of a·z + b by penalised logistic regression of outcomes on log-odds z. Without outcomes of
// both kinds it returns the identity.
func calibrate(z []float64, labels []bool) Calibration {
	c := Calibration{A: 1}
	if n := positives(labels, span(0, len(labels))); n == 0 || n == len(labels) {
		return c
	}
	for range 50 {
		step := plattStep(c, z, labels)
		c.A -= step.A
		c.B -= step.B
		if math.Abs(step.A)+math.Abs(step.B) < 1e-9 {
			break
		}
	}
	if c.A >= leastSlope && c.A <= mostSlope {
		return c
	}
	c.A = min(max(c.A, leastSlope), mostSlope)
	return Calibration{A: c.A, B: levelOf(c.A, z, labels)}
}

// plattStep is one Newton step, limited in length because the first may overshoot.
func plattStep(c Calibration, z []float64, labels []bool) Calibration {
	ga, gb := slopePrior*(c.A-1), 0.0
	haa, hab, hbb := slopePrior, 0.0, 1e-9
	for i, v := range z {
		p := sigmoid(c.A*v + c.B)
		r, w := p, p*(1-p)
		if labels[i] {
			r--
		}
		ga, gb = ga+r*v, gb+r
		haa, hab, hbb = haa+w*v*v, hab+w*v, hbb+w
	}
	det := haa*hbb - hab*hab
	step := Calibration{A: (hbb*ga - hab*gb) / det, B: (haa*gb - hab*ga) / det}
	if length := math.Hypot(step.A, step.B); length > 2 {
		step.A, step.B = step.A*2/length, step.B*2/length
	}
	return step
}

// levelOf finds the b for a fixed slope at which mean prediction and observed rate agree, pulled towards 0 as weakly as
// the slope is towards 1: eight conversions move it half-way, hundreds almost all the way. Bisection, since the left
// side only grows with b.
func levelOf(a float64, z []float64, labels []bool) float64 {
	won := float64(positives(labels, span(0, len(labels))))
	low, high := -30.0, 30.0
	for range 60 {
		b := (low + high) / 2
		excess := levelPrior*b - won
		for _, v := range z {
			excess += sigmoid(a*v + b)
		}
		if excess < 0 {
			low = b
		} else {
			high = b
		}
	}
	return (low + high) / 2
}
