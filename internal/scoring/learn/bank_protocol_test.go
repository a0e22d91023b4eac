package learn_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"crm/internal/scoring/learn"
)

// Three ways to judge the same learner on the bank campaign data, always without the duration of the call. They differ
// widely, and each must be quoted with its name: most of what can be predicted there lies between periods.

// bankRandom is the mean AUC over random 80/20 splits, which lets the model see every period.
func bankRandom(tb testing.TB, table *learn.Table, splits int) float64 {
	tb.Helper()
	sum := 0.0
	for seed := range splits {
		rest, test := randomSplit(table.Rows(), uint64(seed))
		m := fit(tb, table.Select(rest), learn.Options{Exchangeable: true})
		sum += learn.AUC(m.Predict(table.Select(test)), table.Select(test).Labels)
	}
	return sum / float64(splits)
}

// bankStatic trains once on the first four fifths and tests on the last.
func bankStatic(tb testing.TB, table *learn.Table) learn.Report {
	tb.Helper()
	cut := table.Rows() * 4 / 5
	m := fit(tb, table.Select(span(0, cut)), learn.Options{})
	return learn.Evaluate(m, table.Select(span(cut, table.Rows())), 1)
}

// bankWalk scores the second half block by block, trained anew before each block on the rows before it, or on the latest
// history of them when it is not 0.
func bankWalk(tb testing.TB, table *learn.Table, block, history int) learn.Report {
	tb.Helper()
	var predictions []float64
	var labels []bool
	for from := table.Rows() / 2; from < table.Rows(); from += block {
		first := 0
		if history > 0 {
			first = from - history
		}
		m := fit(tb, table.Select(span(first, from)), learn.Options{})
		test := table.Select(span(from, min(from+block, table.Rows())))
		predictions = append(predictions, m.Predict(test)...)
		labels = append(labels, test.Labels...)
	}
	return learn.Judge(predictions, labels, 1)
}

func fit(tb testing.TB, table *learn.Table, opts learn.Options) *learn.Model {
	tb.Helper()
	m, _, err := learn.Fit(context.Background(), table, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func randomSplit(n int, seed uint64) (rest, test []int32) {
	drawn := rand.New(rand.NewPCG(seed, 1)).Perm(n)[:n/5]
	inTest := make([]bool, n)
	for _, row := range drawn {
		inTest[row] = true
	}
	for row, in := range inTest {
		if in {
			test = append(test, int32(row))
		} else {
			rest = append(rest, int32(row))
		}
	}
	return rest, test
}

func TestBankRandomSplit(t *testing.T) {
	t.Parallel()
	table, real := bank(t)
	auc := bankRandom(t, table, 5)
	t.Logf("bank, random 80/20, mean of 5: AUC %.4f", auc)
	if real && auc < 0.795 {
		t.Errorf("AUC %.4f", auc)
	}
}

func TestBankTimeSplit(t *testing.T) {
	t.Parallel()
	table, real := bank(t)
	r := bankStatic(t, table)
	t.Logf("bank, first 80 %% / last 20 %%: %+v", r.Metrics)
	if real && r.Metrics.AUC < 0.68 {
		t.Errorf("AUC %.4f", r.Metrics.AUC)
	}
}

func TestBankWalkForwardBeatsTheTimeSplit(t *testing.T) {
	t.Parallel()
	table, real := bank(t)
	r := bankWalk(t, table, 2000, 10_000)
	t.Logf("bank, retrained every 2,000 rows on the last 10,000: %+v", r.Metrics)
	if real && (r.Metrics.AUC < 0.72 || r.Metrics.LogLoss >= r.Metrics.BaseLogLoss) {
		t.Errorf("%+v", r.Metrics)
	}
}

func TestBankGuards(t *testing.T) {
	t.Parallel()
	table, real := bank(t)
	report := train(t, table, learn.Options{}).Report
	var clocks []string
	for _, d := range report.Dropped {
		if d.Code == "clock" {
			clocks = append(clocks, d.Field)
		}
		t.Logf("%s (%s): %s", d.Field, d.Code, d.Reason)
	}
	for _, w := range report.Warnings {
		t.Logf("%s: %s", w.Code, w.Text)
	}
	t.Logf("choice %+v, metrics %+v", report.Choice, report.Metrics)
	slices.Sort(clocks)
	want := slices.Sorted(slices.Values(bankClocks))
	if real && !slices.Equal(clocks, want) {
		t.Errorf("clocks %v, want %v", clocks, want)
	}
	if !real && !slices.Contains(clocks, "euribor3m") {
		t.Errorf("clocks %v", clocks)
	}
}
