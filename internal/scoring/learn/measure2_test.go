package learn

import (
	"fmt"
	"slices"
	"testing"
)

var BankHook func() *Table

func DebugClocks(t *Table) {
	rows := span(0, t.Rows())
	for i := range t.Cols {
		c := &t.Cols[i]
		g := groupsOf(c, rows)
		n := len(g)
		sum := map[int32]float64{}
		cnt := map[int32]float64{}
		for j, v := range g {
			sum[v] += float64(j)
			cnt[v]++
		}
		mean := float64(n-1) / 2
		bt := 0.0
		for k := range sum {
			d := sum[k]/cnt[k] - mean
			bt += d * d * cnt[k]
		}
		tot := float64(n) * (float64(n)*float64(n) - 1) / 12
		fmt.Printf("%-15s timeShare %.3f  predictsTime %.3f\n", c.Name, timeShare(c, rows), bt/tot)
	}
}

func Parts(m *Model, t *Table) (ridge, trees, blend float64) {
	e := m.Layout.bind(t)
	x := make([]float32, m.Layout.Width)
	var a, b, c []float64
	for i := range t.Rows() {
		e.vector(int32(i), x)
		a = append(a, m.Linear.logit(x))
		if m.Forest != nil {
			b = append(b, m.Forest.Logit(x))
		} else {
			b = append(b, 0)
		}
		c = append(c, m.blend(x))
	}
	_ = slices.Clone(a)
	return AUC(a, t.Labels), AUC(b, t.Labels), AUC(c, t.Labels)
}

var _ = testing.Short

func PartsRaw(m *Model, t *Table) (a, b []float64) { return m.parts(t, span(0, t.Rows())) }
