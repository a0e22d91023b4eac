package gbdt

import (
	"math"
	"math/rand/v2"
)

// cell is one bin of a histogram: summed gradient and hessian of the rows in it.
type cell struct{ g, h float64 }

// split is the best division of a node found so far, in bins.
type split struct {
	gain        float64
	feature     int
	bin         uint8
	missingLeft bool
	left, right cell
}

// frontier is a node that may still be split: its rows are order[from:to].
type frontier struct {
	node     int32
	from, to int
	sum      cell
	hist     []cell
}

// grower holds the buffers of one training run; they are reused by every tree.
type grower struct {
	data    *Data
	params  Params
	rng     *rand.Rand
	grad    []float32 // per row
	hess    []float32 // per row
	offsets []int     // first histogram cell of each feature
	cells   int
	columns []int   // features this tree may use
	order   []int32 // sampled rows, grouped by node
	scratch []int32
	gathered
	free [][]cell
	// binSplit keeps each tree node's split in bins, to route rows that were not sampled without their vectors.
	binSplit []split
}

// gathered holds gradients in row order of the node at hand, so that every feature's pass reads memory in sequence.
type gathered struct{ g, h []float32 }

func newGrower(data *Data, params Params, rows int) *grower {
	n := len(data.Labels)
	w := &grower{
		data: data, params: params,
		rng:      rand.New(rand.NewPCG(params.Seed, 0x5eed)),
		grad:     make([]float32, n),
		hess:     make([]float32, n),
		scratch:  make([]int32, rows),
		gathered: gathered{g: make([]float32, rows), h: make([]float32, rows)},
	}
	for i := range data.Features {
		w.offsets = append(w.offsets, w.cells)
		w.cells += data.Features[i].bins()
	}
	return w
}

// grow builds one tree on the rows in w.order.
func (w *grower) grow() Tree {
	root := frontier{to: len(w.order)}
	root.hist = w.histogram(root.from, root.to)
	root.sum = w.total(root.from, root.to)
	tree := Tree{w.leaf(root.sum)}
	w.binSplit = append(w.binSplit[:0], split{})
	level := []frontier{root}
	for depth := 0; depth < w.params.Depth && len(level) > 0; depth++ {
		level = w.deepen(&tree, level, depth+1 == w.params.Depth)
	}
	for _, f := range level {
		w.recycle(f.hist)
	}
	return tree
}

// deepen splits every node of a level that is worth splitting and returns the children.
func (w *grower) deepen(tree *Tree, level []frontier, last bool) []frontier {
	var next []frontier
	for _, f := range level {
		s := w.best(f)
		if s.gain <= 0 {
			w.recycle(f.hist)
			continue
		}
		left, right := w.divide(tree, f, s)
		if last {
			w.recycle(f.hist)
			continue
		}
		w.inherit(&left, &right, f.hist)
		next = append(next, left, right)
	}
	return next
}

// inherit gives both children their histograms: the smaller one is counted, the larger is parent minus smaller.
func (w *grower) inherit(left, right *frontier, parent []cell) {
	small, large := left, right
	if left.to-left.from > right.to-right.from {
		small, large = right, left
	}
	small.hist = w.histogram(small.from, small.to)
	for i := range parent {
		parent[i].g -= small.hist[i].g
		parent[i].h -= small.hist[i].h
	}
	large.hist = parent
}

func (w *grower) divide(tree *Tree, f frontier, s split) (left, right frontier) {
	middle := w.partition(f.from, f.to, s)
	left = frontier{node: int32(len(*tree)), from: f.from, to: middle, sum: s.left}
	right = frontier{node: left.node + 1, from: middle, to: f.to, sum: s.right}
	node := &(*tree)[f.node]
	node.Left, node.Right, node.Value = left.node, right.node, 0
	node.Field = int32(s.feature)
	node.Slot, node.Threshold = w.rule(s)
	node.MissingLeft = s.missingLeft
	w.binSplit[f.node] = s
	w.binSplit = append(w.binSplit, split{}, split{})
	*tree = append(*tree, w.leaf(s.left), w.leaf(s.right))
	return left, right
}

// rule turns a split in bins into one on the encoded vector.
func (w *grower) rule(s split) (slot int32, threshold float32) {
	f := &w.data.Features[s.feature]
	if f.Levels > 0 {
		return int32(f.Offset + int(s.bin)), 0.5
	}
	if int(s.bin) > len(f.Cuts) {
		return int32(f.Offset), math.MaxFloat32 // any value against none
	}
	return int32(f.Offset), f.Cuts[s.bin-1]
}

func (w *grower) leaf(sum cell) Node {
	value := -w.params.Eta * sum.g / (sum.h + w.params.Lambda)
	return Node{Slot: -1, Field: -1, Value: float32(value), Cover: float32(sum.h)}
}

func (w *grower) total(from, to int) cell {
	var sum cell
	for _, row := range w.order[from:to] {
		sum.g += float64(w.grad[row])
		sum.h += float64(w.hess[row])
	}
	return sum
}

// histogram adds up gradients per bin of every sampled column for the rows order[from:to].
func (w *grower) histogram(from, to int) []cell {
	hist := w.take()
	rows := w.order[from:to]
	g, h := w.g[:len(rows)], w.h[:len(rows)]
	for i, row := range rows {
		g[i], h[i] = w.grad[row], w.hess[row]
	}
	for _, c := range w.columns {
		f := &w.data.Features[c]
		accumulate(hist[w.offsets[c]:w.offsets[c]+f.bins()], f.Bins, rows, g, h)
	}
	return hist
}

func accumulate(hist []cell, bins []uint8, rows []int32, g, h []float32) {
	for i, row := range rows {
		c := &hist[bins[row]]
		c.g += float64(g[i])
		c.h += float64(h[i])
	}
}

func (w *grower) take() []cell {
	if n := len(w.free); n > 0 {
		hist := w.free[n-1]
		w.free = w.free[:n-1]
		clear(hist)
		return hist
	}
	return make([]cell, w.cells)
}

func (w *grower) recycle(hist []cell) { w.free = append(w.free, hist) }

// partition reorders order[from:to] so that rows going left come first, keeping their order (determinism).
func (w *grower) partition(from, to int, s split) int {
	bins := w.data.Features[s.feature].Bins
	left, spill := from, w.scratch[:0]
	for _, row := range w.order[from:to] {
		if w.goesLeft(s, bins[row]) {
			w.order[left] = row
			left++
			continue
		}
		spill = append(spill, row)
	}
	copy(w.order[left:to], spill)
	return left
}

func (w *grower) goesLeft(s split, bin uint8) bool {
	if w.data.Features[s.feature].Levels > 0 {
		return bin != s.bin
	}
	if bin == 0 {
		return s.missingLeft
	}
	return bin <= s.bin
}

// route returns the leaf a training row ends in.
func (w *grower) route(tree Tree, row int32) *Node {
	at := int32(0)
	for !tree[at].Leaf() {
		s := w.binSplit[at]
		if w.goesLeft(s, w.data.Features[s.feature].Bins[row]) {
			at = tree[at].Left
		} else {
			at = tree[at].Right
		}
	}
	return &tree[at]
}
