package record

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestQuickPhoneAgrees compares the short cut with the whole parser on numbers of all
// lengths: what it says must be what the parser says.
func TestQuickPhoneAgrees(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same numbers in every run
	quick := 0
	for range 20_000 {
		s := randomPhone(r)
		got, ok := quickPhone(s)
		if !ok {
			continue
		}
		quick++
		if want, _ := slowPhone(s); got != want {
			t.Fatalf("%q: quick %q, whole parser %q", s, got, want)
		}
	}
	if quick < 5000 {
		t.Errorf("only %d numbers were quick", quick)
	}
}

func randomPhone(r *rand.Rand) string {
	codes := []string{"1", "31", "32", "33", "34", "41", "43", "44", "45", "46", "47", "48", "49", "351", "39", "7", "55", "91"}
	national := ""
	for range 4 + r.IntN(10) {
		national += fmt.Sprint(r.IntN(10))
	}
	if r.IntN(4) == 0 {
		national = "2" + national + "0123456789"
		return []string{national[:10], "(" + national[:3] + ") " + national[3:6] + "-" + national[6:10], national[:3] + "." + national[3:6] + "." + national[6:10], "1" + national[:10]}[r.IntN(4)]
	}
	sep := []string{"", " ", "-"}[r.IntN(3)]
	return "+" + codes[r.IntN(len(codes))] + sep + national[:2] + sep + national[2:]
}

func BenchmarkPhone(b *testing.B) {
	for _, s := range []string{"+49301234567", "+49 30 1234567", "(416) 810-9897", "416-810-9897x752"} {
		b.Run(s, func(b *testing.B) {
			for b.Loop() {
				normalPhone(s)
			}
		})
	}
}
