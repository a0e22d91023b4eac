package learn

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"crm/internal/scoring/learn/gbdt"
	"crm/internal/scoring/learn/ridge"
)

const (
	// ridgeC is the inverse penalty: 0.1 wins below a thousand leads and is level above.
	ridgeC = 0.1
	// treePositives is how many conversions the trees need before they help.
	treePositives = 150
	// stopShare of the rows, drawn at random, tells the trees when to stop. Random and not the latest: early stopping
	// on another period stops for the wrong reason.
	stopShare = 0.15
)

// fitter trains models on subsets of one table.
type fitter struct {
	table    *Table
	columns  []int // usable columns
	seed     uint64
	progress func(trees int)
}

// fit trains a model, not yet calibrated, on the given rows, with the trees' weight in the blend as given.
func (f *fitter) fit(ctx context.Context, rows []int32, treeShare float64) (*Model, error) {
	layout, err := fitLayout(f.table, f.columns, rows)
	if err != nil {
		return nil, err
	}
	m := &Model{Format: modelFormat, Layout: layout, Calibration: Calibration{A: 1}}
	e := layout.bind(f.table)
	if m.Linear, err = f.fitLinear(ctx, e, rows); err != nil {
		return nil, err
	}
	if positives(f.table.Labels, rows) < treePositives {
		return m, nil
	}
	forest, err := f.fitForest(ctx, e, rows)
	if err != nil {
		return nil, err
	}
	if len(forest.Trees) > 0 {
		m.Forest, m.TreeShare = forest, treeShare
	}
	return m, nil
}

// fitForest grows trees on most of the rows and stops by the rest.
func (f *fitter) fitForest(ctx context.Context, e *encoder, rows []int32) (*gbdt.Forest, error) {
	data := &gbdt.Data{Labels: pick(f.table.Labels, rows), Features: make([]gbdt.Feature, len(e.layout.Fields))}
	for i := range data.Features {
		data.Features[i] = e.feature(i, rows)
	}
	fit, valid := draw(span(0, len(rows)), stopShare, f.seed)
	forest, err := gbdt.Train(ctx, data, fit, valid, gbdt.Defaults(f.seed), f.progress)
	if err != nil {
		return nil, fmt.Errorf("fit trees: %w", err)
	}
	return forest, nil
}

// draw splits rows at random, keeping their order in both parts.
func draw(rows []int32, share float64, seed uint64) (rest, drawn []int32) {
	rng := rand.New(rand.NewPCG(seed, 0xd4a3))
	for _, row := range rows {
		if rng.Float64() < share {
			drawn = append(drawn, row)
			continue
		}
		rest = append(rest, row)
	}
	return rest, drawn
}

// feature bins one field of the given rows for the trees.
func (e *encoder) feature(field int, rows []int32) gbdt.Feature {
	f := &e.layout.Fields[field]
	out := gbdt.Feature{Offset: f.Offset, Bins: make([]uint8, len(rows))}
	if f.Kind == Category {
		out.Levels = f.slots()
		for i, row := range rows {
			out.Bins[i] = uint8(e.slot(field, row) - int32(f.Offset))
		}
		return out
	}
	values := e.numbers(field, rows)
	out.Cuts = gbdt.Cuts(values)
	for i, v := range values {
		out.Bins[i] = gbdt.Bin(out.Cuts, v)
	}
	return out
}

func (e *encoder) numbers(field int, rows []int32) []float32 {
	values := make([]float32, len(rows))
	for i, row := range rows {
		values[i] = e.number(field, row)
	}
	return values
}

// fitLinear standardises the numbers, fits the ridge on the non-zeros and spreads its weights over the vector.
func (f *fitter) fitLinear(ctx context.Context, e *encoder, rows []int32) (Linear, error) {
	l := newLinear(e.layout.Width)
	d := newDesign(e, &l, rows)
	weights, err := ridge.Fit(ctx, &d.Design, pick(f.table.Labels, rows), ridgeC)
	if err != nil {
		return l, err
	}
	d.spread(weights, &l)
	return l, nil
}

func newLinear(width int) Linear {
	l := Linear{}
	for _, part := range []*[]float32{&l.Mean, &l.Scale, &l.Low, &l.High, &l.Weight, &l.Absent, &l.Background, &l.AbsentRate} {
		*part = make([]float32, width)
	}
	for i := range width {
		l.Scale[i], l.High[i] = 1, 1 // right for levels; numbers overwrite it
	}
	return l
}

