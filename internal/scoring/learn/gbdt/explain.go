package gbdt

// An explanation divides a forest's log-odds among the fields that made it. The game is the path-dependent one of
// TreeSHAP: a coalition of known fields follows its splits, every unknown split is averaged over its children by the
// weight of the training rows that went there. Fields, not slots, are the players, so one field gets one number however
// many of its levels the trees test.
//
// A leaf's share in that game is a product, one factor per field on its path: 1 or 0 for a known field that agrees or
// disagrees with the path, the product of cover ratios for an unknown one. The Shapley value of such a product needs
// only the elementary symmetric sums of the other fields' factors, and a path of depth d has at most d fields. That makes
// the result exact and the cost leaves × d³.

// maxPath bounds the splits on one path; [Forest.Check] refuses deeper trees.
const maxPath = 16

// factor is one field's part in reaching a leaf.
type factor struct {
	field   int32
	unknown float64 // product of cover ratios
	known   float64 // 1 when the vector agrees with every split of this field on the path, else 0
}

// explainer walks one vector down every path of a tree.
type explainer struct {
	tree    Tree
	x       []float32
	effects []float64
	weights *[maxPath + 1][maxPath + 1]float64
}

// Explain adds each field's exact share of Logit(x) − Expected() to effects, which has one entry per field.
func (f *Forest) Explain(x []float32, effects []float64) {
	weights := shapleyWeights()
	for _, tree := range f.Trees {
		e := explainer{tree: tree, x: x, effects: effects, weights: &weights}
		var path [maxPath]factor
		e.walk(0, path[:0])
	}
}

// Expected is the forest's log-odds with no field known: the starting point that the effects add up from.
func (f *Forest) Expected() float64 {
	sum := f.Base
	for _, tree := range f.Trees {
		sum += tree.expected(0)
	}
	return sum
}

func (t Tree) expected(at int32) float64 {
	node := &t[at]
	if node.Leaf() {
		return float64(node.Value)
	}
	left, right := t.shares(node)
	return left*t.expected(node.Left) + right*t.expected(node.Right)
}

// shares are the parts of a node's training weight that went left and right. They are taken from the children, so
// they add up to one exactly whatever rounding did to the parent.
func (t Tree) shares(node *Node) (left, right float64) {
	l, r := float64(t[node.Left].Cover), float64(t[node.Right].Cover)
	if l+r <= 0 {
		return 0.5, 0.5
	}
	return l / (l + r), r / (l + r)
}

func (e *explainer) walk(at int32, path []factor) {
	node := &e.tree[at]
	if node.Leaf() {
		e.settle(float64(node.Value), path)
		return
	}
	left, right := e.tree.shares(node)
	goes := node.next(e.x[node.Slot])
	e.step(node, node.Left, left, goes == node.Left, path)
	e.step(node, node.Right, right, goes == node.Right, path)
}

// step extends the path by one split, merging it with an earlier split of the same field.
func (e *explainer) step(node *Node, child int32, share float64, agrees bool, path []factor) {
	known := 0.0
	if agrees {
		known = 1
	}
	for i := range path {
		if path[i].field != node.Field {
			continue
		}
		before := path[i]
		path[i].unknown *= share
		path[i].known *= known
		e.walk(child, path)
		path[i] = before
		return
	}
	e.walk(child, append(path, factor{node.Field, share, known}))
}

// settle gives every field on the path its Shapley value of value × Π factors.
func (e *explainer) settle(value float64, path []factor) {
	k := len(path)
	for i := range path {
		// coefficient[s]: summed over coalitions of s other fields, the product of their factors and the rest's.
		var coefficient [maxPath]float64
		coefficient[0] = 1
		size := 0
		for j := range path {
			if j == i {
				continue
			}
			size++
			for s := size; s > 0; s-- {
				coefficient[s] = coefficient[s]*path[j].unknown + coefficient[s-1]*path[j].known
			}
			coefficient[0] *= path[j].unknown
		}
		sum := 0.0
		for s := range k {
			sum += e.weights[k][s] * coefficient[s]
		}
		e.effects[path[i].field] += value * (path[i].known - path[i].unknown) * sum
	}
}

// shapleyWeights[k][s] = s! (k−s−1)! / k!, the weight of a coalition of s among k players.
func shapleyWeights() (w [maxPath + 1][maxPath + 1]float64) {
	for k := 1; k <= maxPath; k++ {
		w[k][0] = 1 / float64(k)
		for s := 1; s < k; s++ {
			w[k][s] = w[k][s-1] * float64(s) / float64(k-s)
		}
	}
	return w
}
