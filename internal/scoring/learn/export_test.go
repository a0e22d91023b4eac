package learn_test

import (
	"bytes"
	"math"
	"testing"

	"crm/internal/platform/onnx"
	"crm/internal/platform/onnx/onnxtest"
	"crm/internal/scoring/learn"
)

func export(t testing.TB, m *learn.Model) []byte {
	t.Helper()
	file, err := m.ONNX("v7")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestONNXEqualsGo compares both evaluators on 10,000 made-up rows and, for the bank, on 10,000 real ones.
func TestONNXEqualsGo(t *testing.T) {
	t.Parallel()
	table, _ := bank(t)
	models := map[string]*learn.Model{
		"blend": train(t, leads(t, 4000, 0.25), learn.Options{}).Model,
		"ridge": train(t, leads(t, 250, 0.25), learn.Options{}).Model,
		"bank":  train(t, table, learn.Options{KeepClocks: true}).Model,
	}
	for name, m := range models {
		s := onnxtest.Load(t, export(t, m))
		if err := onnx.Verify(s, m.Probes(10_000, 5), 10_000, m.Probability); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := models["bank"]
	rows := table.Select(every(table.Rows(), 10_000))
	batch := make([]float32, 0, rows.Rows()*m.Layout.Width)
	for i := range rows.Rows() {
		batch = append(batch, vector(t, m, rows, i)...)
	}
	s := onnxtest.Load(t, export(t, m))
	got, err := s.Run(batch, rows.Rows())
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i, want := range m.Predict(rows) {
		worst = max(worst, math.Abs(float64(got[i])-want))
	}
	t.Logf("largest difference on %d real rows: %.2g", rows.Rows(), worst)
	if worst > onnx.Tolerance {
		t.Errorf("largest difference on real rows: %g", worst)
	}
}

// every picks n rows spread over a table.
func every(rows, n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i * rows / n)
	}
	return out
}

// vector encodes a table row by way of a record, as serving does.
func vector(t testing.TB, m *learn.Model, table *learn.Table, row int) []float32 {
	t.Helper()
	record := make(map[string]any, len(table.Cols))
	for i := range table.Cols {
		c := &table.Cols[i]
		if c.Kind == learn.Number {
			record[c.Name] = c.Numbers[row]
		} else {
			record[c.Name] = c.Levels[c.Codes[row]]
		}
	}
	return m.Layout.Encode(record)
}

func TestONNXCarriesItsLayout(t *testing.T) {
	t.Parallel()
	m := train(t, leads(t, 2000, 0.25), learn.Options{}).Model
	file := export(t, m)
	if !bytes.Equal(file, export(t, m)) {
		t.Error("two exports differ")
	}
	s := onnxtest.Load(t, file)
	text := map[string]string{}
	for _, key := range []string{learn.MetadataLayout, learn.MetadataLayoutHash, learn.MetadataVersion} {
		value, err := s.Metadata(key)
		if err != nil {
			t.Fatal(err)
		}
		text[key] = value
	}
	layout, err := learn.ParseLayout([]byte(text[learn.MetadataLayout]))
	if err != nil {
		t.Fatal(err)
	}
	if layout.Hash != m.Layout.Hash || text[learn.MetadataLayoutHash] != m.Layout.Hash || text[learn.MetadataVersion] != "v7" {
		t.Errorf("metadata %v", text)
	}
}
