package learn

import (
	"context"
	"fmt"
	"math"
)

// holdoutShare of the rows, the latest, judge the model; the same share of the rest, again the latest, is what choices
// are made on.
const holdoutShare = 0.2

// Result is a trained model and the honest report on it.
type Result struct {
	Model  *Model
	Report Report
}

// Choice is what was decided before the final fit.
type Choice struct {
	Window Window `json:"window"`
	// TreeShare is the trees' weight in the blend; 0 when there are too few conversions for trees.
	TreeShare float64 `json:"tree_share"`
	Trees     int     `json:"trees"` // grown for the final model
	// Losses are the log-losses of the windows tried, on the choosing slice.
	Losses map[string]float64 `json:"losses"`
}

// Train fits a model to a table of known outcomes in time order.
//
// The latest fifth of the rows is held out. On the older rows a window is chosen and a model trained; its predictions
// for the held-out rows make the report and, since they are the most recent honest ones, the calibration's slope. Then
// the model is trained again on everything. The report therefore describes a model trained on a little less data.
//
// It returns a *[NotEnoughData] below 40 outcomes of either kind, and ctx's error when cancelled. One goroutine; 40,000
// rows take about a second.
func Train(ctx context.Context, t *Table, opts Options) (*Result, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := enough(t.Labels); err != nil {
		return nil, err
	}
	p := newTraining(t, &opts)
	older, holdout := p.split(span(0, t.Rows()))
	judged, err := p.learn(ctx, older)
	if err != nil {
		return nil, err
	}
	p.report(StageEvaluate, 0)
	report := Evaluate(judged, t.Select(holdout), opts.Seed)
	report.describe(t, p, older, holdout)
	final, err := p.refit(ctx, judged, holdout)
	if err != nil {
		return nil, err
	}
	p.report(StageFinal, 1)
	return &Result{Model: final, Report: report}, nil
}

// Fit trains on the whole table without holding anything out: the first half of [Train], for measuring on rows of
// one's own choosing.
func Fit(ctx context.Context, t *Table, opts Options) (*Model, Choice, error) {
	if err := t.check(); err != nil {
		return nil, Choice{}, err
	}
	if err := enough(t.Labels); err != nil {
		return nil, Choice{}, err
	}
	p := newTraining(t, &opts)
	m, err := p.learn(ctx, span(0, t.Rows()))
	return m, p.choice, err
}

// training is one run over one table.
type training struct {
	table  *Table
	opts   *Options
	guard  *guard
	choice Choice
	fitter *fitter
	random bool // slices are drawn at random because the latest rows hold one outcome only, or on request
	notes  []Warning
	meter
}

func newTraining(t *Table, opts *Options) *training {
	return &training{table: t, opts: opts, random: opts.Exchangeable, meter: meter{call: opts.Progress}}
}

// split divides rows into older ones and the latest share.
func (p *training) split(rows []int32) (older, latest []int32) {
	cut := len(rows) - int(holdoutShare*float64(len(rows)))
	older, latest = rows[:cut], rows[cut:]
	if !p.random && p.telling(older) && p.telling(latest) {
		return older, latest
	}
	if !p.random {
		p.random = true
		p.notes = append(p.notes, Warning{
			Code: "random_holdout",
			Text: "the latest leads have almost only one outcome, so the model was tested on leads drawn at random; the figures are likely too good",
		})
	}
	return draw(rows, holdoutShare, p.opts.Seed+1)
}

// telling reports whether the rows have some outcomes of both kinds.
func (p *training) telling(rows []int32) bool {
	won := positives(p.table.Labels, rows)
	return min(won, len(rows)-won) >= min(leastInSlice, needPositives/10)
}

// learn inspects the columns, chooses the window and trains a calibrated model on the given rows.
func (p *training) learn(ctx context.Context, rows []int32) (*Model, error) {
	p.report(StageInspect, 0)
	p.guard = inspect(p.table, rows, p.opts)
	if len(p.guard.columns) == 0 {
		return nil, fmt.Errorf("train model: no field is left to learn from; %d were left out", len(p.guard.dropped))
	}
	p.fitter = &fitter{table: p.table, columns: p.guard.columns, seed: p.opts.Seed}
	older, latest := p.split(rows)
	slope, err := p.choose(ctx, older, latest)
	if err != nil {
		return nil, fmt.Errorf("choose window: %w", err)
	}
	p.begin(StageEvaluate)
	m, err := p.train(ctx, rows)
	if err != nil {
		return nil, fmt.Errorf("train model: %w", err)
	}
	p.calibrateTo(m, slope, latest)
	return m, nil
}

// calibrateTo sets the slope learned on unseen rows and the level of the recent rows. The slope has to come from unseen
// rows, where a model is less sure than it thinks; the level must fit the model as it is now, trained on those rows
// too, or it would correct a second time what the model has learned from them.
func (p *training) calibrateTo(m *Model, slope float64, latest []int32) {
	recent := p.recent(latest)
	z := m.scores(p.table, recent)
	m.Calibration = Calibration{A: slope, B: levelOf(slope, z, pick(p.table.Labels, recent))}
}

