package learn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"crm/internal/scoring/learn"
)

// leads makes n plausible leads over two years with a known rate of conversion.
func leads(t testing.TB, n int, rate float64) *learn.Table {
	t.Helper()
	rng := rand.New(rand.NewPCG(11, uint64(n)))
	table := learn.NewTable(
		learn.Field{Name: "source", Kind: learn.Category}, learn.Field{Name: "employees", Kind: learn.Number},
		learn.Field{Name: "replies", Kind: learn.Number}, learn.Field{Name: "annual_revenue", Kind: learn.Number},
		learn.Field{Name: "free_mail", Kind: learn.Number},
	)
	start := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		source := rng.IntN(4)
		replies, employees := float64(rng.IntN(5)), math.Exp(3+1.5*rng.NormFloat64())
		revenue := learn.Num(employees * 1.2e5 * (1 + rng.Float64()))
		if rng.IntN(3) == 0 {
			revenue = learn.Missing()
		}
		free := float64(rng.IntN(2))
		z := math.Log(rate/(1-rate)) + 0.7*(replies-2) + 0.8*float64(source%2) - 0.4 - 0.6*free
		row := []learn.Value{
			learn.Text([4]string{"web", "referral", "event", "partner"}[source]), learn.Num(employees),
			learn.Num(replies), revenue, learn.Num(free),
		}
		at := start.Add(time.Duration(i) * (2 * 365 * 24 * time.Hour / time.Duration(n)))
		if err := table.Append(row, rng.Float64() < 1/(1+math.Exp(-z)), at); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

func train(t testing.TB, table *learn.Table, opts learn.Options) *learn.Result {
	t.Helper()
	result, err := learn.Train(context.Background(), table, opts)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestTrainNeedsOutcomesOfBothKinds(t *testing.T) {
	t.Parallel()
	table := leads(t, 150, 0.12)
	_, err := learn.Train(context.Background(), table, learn.Options{})
	var few *learn.NotEnoughData
	if !errors.As(err, &few) {
		t.Fatalf("got %v, want NotEnoughData", err)
	}
	if few.Rows != 150 || few.Positives+few.Negatives != 150 || few.NeedPositives != 40-few.Positives || few.NeedNegatives != 0 {
		t.Errorf("%+v", few)
	}
	if !strings.Contains(err.Error(), "more conversions") || strings.Contains(err.Error(), "more losses") {
		t.Errorf("the message does not say what is missing: %v", err)
	}
	if _, err := learn.Train(context.Background(), learn.NewTable(), learn.Options{}); !errors.As(err, &few) || few.NeedNegatives != 40 {
		t.Errorf("empty table: %v", err)
	}
}

func TestTrainOnSmallAndLargeTenants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rows  int
		trees bool
		auc   float64
	}{{250, false, 0.6}, {6000, true, 0.72}} {
		result := train(t, leads(t, c.rows, 0.25), learn.Options{Seed: 1})
		m, r := result.Model, result.Report
		if (m.Forest != nil) != c.trees {
			t.Errorf("%d rows: trees %v, want %v", c.rows, m.Forest != nil, c.trees)
		}
		if r.Metrics.AUC < c.auc || r.Metrics.LogLoss >= r.Metrics.BaseLogLoss {
			t.Errorf("%d rows: %+v", c.rows, r.Metrics)
		}
		if r.Rows != c.rows || r.Holdout.Rows != c.rows/5 || r.Holdout.Random || !r.Holdout.From.After(r.From) {
			t.Errorf("%d rows: report covers %d, held out %+v", c.rows, r.Rows, r.Holdout)
		}
		if r.Importance[0].Field != "replies" {
			t.Errorf("%d rows: most important is %s", c.rows, r.Importance[0].Field)
		}
	}
}

func TestTrainIsDeterministicAndReportsProgress(t *testing.T) {
	t.Parallel()
	table := leads(t, 3000, 0.2)
	var seen []learn.Progress
	first := train(t, table, learn.Options{Seed: 3, Progress: func(p learn.Progress) { seen = append(seen, p) }})
	second := train(t, table, learn.Options{Seed: 3})
	if !bytes.Equal(encode(t, first), encode(t, second)) {
		t.Error("one seed gave two results")
	}
	last := 0.0
	for _, p := range seen {
		if p.Share < last || p.Share > 1 || p.Stage == "" {
			t.Fatalf("progress went from %v to %+v", last, p)
		}
		last = p.Share
	}
	if len(seen) < 8 || last != 1 {
		t.Errorf("%d reports, the last %v", len(seen), last)
	}
}

