package gbdt

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// trainingSet is a made-up training set together with the vectors its bins stand for.
type trainingSet struct {
	data    *Data
	vectors [][]float32
	width   int
}

// makeSet has two numbers (the second often missing, and telling when it is), and two categories.
func makeSet(n int, seed uint64) trainingSet {
	rng := rand.New(rand.NewPCG(seed, 1))
	numbers := [2][]float32{make([]float32, n), make([]float32, n)}
	levels := [2][]uint8{make([]uint8, n), make([]uint8, n)}
	labels := make([]bool, n)
	set := trainingSet{width: 2 + 5 + 3}
	for i := range n {
		a, b := rng.NormFloat64(), rng.NormFloat64()
		numbers[0][i], numbers[1][i] = float32(a), float32(b)
		levels[0][i], levels[1][i] = uint8(rng.IntN(5)), uint8(rng.IntN(3))
		z := a*a - 1.5
		if rng.IntN(3) == 0 {
			numbers[1][i] = float32(math.NaN())
			z += 1.5
		} else {
			z += 0.5 * b
		}
		if levels[0][i] == 3 {
			z += 1.2
		}
		labels[i] = rng.Float64() < sigmoid(z)
		x := make([]float32, set.width)
		x[0], x[1], x[2+levels[0][i]], x[7+levels[1][i]] = numbers[0][i], numbers[1][i], 1, 1
		set.vectors = append(set.vectors, x)
	}
	set.data = &Data{Labels: labels, Features: []Feature{
		numericFeature(0, numbers[0]), numericFeature(1, numbers[1]),
		{Offset: 2, Levels: 5, Bins: levels[0]},
		{Offset: 7, Levels: 3, Bins: levels[1]},
	}}
	return set
}

func numericFeature(offset int, values []float32) Feature {
	f := Feature{Offset: offset, Cuts: Cuts(values)}
	for _, v := range values {
		f.Bins = append(f.Bins, Bin(f.Cuts, v))
	}
	return f
}

func rows(from, to int) []int32 {
	var out []int32
	for i := from; i < to; i++ {
		out = append(out, int32(i))
	}
	return out
}

