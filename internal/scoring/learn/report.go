package learn

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	bootstraps      = 200
	calibrationBins = 10
	importanceRows  = 400
)

// Report is what a model card shows. Metrics, tables and importance are measured on rows the model never saw.
type Report struct {
	Rows      int       `json:"rows"`      // all rows, of which Holdout were held out
	Positives int       `json:"positives"` // conversions among all rows
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Holdout   Holdout   `json:"holdout"`
	Choice    Choice    `json:"choice"`

	Metrics     Metrics          `json:"metrics"`
	Calibration []CalibrationBin `json:"calibration"`
	Lift        []LiftRow        `json:"lift"`
	Importance  []Importance     `json:"importance"`
	Warnings    []Warning        `json:"warnings"`
	Dropped     []Dropped        `json:"dropped"`
	// Grade of the model itself by its AUC: A from .80, B from .70, C from .60, else D.
	Grade string `json:"grade"`
}

// Holdout describes the rows that judged the model.
type Holdout struct {
	Rows      int       `json:"rows"`
	Positives int       `json:"positives"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Random    bool      `json:"random"` // drawn at random instead of the latest
}

// Metrics are the headline figures. AUCLow and AUCHigh bound the AUC's 95 % bootstrap interval. BaseLogLoss is the
// log-loss of predicting the holdout's own conversion rate for everyone: a useful model is below it. ECE is the
// expected calibration error over ten bins of equal count.
type Metrics struct {
	AUC              float64 `json:"auc"`
	AUCLow           float64 `json:"auc_low"`
	AUCHigh          float64 `json:"auc_high"`
	AveragePrecision float64 `json:"average_precision"`
	LogLoss          float64 `json:"log_loss"`
	BaseLogLoss      float64 `json:"base_log_loss"`
	Brier            float64 `json:"brier"`
	ECE              float64 `json:"ece"`
}

// CalibrationBin compares predictions with outcomes for one tenth of the leads, by predicted chance. Low and High bound
// the observed rate's 95 % interval.
type CalibrationBin struct {
	From      float64 `json:"from"`
	To        float64 `json:"to"`
	Count     int     `json:"count"`
	Predicted float64 `json:"predicted"`
	Observed  float64 `json:"observed"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
}

// LiftRow tells what working only the best Share of leads would bring: their conversion Rate, how many times the
// average that is (Lift), and the part of all conversions among them (Captured).
type LiftRow struct {
	Share    float64 `json:"share"`
	Count    int     `json:"count"`
	Rate     float64 `json:"rate"`
	Lift     float64 `json:"lift"`
	Captured float64 `json:"captured"`
}

// Importance is a field's mean absolute contribution in log-odds; Share is its part of all fields' sum.
type Importance struct {
	Field      string  `json:"field"`
	Importance float64 `json:"importance"`
	Share      float64 `json:"share"`
}

// Evaluate judges a model on the rows of a table that it was not trained on.
func Evaluate(m *Model, t *Table, seed uint64) Report {
	predictions := m.Predict(t)
	r := Judge(predictions, t.Labels, seed)
	r.Importance = m.importance(t)
	r.Rows, r.Positives = t.Rows(), positives(t.Labels, span(0, t.Rows()))
	if t.Rows() > 0 {
		r.From, r.To = t.Times[0], t.Times[t.Rows()-1]
	}
	if r.Metrics.AUC > leakHoldoutAUC && len(r.Importance) > 0 {
		r.warn(Warning{Code: "possible_leak", Field: r.Importance[0].Field, Text: fmt.Sprintf(
			"possible leak: an AUC of %.3f is too good to be true; check whether %s is filled in after the outcome", r.Metrics.AUC, r.Importance[0].Field)})
	}
	return r
}

// Judge computes metrics and tables from predictions and outcomes alone, so that another score (rules, the running
// model) can be put beside a new one. With one kind of outcome only, AUC is 0.5 with the interval 0 to 1 and a warning.
func Judge(predictions []float64, labels []bool, seed uint64) Report {
	r := Report{Warnings: []Warning{}, Dropped: []Dropped{}}
	if len(labels) == 0 {
		r.Metrics = Metrics{AUC: 0.5, AUCHigh: 1}
		return r
	}
	sorted := rank(predictions, labels)
	r.Calibration = sorted.calibration(predictions, calibrationBins)
	for _, share := range []float64{0.1, 0.2, 0.3} {
		r.Lift = append(r.Lift, sorted.lift(share))
	}
	won := positives(labels, span(0, len(labels)))
	rate := float64(won) / float64(len(labels))
	r.Metrics = Metrics{
		LogLoss: LogLoss(predictions, labels), BaseLogLoss: LogLoss(slices.Repeat([]float64{rate}, len(labels)), labels),
		Brier: brier(predictions, labels), ECE: ece(r.Calibration),
	}
	r.rankMetrics(sorted, won, seed)
	r.Grade = ModelGrade(r.Metrics.AUC)
	return r
}

func (r *Report) rankMetrics(sorted *ranking, won int, seed uint64) {
	m := &r.Metrics
	if won == 0 || won == len(sorted.labels) {
		m.AUC, m.AUCHigh = 0.5, 1
		r.warn(Warning{Code: "one_class_holdout", Text: "all leads tested had the same outcome, so nothing can be said about the ranking"})
		return
	}
	m.AUC = sorted.auc(nil)
	m.AUCLow, m.AUCHigh = sorted.aucInterval(bootstraps, seed)
	m.AveragePrecision = sorted.averagePrecision()
}

func (r *Report) warn(w Warning) { r.Warnings = append(r.Warnings, w) }

// describe adds what Train knows beyond the holdout.
func (r *Report) describe(t *Table, p *training, older, holdout []int32) {
	r.Holdout = Holdout{Rows: r.Rows, Positives: r.Positives, From: r.From, To: r.To, Random: p.random}
	r.Rows, r.Positives = t.Rows(), positives(t.Labels, span(0, t.Rows()))
	r.From, r.To = t.Times[0], t.Times[t.Rows()-1]
	r.Choice = p.choice
	r.Dropped = append(r.Dropped, p.guard.dropped...)
	r.Warnings = append(append(p.notes, p.guard.warnings...), r.Warnings...)
	if r.Warnings == nil {
		r.Warnings = []Warning{}
	}
}

// importance averages absolute contributions over evenly spread rows.
func (m *Model) importance(t *Table) []Importance {
	sums := make([]float64, len(m.Layout.Fields))
	e := m.Layout.bind(t)
	x := make([]float32, m.Layout.Width)
	n := min(importanceRows, t.Rows())
	for i := range n {
		e.vector(int32(i*t.Rows()/n), x)
		for field, effect := range m.effects(x) {
			sums[field] += math.Abs(effect) / float64(n)
		}
	}
	total := 0.0
	for _, s := range sums {
		total += s
	}
	out := make([]Importance, len(sums))
	for i, s := range sums {
		out[i] = Importance{Field: m.Layout.Fields[i].Name, Importance: s, Share: s / max(total, 1e-12)}
	}
	slices.SortStableFunc(out, func(a, b Importance) int { return cmp.Compare(b.Importance, a.Importance) })
	return out
}
