package onnx

import (
	"fmt"
	"math"
)

// Tolerance is how far two evaluators of one model may differ in probability.
const Tolerance = 1e-5

// gateBatch bounds the memory of one comparison step.
const gateBatch = 1024

// Verify scores n rows, held one after another in batch, and compares them with what reference gives for each row. It
// returns an error that matches [ErrMismatch] when any differs by more than [Tolerance] or is not a number: a model
// that fails must not be put to use.
func Verify(s *Session, batch []float32, n int, reference func(row []float32) float64) error {
	if n <= 0 || len(batch)%n != 0 {
		return fmt.Errorf("verify model: %d numbers do not make %d rows", len(batch), n)
	}
	width := len(batch) / n
	for from := 0; from < n; from += gateBatch {
		to := min(n, from+gateBatch)
		part := batch[from*width : to*width]
		got, err := s.Run(part, to-from)
		if err != nil {
			return fmt.Errorf("verify model: %w", err)
		}
		for i, p := range got {
			want := reference(part[i*width : (i+1)*width])
			if !(math.Abs(float64(p)-want) <= Tolerance) {
				return fmt.Errorf("%w: row %d scores %g, expected %g", ErrMismatch, from+i, p, want)
			}
		}
	}
	return nil
}
