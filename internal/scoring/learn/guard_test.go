package learn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// guarded has honest fields, a leak, three clocks and two useless fields.
func guarded(t *testing.T, n int) *Table {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	table := NewTable(
		Field{"size", Number}, Field{"source", Category}, Field{"weekday", Category}, Field{"late_field", Number},
		Field{"closed_reason", Category}, Field{"rate_of_the_day", Number}, Field{"record_number", Number}, Field{"month", Category},
		Field{"same", Category}, Field{"email", Category}, Field{"owner", Category},
	)
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		at := start.Add(time.Duration(i) * (700 * 24 * time.Hour / time.Duration(n)))
		won := rng.IntN(5) == 0
		reason := ""
		if !won && rng.IntN(20) > 0 {
			reason = [2]string{"price", "timing"}[rng.IntN(2)]
		}
		late := Missing()
		if i > n/2 {
			late = Num(rng.Float64())
		}
		row := []Value{
			Num(rng.Float64()), Text([3]string{"web", "event", "referral"}[rng.IntN(3)]), Text(at.Weekday().String()), late,
			Text(reason), Num(3 + 2*float64(i)/float64(n) + 0.01*rng.Float64()), Num(float64(i)), Text(at.Month().String()),
			Text("constant"), Text(fmt.Sprintf("a%d@b.test", i)), Text("someone"),
		}
		if i%3 == 0 {
			row[10] = Text("else")
		}
		if err := table.Append(row, won, at); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

func TestGuardFindsClocksLeaksAndUselessFields(t *testing.T) {
	t.Parallel()
	for _, n := range []int{600, 6000} {
		table := guarded(t, n)
		g := inspect(table, span(0, n), &Options{Refuse: []string{"owner"}})
		codes := map[string]string{}
		for _, d := range g.dropped {
			codes[d.Field] = d.Code
			if d.Reason == "" {
				t.Errorf("%s was dropped without a reason", d.Field)
			}
		}
		want := map[string]string{
			"rate_of_the_day": "clock", "record_number": "clock", "month": "clock",
			"same": "constant", "email": "scattered", "owner": "refused",
		}
		for field, code := range want {
			if codes[field] != code {
				t.Errorf("%d rows: %s is %q, want %q", n, field, codes[field], code)
			}
		}
		if len(codes) != len(want) {
			t.Errorf("%d rows: dropped %v", n, codes)
		}
		leaks := slices.DeleteFunc(g.warnings, func(w Warning) bool { return w.Code != "possible_leak" })
		if len(leaks) != 1 || leaks[0].Field != "closed_reason" || !strings.Contains(leaks[0].Text, "possible leak") {
			t.Errorf("%d rows: leak warnings %v", n, leaks)
		}
	}
}

func TestGuardKeepsClocksWhenOrderMeansNothing(t *testing.T) {
	t.Parallel()
	table := guarded(t, 600)
	g := inspect(table, span(0, 600), &Options{Exchangeable: true})
	for _, d := range g.dropped {
		if d.Code == "clock" {
			t.Errorf("%s was dropped as a clock", d.Field)
		}
	}
}
