package learn_test

import (
	"context"
	"runtime"
	"testing"

	"crm/internal/platform/onnx/onnxtest"
	"crm/internal/scoring/learn"
)

func BenchmarkTrainBank(b *testing.B) {
	table, _ := bank(b)
	for b.Loop() {
		train(b, table, learn.Options{})
	}
}

// BenchmarkBankProtocols reports quality, not speed: run it once with -benchtime=1x.
func BenchmarkBankProtocols(b *testing.B) {
	table, _ := bank(b)
	for b.Loop() {
		b.ReportMetric(bankRandom(b, table, 5), "random_auc")
		static := bankStatic(b, table).Metrics
		b.ReportMetric(static.AUC, "static_auc")
		for _, c := range []struct {
			history int
			name    string
		}{{0, "walk_all"}, {10_000, "walk_10k"}, {5_000, "walk_5k"}} {
			m := bankWalk(b, table, 1000, c.history).Metrics
			b.ReportMetric(m.AUC, c.name+"_auc")
			b.ReportMetric(m.LogLoss, c.name+"_logloss")
			b.ReportMetric(m.ECE, c.name+"_ece")
		}
	}
}

func benchmarkRows(b *testing.B) (m *learn.Model, batch []float32) {
	b.Helper()
	table, _ := bank(b)
	m, _, err := learn.Fit(context.Background(), table, learn.Options{KeepClocks: true})
	if err != nil {
		b.Fatal(err)
	}
	return m, m.Probes(1024, 1)
}

func BenchmarkProbability(b *testing.B) {
	m, batch := benchmarkRows(b)
	for i := 0; b.Loop(); i++ {
		at := i % 1024 * m.Layout.Width
		m.Probability(batch[at : at+m.Layout.Width])
	}
}

func BenchmarkExplain(b *testing.B) {
	m, batch := benchmarkRows(b)
	for i := 0; b.Loop(); i++ {
		at := i % 1024 * m.Layout.Width
		m.Explain(batch[at : at+m.Layout.Width])
	}
}

func BenchmarkEncode(b *testing.B) {
	m, _ := benchmarkRows(b)
	table, _ := bank(b)
	record := map[string]any{}
	for i, v := range rowOf(table, 1000) {
		record[table.Cols[i].Name] = v.Text
		if table.Cols[i].Kind == learn.Number {
			record[table.Cols[i].Name] = v.Number
		}
	}
	for b.Loop() {
		m.Layout.Encode(record)
	}
}

func BenchmarkONNX(b *testing.B) {
	m, batch := benchmarkRows(b)
	s := onnxtest.Load(b, export(b, m))
	for _, size := range []int{1, 64, 1024} {
		b.Run(map[int]string{1: "1", 64: "64", 1024: "1024"}[size], func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Run(batch[:size*m.Layout.Width], size); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	runtime.KeepAlive(s)
}