// design maps between the ridge's columns and the vector's slots: numbers first, then, field by field, either the
// field's slots or a number's "missing" column.
type design struct {
	ridge.Design
	e       *encoder
	numbers []int   // numeric fields
	columns []int32 // per field: first ridge column after the numbers
}

func newDesign(e *encoder, l *Linear, rows []int32) *design {
	d := &design{e: e}
	for i := range e.layout.Fields {
		if e.layout.Fields[i].Kind == Number {
			d.numbers = append(d.numbers, i)
		}
	}
	d.Numbers, d.Choices = len(d.numbers), len(e.layout.Fields)
	d.Width = d.Numbers
	for i := range e.layout.Fields {
		d.columns = append(d.columns, int32(d.Width))
		d.Width += e.layout.Fields[i].slots()
	}
	d.fillNumbers(l, rows)
	d.fillSlots(l, rows)
	return d
}

func (d *design) fillNumbers(l *Linear, rows []int32) {
	d.Numeric = make([]float32, len(rows)*d.Numbers)
	for at, field := range d.numbers {
		slot := d.e.layout.Fields[field].Offset
		values := d.e.numbers(field, rows)
		l.standardise(slot, values)
		for i, v := range values {
			d.Numeric[i*d.Numbers+at] = l.scaled(slot, v)
		}
	}
}

func (d *design) fillSlots(l *Linear, rows []int32) {
	d.Slots = make([]int32, len(rows)*d.Choices)
	share := 1 / float64(max(1, len(rows)))
	counts := make([]int, d.Width)
	for i, row := range rows {
		for field := range d.e.layout.Fields {
			column := d.column(field, row)
			d.Slots[i*d.Choices+field] = column
			if column >= 0 {
				counts[column]++
			}
		}
	}
	for i := range d.e.layout.Fields {
		f := &d.e.layout.Fields[i]
		for s := range f.slots() {
			rate := float32(float64(counts[int(d.columns[i])+s]) * share)
			if f.Kind == Number {
				l.AbsentRate[f.Offset] = rate
			} else {
				l.Background[f.Offset+s] = rate
			}
		}
	}
}

// column is the ridge column a field sets in a row, or -1.
func (d *design) column(field int, row int32) int32 {
	f := &d.e.layout.Fields[field]
	if f.Kind == Category {
		return d.columns[field] + d.e.slot(field, row) - int32(f.Offset)
	}
	if v := d.e.number(field, row); v != v {
		return d.columns[field]
	}
	return -1
}

// spread writes fitted weights to their slots. A level no training row had keeps weight zero.
func (d *design) spread(w *ridge.Weights, l *Linear) {
	l.Intercept = float32(w.Intercept)
	for at, field := range d.numbers {
		l.Weight[d.e.layout.Fields[field].Offset] = float32(w.Columns[at])
	}
	for i := range d.e.layout.Fields {
		f := &d.e.layout.Fields[i]
		for s := range f.slots() {
			weight := float32(w.Columns[int(d.columns[i])+s])
			if f.Kind == Number {
				l.Absent[f.Offset] = weight
			} else {
				l.Weight[f.Offset+s] = weight
			}
		}
	}
}

// fewValues is up to how many different values a number keeps its full range; above, half a percent at either end is
// clipped, so that one lead with a billion employees does not set the scale for all.
const fewValues = 32

// standardise sets the clip range, mean and scale of a numeric slot, and the mean of its scaled values.
func (l *Linear) standardise(slot int, values []float32) {
	present := make([]float32, 0, len(values))
	for _, v := range values {
		if v == v {
			present = append(present, v)
		}
	}
	if len(present) == 0 {
		return
	}
	slices.Sort(present)
	l.Low[slot], l.High[slot] = clipRange(present)
	var sum, squares float64
	for _, v := range present {
		sum += float64(min(max(v, l.Low[slot]), l.High[slot]))
	}
	mean := sum / float64(len(present))
	for _, v := range present {
		d := float64(min(max(v, l.Low[slot]), l.High[slot])) - mean
		squares += d * d
	}
	l.Mean[slot] = float32(mean)
	if sd := math.Sqrt(squares / float64(len(present))); sd > 1e-6*math.Abs(mean) {
		l.Scale[slot] = float32(1 / sd)
	} else {
		l.Scale[slot] = 0
	}
}

func clipRange(sorted []float32) (low, high float32) {
	n, different := len(sorted), 1
	for i := 1; i < n && different <= fewValues; i++ {
		if sorted[i] != sorted[i-1] {
			different++
		}
	}
	if different <= fewValues {
		return sorted[0], sorted[n-1]
	}
	return sorted[n/200], sorted[n-1-n/200]
}