// levelPositives is how many conversions are enough to set the level; older rows would only make it lag behind.
const levelPositives = 300

// recent is the end of rows that holds levelPositives conversions, or all of them.
func (p *training) recent(rows []int32) []int32 {
	if p.random {
		return rows
	}
	won := 0
	for i := len(rows) - 1; i >= 0; i-- {
		if p.table.Labels[rows[i]] {
			won++
		}
		if won == levelPositives {
			return rows[i:]
		}
	}
	return rows
}

// choose trains one model per window on the older rows, keeps the window and blend that predict the latest best, and
// returns the calibration's slope for them.
func (p *training) choose(ctx context.Context, older, latest []int32) (slope float64, err error) {
	candidates := windows(p.table, older, p.opts)
	p.choice = Choice{Losses: make(map[string]float64, len(candidates))}
	best := trial{loss: math.Inf(1)}
	for i, w := range candidates {
		p.candidate(i, len(candidates))
		p.fitter.progress = p.tick
		m, err := p.fitter.fit(ctx, w.rows(p.table, older), evenBlend)
		if err != nil {
			return 0, err
		}
		t := p.try(m, latest)
		p.choice.Losses[w.Name] = t.loss
		if t.loss < best.loss {
			best = t
			p.choice.Window, p.choice.TreeShare = w, t.treeShare
		}
	}
	return best.slope, nil
}

// evenBlend is the default weight of the trees; leaning to either side must gain at least leastGain of the log-loss,
// or the choice would follow the noise of a short slice.
const (
	evenBlend = 0.5
	leastGain = 0.001
)

// trial is how a model did on the choosing slice.
type trial struct {
	loss      float64
	treeShare float64
	slope     float64
}

// try judges the even blend and one leaning to the ridge or to the trees.
func (p *training) try(m *Model, rows []int32) trial {
	labels := pick(p.table.Labels, rows)
	ridge, trees := m.parts(p.table, rows)
	best := judgeBlend(evenBlend, ridge, trees, labels)
	even := best.loss
	if m.Forest == nil {
		return best
	}
	for _, share := range []float64{0.25, 0.75} {
		if t := judgeBlend(share, ridge, trees, labels); t.loss < min(best.loss, even*(1-leastGain)) {
			best = t
		}
	}
	return best
}

func judgeBlend(share float64, ridge, trees []float64, labels []bool) trial {
	z := ridge
	if trees != nil {
		z = make([]float64, len(ridge))
		for i := range z {
			z[i] = mix(share, ridge[i], trees[i])
		}
	}
	c := calibrate(z, labels)
	return trial{loss: LogLoss(probabilities(c, z), labels), treeShare: share, slope: c.A}
}

// train fits on the chosen window of the rows with the chosen blend.
func (p *training) train(ctx context.Context, rows []int32) (*Model, error) {
	p.fitter.progress = p.tick
	m, err := p.fitter.fit(ctx, p.choice.Window.rows(p.table, rows), p.choice.TreeShare)
	if err != nil {
		return nil, err
	}
	p.choice.TreeShare, p.choice.Trees = m.TreeShare, 0
	if m.Forest != nil {
		p.choice.Trees = len(m.Forest.Trees)
	}
	return m, nil
}

// refit trains on all rows; the slope comes from the held-out predictions of the judged model, the level and the
// score bands from the final model on the same, most recent rows.
func (p *training) refit(ctx context.Context, judged *Model, holdout []int32) (*Model, error) {
	p.begin(StageFinal)
	labels := pick(p.table.Labels, holdout)
	slope := calibrate(judged.scores(p.table, holdout), labels).A
	m, err := p.train(ctx, span(0, p.table.Rows()))
	if err != nil {
		return nil, fmt.Errorf("train final model: %w", err)
	}
	p.calibrateTo(m, slope, holdout)
	m.Bands = bandsOf(probabilities(m.Calibration, m.scores(p.table, holdout)))
	return m, nil
}

// scores are uncalibrated log-odds of table rows.
func (m *Model) scores(t *Table, rows []int32) []float64 {
	ridge, trees := m.parts(t, rows)
	for i := range trees {
		ridge[i] = mix(m.TreeShare, ridge[i], trees[i])
	}
	return ridge
}

// parts are the log-odds of the ridge and of the trees, nil without trees.
func (m *Model) parts(t *Table, rows []int32) (ridge, trees []float64) {
	e := m.Layout.bind(t)
	x := make([]float32, m.Layout.Width)
	for _, row := range rows {
		e.vector(row, x)
		ridge = append(ridge, m.Linear.logit(x))
		if m.Forest != nil {
			trees = append(trees, m.Forest.Logit(x))
		}
	}
	return ridge, trees
}

func probabilities(c Calibration, z []float64) []float64 {
	out := make([]float64, len(z))
	for i, v := range z {
		out[i] = sigmoid(c.A*v + c.B)
	}
	return out
}

// Predict returns the probabilities of a table's rows. Columns are matched to the layout by name.
func (m *Model) Predict(t *Table) []float64 {
	return probabilities(m.Calibration, m.scores(t, span(0, t.Rows())))
}
