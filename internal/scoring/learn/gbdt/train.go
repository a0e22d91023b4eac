package gbdt

import (
	"context"
	"fmt"
	"math"
)

// Params steer training. The zero value is not usable; start from [Defaults].
type Params struct {
	Rounds      int     // most trees
	Depth       int     // splits from root to leaf
	Eta         float64 // learning rate
	Lambda      float64 // ridge on leaf values
	MinHessian  float64 // least summed hessian on each side of a split
	RowShare    float64 // rows each tree sees
	ColumnShare float64 // features each tree may use
	Patience    int     // rounds without a better validation loss before stopping; 0 = never stop early
	Seed        uint64
}

// Defaults are the settings that did best, or near best, on the public lead and campaign data measured.
func Defaults(seed uint64) Params {
	return Params{
		Rounds: 600, Depth: 4, Eta: 0.1, Lambda: 1, MinHessian: 5,
		RowShare: 0.8, ColumnShare: 0.8, Patience: 50, Seed: seed,
	}
}

// Train grows a forest on the rows in fit. With rows in valid it keeps as many trees as had the least log-loss there
// and stops Patience rounds after that; without, it grows exactly Rounds trees.
//
// progress, when given, is called after every tree with the number grown. Training ends with ctx's error when ctx does.
func Train(ctx context.Context, data *Data, fit, valid []int32, p Params, progress func(trees int)) (*Forest, error) {
	if err := data.check(); err != nil {
		return nil, fmt.Errorf("check training data: %w", err)
	}
	if len(fit) == 0 {
		return nil, fmt.Errorf("train trees: no rows to train on")
	}
	b := newBooster(data, fit, valid, p)
	for round := 1; round <= p.Rounds; round++ {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("train trees: %w", err)
		}
		if !b.round() {
			break
		}
		if progress != nil {
			progress(round)
		}
		if b.stalled() {
			break
		}
	}
	return b.result(), nil
}

// booster is the state of boosting: the margins every row has reached and the best round so far.
type booster struct {
	*grower
	fit, valid []int32
	rest       []int32 // rows not sampled for the current tree
	margin     []float64
	forest     Forest
	bestRound  int
	bestLoss   float64
}

func newBooster(data *Data, fit, valid []int32, p Params) *booster {
	b := &booster{grower: newGrower(data, p, len(fit)), fit: fit, valid: valid, bestLoss: math.Inf(1)}
	b.forest.Base = baseLogit(data.Labels, fit)
	b.margin = make([]float64, len(data.Labels))
	for i := range b.margin {
		b.margin[i] = b.forest.Base
	}
	return b
}

// baseLogit is the log-odds of the fit rows' rate, kept finite when one class is absent.
func baseLogit(labels []bool, rows []int32) float64 {
	positives := 0.5
	for _, row := range rows {
		if labels[row] {
			positives++
		}
	}
	return math.Log(positives / (float64(len(rows)) + 1 - positives))
}

// round grows one tree; it reports false when no split is worth making any more.
func (b *booster) round() bool {
	b.sampleRows()
	b.sampleColumns()
	b.differentiate()
	tree := b.grow()
	if len(tree) == 1 {
		// Another sample might still split, but a root that finds nothing is the sign that little is left to learn.
		return false
	}
	b.advance(tree)
	b.forest.Trees = append(b.forest.Trees, tree)
	b.validate()
	return true
}

func (b *booster) sampleRows() {
	b.order, b.rest = b.order[:0], b.rest[:0]
	for _, row := range b.fit {
		if b.params.RowShare >= 1 || b.rng.Float64() < b.params.RowShare {
			b.order = append(b.order, row)
			continue
		}
		b.rest = append(b.rest, row)
	}
	if len(b.order) == 0 {
		b.order, b.rest = append(b.order, b.fit...), b.rest[:0]
	}
}

func (b *booster) sampleColumns() {
	n := len(b.data.Features)
	keep := max(1, int(math.Ceil(b.params.ColumnShare*float64(n))))
	b.columns = b.columns[:0]
	for i := range n {
		// Selection sampling keeps the columns in order, so histograms are walked in the same order on every run.
		if b.rng.IntN(n-i) < keep-len(b.columns) {
			b.columns = append(b.columns, i)
		}
	}
}

// differentiate computes gradient and hessian of the log-loss for the sampled rows.
func (b *booster) differentiate() {
	for _, row := range b.order {
		p := sigmoid(b.margin[row])
		b.hess[row] = float32(max(p*(1-p), 1e-12))
		if b.data.Labels[row] {
			p--
		}
		b.grad[row] = float32(p)
	}
}

func (b *booster) advance(tree Tree) {
	for _, rows := range [][]int32{b.order, b.rest, b.valid} {
		for _, row := range rows {
			b.margin[row] += float64(b.route(tree, row).Value)
		}
	}
}

func (b *booster) validate() {
	if len(b.valid) == 0 {
		return
	}
	loss := 0.0
	for _, row := range b.valid {
		m := b.margin[row]
		if b.data.Labels[row] {
			m = -m
		}
		loss += softplus(m)
	}
	if loss < b.bestLoss {
		b.bestLoss, b.bestRound = loss, len(b.forest.Trees)
	}
}

func (b *booster) stalled() bool {
	return len(b.valid) > 0 && b.params.Patience > 0 && len(b.forest.Trees)-b.bestRound >= b.params.Patience
}

func (b *booster) result() *Forest {
	if len(b.valid) > 0 {
		b.forest.Trees = b.forest.Trees[:b.bestRound]
	}
	return &b.forest
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplus is log(1+exp(x)) without overflow.
func softplus(x float64) float64 {
	if x > 30 {
		return x
	}
	return math.Log1p(math.Exp(x))
}
