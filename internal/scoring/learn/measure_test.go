package learn_test

import (
	"context"
	"fmt"
	"testing"

	"crm/internal/scoring/learn"
)

func seq(a, b int) (r []int32) {
	for i := a; i < b; i++ {
		r = append(r, int32(i))
	}
	return
}

func TestMeasure(t *testing.T) {
	tb, _ := bank(t)
	n := tb.Rows()
	for range 1 {
		m, ch, _ := learn.Fit(context.Background(), tb.Select(seq(0, n*4/5)), learn.Options{})
		r := learn.Evaluate(m, tb.Select(seq(n*4/5, n)), 1)
		fmt.Println(ch, r.Metrics)
		for _, pol := range []learn.ClockPolicy{learn.DropClocks} {
			for _, hist := range []int{0, 10000, 5000} {
				var ps, rs, ts []float64
				var ls []bool
				wins := map[string]int{}
				for from := n / 2; from < n; from += 1000 {
					lo := 0
					if hist > 0 {
						lo = from - hist
					}
					m, ch, err := learn.Fit(context.Background(), tb.Select(seq(lo, from)), learn.Options{Clocks: pol})
					if err != nil {
						t.Fatal(err)
					}
					wins[fmt.Sprint(ch.Window.Name, ch.TreeShare)]++
					te := tb.Select(seq(from, min(n, from+1000)))
					a, b := learn.PartsRaw(m, te)
					rs = append(rs, a...)
					ts = append(ts, b...)
					ps = append(ps, m.Predict(te)...)
					ls = append(ls, te.Labels...)
				}
				r := learn.Judge(ps, ls, 1)
				fmt.Printf("walk pol %d hist %d auc %.4f ll %.4f ece %.3f ridge %.4f trees %.4f %v\n", pol, hist, r.Metrics.AUC, r.Metrics.LogLoss, r.Metrics.ECE, learn.AUC(rs, ls), learn.AUC(ts, ls), wins)
			}
		}
	}
}