func train(t *testing.T, set trainingSet, p Params) *Forest {
	t.Helper()
	n := len(set.data.Labels)
	forest, err := Train(context.Background(), set.data, rows(0, n*4/5), rows(n*4/5, n), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return forest
}

func logLoss(f *Forest, set trainingSet, from, to int) float64 {
	sum := 0.0
	for i := from; i < to; i++ {
		z := f.Logit(set.vectors[i])
		if set.data.Labels[i] {
			z = -z
		}
		sum += softplus(z)
	}
	return sum / float64(to-from)
}

func TestTrainLearnsWhatARidgeCannot(t *testing.T) {
	t.Parallel()
	set := makeSet(6000, 1)
	forest := train(t, set, Defaults(1))
	if err := forest.Check(set.width, len(set.data.Features)); err != nil {
		t.Fatal(err)
	}
	fresh := makeSet(4000, 2)
	base := (&Forest{Base: forest.Base})
	got, without := logLoss(forest, fresh, 0, 4000), logLoss(base, fresh, 0, 4000)
	if got > 0.93*without {
		t.Errorf("log-loss %.4f on new rows, %.4f without trees", got, without)
	}
}

func TestTrainIsDeterministic(t *testing.T) {
	t.Parallel()
	set := makeSet(2000, 3)
	first, second := train(t, set, Defaults(7)), train(t, set, Defaults(7))
	if !reflect.DeepEqual(first, second) {
		t.Error("one seed gave two forests")
	}
	if reflect.DeepEqual(first, train(t, set, Defaults(8))) {
		t.Error("another seed gave the same forest")
	}
}

// TestBinsAndVectorsAgree guards the seam between training, which sees bins, and scoring, which sees vectors: a row must
// reach the same leaf either way.
func TestBinsAndVectorsAgree(t *testing.T) {
	t.Parallel()
	set := makeSet(1500, 4)
	b := newBooster(set.data, rows(0, 1500), nil, Defaults(4))
	for range 20 {
		if !b.round() {
			break
		}
		tree := b.forest.Trees[len(b.forest.Trees)-1]
		for i, x := range set.vectors {
			if got, want := tree.value(x), b.route(tree, int32(i)).Value; got != want {
				t.Fatalf("row %d: %v by vector, %v by bins", i, got, want)
			}
		}
	}
	for i, x := range set.vectors {
		if diff := math.Abs(b.margin[i] - b.forest.Logit(x)); diff > 1e-9 {
			t.Fatalf("row %d: margin differs by %g", i, diff)
		}
	}
}

func TestMissingValuesChooseTheirSide(t *testing.T) {
	t.Parallel()
	n := 400
	values, labels := make([]float32, n), make([]bool, n)
	for i := range n {
		values[i] = 5 // one value only: presence is all there is to learn
		if i%2 == 0 {
			values[i] = float32(math.NaN())
			labels[i] = true
		}
	}
	data := &Data{Labels: labels, Features: []Feature{numericFeature(0, values)}}
	p := Defaults(1)
	p.Rounds = 30
	forest, err := Train(context.Background(), data, rows(0, n), nil, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	missing, present := forest.Logit([]float32{float32(math.NaN())}), forest.Logit([]float32{5})
	if missing < 1 || present > -1 {
		t.Errorf("missing %.2f, present %.2f; want them far apart", missing, present)
	}
}

func TestTrainStopsWithContextAndEarly(t *testing.T) {
	t.Parallel()
	set := makeSet(1000, 5)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Train(ctx, set.data, rows(0, 1000), nil, Defaults(1), func(trees int) {
		if trees == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	grown := 0
	forest, err := Train(context.Background(), set.data, rows(0, 800), rows(800, 1000), Defaults(1), func(trees int) { grown = trees })
	if err != nil {
		t.Fatal(err)
	}
	if grown == 600 || len(forest.Trees) > grown-50 {
		t.Errorf("grew %d and kept %d trees; want an early stop after 50 useless ones", grown, len(forest.Trees))
	}
}

func TestCutsSeparateNeighbours(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float32(), 0, 800).Draw(t, "values")
		cuts := Cuts(values)
		if len(cuts) > maxCuts || !slices.IsSorted(cuts) {
			t.Fatalf("%d cuts, sorted %v", len(cuts), slices.IsSorted(cuts))
		}
		for _, v := range values {
			bin := int(Bin(cuts, v))
			if bin <= len(cuts) && !(v <= cuts[bin-1]) || bin > 1 && !(v > cuts[bin-2]) {
				t.Fatalf("%v is in bin %d of %v", v, bin, cuts)
			}
		}
		distinct := slices.Clone(values)
		slices.Sort(distinct)
		distinct = slices.Compact(distinct)
		if len(distinct) <= 255 && len(cuts) != max(0, len(distinct)-1) {
			t.Fatalf("%d cuts for %d values", len(cuts), len(distinct))
		}
	})
}

func TestExplainAddsUp(t *testing.T) {
	t.Parallel()
	set := makeSet(3000, 6)
	forest := train(t, set, Defaults(1))
	expected := forest.Expected()
	for _, x := range set.vectors[:300] {
		effects := make([]float64, 4)
		forest.Explain(x, effects)
		sum := expected
		for _, e := range effects {
			sum += e
		}
		if diff := math.Abs(sum - forest.Logit(x)); diff > 1e-9 {
			t.Fatalf("effects miss the prediction by %g", diff)
		}
	}
}

// TestExplainEqualsBruteForce computes Shapley values by their definition, over all coalitions of fields.
func TestExplainEqualsBruteForce(t *testing.T) {
	t.Parallel()
	set := makeSet(1500, 7)
	p := Defaults(2)
	p.Rounds, p.Depth, p.Patience = 6, 5, 0
	forest := train(t, set, p)
	for _, x := range set.vectors[:60] {
		got := make([]float64, 4)
		forest.Explain(x, got)
		for field, want := range bruteForce(forest, x, 4) {
			if diff := math.Abs(got[field] - want); diff > 1e-12 {
				t.Fatalf("field %d: %g instead of %g", field, got[field], want)
			}
		}
	}
}

func bruteForce(f *Forest, x []float32, fields int) []float64 {
	worth := make([]float64, 1<<fields)
	for coalition := range worth {
		for _, tree := range f.Trees {
			worth[coalition] += game(tree, 0, x, uint(coalition))
		}
	}
	effects := make([]float64, fields)
	for field := range effects {
		for coalition := range worth {
			if coalition>>field&1 == 1 {
				continue
			}
			s := bits.OnesCount(uint(coalition))
			weight := factorial(s) * factorial(fields-s-1) / factorial(fields)
			effects[field] += weight * (worth[coalition|1<<field] - worth[coalition])
		}
	}
	return effects
}

// game is the expected leaf when only the coalition's fields are known.
func game(tree Tree, at int32, x []float32, coalition uint) float64 {
	n := &tree[at]
	if n.Leaf() {
		return float64(n.Value)
	}
	if coalition>>n.Field&1 == 1 {
		return game(tree, n.next(x[n.Slot]), x, coalition)
	}
	l, r := float64(tree[n.Left].Cover), float64(tree[n.Right].Cover)
	return (l*game(tree, n.Left, x, coalition) + r*game(tree, n.Right, x, coalition)) / (l + r)
}

func factorial(n int) float64 {
	f := 1.0
	for i := 2; i <= n; i++ {
		f *= float64(i)
	}
	return f
}

func TestCheckRefusesDamagedForests(t *testing.T) {
	t.Parallel()
	leaf := Node{Slot: -1, Field: -1}
	for name, tree := range map[string]Tree{
		"empty":          {},
		"cycle":          {{Left: 0, Right: 1}, leaf},
		"child beyond":   {{Left: 1, Right: 2}, leaf},
		"shared child":   {{Left: 1, Right: 1}, leaf},
		"unknown slot":   {{Slot: 9, Left: 1, Right: 2}, leaf, leaf},
		"unknown field":  {{Field: 9, Left: 1, Right: 2}, leaf, leaf},
		"negative field": {{Field: -1, Left: 1, Right: 2}, leaf, leaf},
		"orphan":         {leaf, leaf},
	} {
		forest := Forest{Trees: []Tree{tree}}
		if err := forest.Check(3, 3); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good := Forest{Trees: []Tree{{{Left: 1, Right: 2}, leaf, leaf}}}
	if err := good.Check(3, 3); err != nil {
		t.Errorf("good tree: %v", err)
	}
}

func TestTrainRefusesUnevenData(t *testing.T) {
	t.Parallel()
	data := &Data{Labels: make([]bool, 3), Features: []Feature{{Levels: 2, Bins: make([]uint8, 2)}}}
	if _, err := Train(context.Background(), data, rows(0, 3), nil, Defaults(1), nil); err == nil {
		t.Error("uneven data was accepted")
	}
	if _, err := Train(context.Background(), &Data{}, nil, nil, Defaults(1), nil); err == nil {
		t.Error("no rows were accepted")
	}
}