func encode(t *testing.T, r *learn.Result) []byte {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTrainStopsWithContext(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{learn.StageInspect, learn.StageChoose, learn.StageEvaluate, learn.StageFinal} {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := learn.Train(ctx, leads(t, 3000, 0.2), learn.Options{Progress: func(p learn.Progress) {
			if p.Stage == stage {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in %s: got %v", stage, err)
		}
		cancel()
	}
}

func TestTrainRefusesTimeRunningBackwards(t *testing.T) {
	t.Parallel()
	table := leads(t, 500, 0.3)
	table.Times[10], table.Times[400] = table.Times[400], table.Times[10]
	if _, err := learn.Train(context.Background(), table, learn.Options{}); err == nil || !strings.Contains(err.Error(), "sort") {
		t.Errorf("got %v", err)
	}
	table.SortByTime()
	train(t, table, learn.Options{})
}

func TestTrainWithLateConversionsSaysTheTestWasRandom(t *testing.T) {
	t.Parallel()
	table := leads(t, 1000, 0.3)
	for i := 700; i < 1000; i++ {
		table.Labels[i] = false
	}
	r := train(t, table, learn.Options{}).Report
	if !r.Holdout.Random || len(r.Warnings) == 0 || r.Warnings[0].Code != "random_holdout" {
		t.Errorf("holdout %+v, warnings %v", r.Holdout, r.Warnings)
	}
}

func TestTrainNamesALeak(t *testing.T) {
	t.Parallel()
	table := leads(t, 2000, 0.2)
	leak := learn.NewTable(append(fieldsOf(table), learn.Field{Name: "contract_signed", Kind: learn.Number})...)
	for i := range table.Rows() {
		signed := 0.0
		if table.Labels[i] {
			signed = 1
		}
		if err := leak.Append(append(rowOf(table, i), learn.Num(signed)), table.Labels[i], table.Times[i]); err != nil {
			t.Fatal(err)
		}
	}
	named := 0
	for _, w := range train(t, leak, learn.Options{}).Report.Warnings {
		if w.Code == "possible_leak" && w.Field == "contract_signed" {
			named++
		}
	}
	if named != 2 {
		t.Errorf("the leak was named %d times, want by the field and by the holdout", named)
	}
	clean := train(t, leak, learn.Options{Refuse: []string{"contract_signed"}}).Report
	if len(clean.Warnings) != 0 || len(clean.Dropped) != 1 || clean.Dropped[0].Code != "refused" {
		t.Errorf("refused field: warnings %v, dropped %v", clean.Warnings, clean.Dropped)
	}
}

func fieldsOf(t *learn.Table) []learn.Field {
	var fields []learn.Field
	for i := range t.Cols {
		fields = append(fields, t.Cols[i].Field)
	}
	return fields
}

func rowOf(t *learn.Table, row int) []learn.Value {
	values := make([]learn.Value, len(t.Cols))
	for i := range t.Cols {
		c := &t.Cols[i]
		if c.Kind == learn.Number {
			values[i] = learn.Num(c.Numbers[row])
		} else {
			values[i] = learn.Text(c.Levels[c.Codes[row]])
		}
	}
	return values
}

func TestTrainPrefersRecentRowsWhenTheWorldChanged(t *testing.T) {
	t.Parallel()
	table := leads(t, 8000, 0.3)
	for i := range 5600 {
		// Until a few months before the choosing slice, replies meant the opposite.
		table.Cols[2].Numbers[i] = 4 - table.Cols[2].Numbers[i]
	}
	table = table.Select(span(2600, 8000))
	r := train(t, table, learn.Options{}).Report
	if r.Choice.Window.Name == "all" {
		t.Errorf("chose %+v", r.Choice)
	}
	if len(r.Choice.Losses) < 2 {
		t.Errorf("tried only %v", r.Choice.Losses)
	}
}

func span(from, to int) []int32 {
	var rows []int32
	for i := from; i < to; i++ {
		rows = append(rows, int32(i))
	}
	return rows
}

func TestModelSurvivesJSON(t *testing.T) {
	t.Parallel()
	m := train(t, leads(t, 3000, 0.2), learn.Options{}).Model
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := learn.ReadModel(data)
	if err != nil {
		t.Fatal(err)
	}
	probes := m.Probes(500, 1)
	for i := range 500 {
		x := probes[i*m.Layout.Width : (i+1)*m.Layout.Width]
		if m.Probability(x) != again.Probability(x) {
			t.Fatalf("row %d: %v became %v", i, m.Probability(x), again.Probability(x))
		}
	}
	for name, damage := range map[string][2]string{
		"format": {`"format":1`, `"format":9`}, "short part": {`"mean":[`, `"mean":[1,`}, "layout": {`"referral"`, `"referrals"`},
		"tree": {`"l":1,`, `"l":0,`}, "cut": {`}`, ``}, "share": {`"tree_share":`, `"tree_share":7,"was":`},
	} {
		if _, err := learn.ReadModel([]byte(strings.Replace(string(data), damage[0], damage[1], 1))); !errors.Is(err, learn.ErrModel) {
			t.Errorf("%s: got %v, want ErrModel", name, err)
		}
	}
}

func TestExplanationAddsUpToTheScore(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{250, 4000} {
		table := leads(t, rows, 0.25)
		m := train(t, table, learn.Options{}).Model
		probes := m.Probes(300, 2)
		for i := range 300 {
			x := probes[i*m.Layout.Width : (i+1)*m.Layout.Width]
			e := m.Explain(x)
			sum := e.Base
			for j, c := range e.Contributions {
				sum += c.Effect
				if j > 0 && math.Abs(c.Effect) > math.Abs(e.Contributions[j-1].Effect) {
					t.Fatal("contributions are not ordered by size")
				}
			}
			if diff := math.Abs(sum - m.Logit(x)); diff > 2e-6 || len(e.Contributions) != len(m.Layout.Fields) {
				t.Fatalf("%d rows: effects miss the log-odds by %g", rows, diff)
			}
		}
	}
}

func TestScoreOfOddRecordsIsAProbability(t *testing.T) {
	t.Parallel()
	m := train(t, leads(t, 3000, 0.2), learn.Options{}).Model
	for _, record := range []map[string]any{
		nil, {"employees": 1e30, "replies": -1e30}, {"employees": math.Inf(-1)}, {"source": strings.Repeat("x", 1000)}, {"replies": "NaN"},
	} {
		if p := m.Probability(m.Layout.Encode(record)); !(p > 0 && p < 1) {
			t.Errorf("%.40v scores %v", record, p)
		}
	}
}
