// Package quality judges the lead scoring on public data, the bank campaign of 41,188 calls, by three protocols that
// differ widely and must each be quoted by name:
//
//	random  80/20 at random: the model sees every period, and figures flatter
//	time    trained once on the first four fifths, judged on the last
//	walk    the second half in blocks, trained anew before each on the 10,000 rows before it: how the product is used
//
// Most of what can be predicted in this data lies between periods, which is why time is so much harder than random.
// The trainer drops fields that are nearly a function of time by itself; the baselines, which others would have
// trained by hand, were measured with all fields unless their name says otherwise.
package quality

import (
	"context"
	"fmt"
	"math/rand/v2"

	"crm/internal/scoring/learn"
)

// Marks are the three figures of merit. NaN is not measured.
type Marks struct {
	AUC     float64 // ranking; higher is better
	LogLoss float64 // probabilities; lower is better
	ECE     float64 // calibration, ten bins of equal count; lower is better
}

// Baseline is what another learner reached on the same rows, measured once with scikit-learn 1.2.1 and xgboost 1.7.4.
type Baseline struct {
	Name string
	Marks
}

// Judged is one protocol's result.
type Judged struct {
	Protocol  string
	Marks     Marks
	Baselines []Baseline
}

const (
	walkBlock   = 1000
	walkHistory = 10_000
)

// Judge runs the three protocols; quick takes one random split and longer blocks.
func Judge(ctx context.Context, table *learn.Table, quick bool) ([]Judged, error) {
	splits, block := 5, walkBlock
	if quick {
		splits, block = 1, 4*walkBlock
	}
	random, err := byRandom(ctx, table, splits)
	if err != nil {
		return nil, fmt.Errorf("judge by random splits: %w", err)
	}
	static, err := byTime(ctx, table)
	if err != nil {
		return nil, fmt.Errorf("judge by time: %w", err)
	}
	walk, err := byWalk(ctx, table, block)
	if err != nil {
		return nil, fmt.Errorf("judge by walking forward: %w", err)
	}
	return []Judged{
		{"random", random, []Baseline{{"logistic", Marks{.7933, .2767, .011}}, {"xgb", Marks{.8045, .2701, .008}}}},
		{"time", static, []Baseline{{"logistic", Marks{.7443, .579, .103}}, {"xgb", Marks{.5036, .693, .136}}}},
		{"walk", walk, []Baseline{{"xgb", Marks{.741, .411, .025}}}},
	}, nil
}

func byRandom(ctx context.Context, table *learn.Table, splits int) (Marks, error) {
	var sum Marks
	for seed := range splits {
		rest, test := split(table.Rows(), uint64(seed))
		m, _, err := learn.Fit(ctx, table.Select(rest), learn.Options{Exchangeable: true})
		if err != nil {
			return sum, err
		}
		got := marks(learn.Evaluate(m, table.Select(test), 1))
		sum.AUC, sum.LogLoss, sum.ECE = sum.AUC+got.AUC, sum.LogLoss+got.LogLoss, sum.ECE+got.ECE
	}
	n := float64(splits)
	return Marks{sum.AUC / n, sum.LogLoss / n, sum.ECE / n}, nil
}

func byTime(ctx context.Context, table *learn.Table) (Marks, error) {
	cut := table.Rows() * 4 / 5
	m, _, err := learn.Fit(ctx, table.Select(span(0, cut)), learn.Options{})
	if err != nil {
		return Marks{}, err
	}
	return marks(learn.Evaluate(m, table.Select(span(cut, table.Rows())), 1)), nil
}

func byWalk(ctx context.Context, table *learn.Table, block int) (Marks, error) {
	var predictions []float64
	var labels []bool
	for from := table.Rows() / 2; from < table.Rows(); from += block {
		m, _, err := learn.Fit(ctx, table.Select(span(max(0, from-walkHistory), from)), learn.Options{})
		if err != nil {
			return Marks{}, err
		}
		test := table.Select(span(from, min(from+block, table.Rows())))
		predictions = append(predictions, m.Predict(test)...)
		labels = append(labels, test.Labels...)
	}
	return marks(learn.Judge(predictions, labels, 1)), nil
}

func marks(r learn.Report) Marks {
	return Marks{AUC: r.Metrics.AUC, LogLoss: r.Metrics.LogLoss, ECE: r.Metrics.ECE}
}

// split draws a fifth at random for the test and keeps the order in both parts.
func split(n int, seed uint64) (rest, test []int32) {
	inTest := make([]bool, n)
	for _, row := range rand.New(rand.NewPCG(seed, 1)).Perm(n)[:n/5] { //nolint:gosec // a repeatable draw, no secret
		inTest[row] = true
	}
	for row, in := range inTest {
		if in {
			test = append(test, int32(row)) //nolint:gosec // rows are few
		} else {
			rest = append(rest, int32(row)) //nolint:gosec // rows are few
		}
	}
	return rest, test
}

func span(from, to int) []int32 {
	out := make([]int32, 0, max(0, to-from))
	for i := from; i < to; i++ {
		out = append(out, int32(i)) //nolint:gosec // rows are few
	}
	return out
}
