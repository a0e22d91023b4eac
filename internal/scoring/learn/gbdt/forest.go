package gbdt

import "fmt"

// Node is a split or a leaf of a tree. A split sends a row left when x[Slot] <= Threshold, right otherwise, and a
// missing number (NaN) left when MissingLeft. A leaf has Slot -1 and carries Value in log-odds.
type Node struct {
	Slot        int32   `json:"s"`
	Field       int32   `json:"f"`
	Threshold   float32 `json:"t"`
	MissingLeft bool    `json:"m,omitempty"`
	Left        int32   `json:"l"`
	Right       int32   `json:"r"`
	Value       float32 `json:"v"`
	// Cover is the summed hessian of the training rows that reached the node: the weight explanations average with.
	Cover float32 `json:"c"`
}

// Leaf reports whether the node ends a path.
func (n *Node) Leaf() bool { return n.Slot < 0 }

// Tree is a list of nodes; the first is the root and children come after their parents.
type Tree []Node

// Forest is a trained ensemble: Base log-odds plus one leaf per tree.
type Forest struct {
	Base  float64 `json:"base"`
	Trees []Tree  `json:"trees"`
}

// Logit returns the log-odds of an encoded vector. It allocates nothing and is safe for concurrent use.
func (f *Forest) Logit(x []float32) float64 {
	sum := f.Base
	for _, tree := range f.Trees {
		sum += float64(tree.value(x))
	}
	return sum
}

func (t Tree) value(x []float32) float32 {
	node := &t[0]
	for node.Slot >= 0 {
		node = &t[node.next(x[node.Slot])]
	}
	return node.Value
}

func (n *Node) next(v float32) int32 {
	if v <= n.Threshold || (v != v && n.MissingLeft) {
		return n.Left
	}
	return n.Right
}

// Check verifies that every path ends in a leaf and touches only slots and fields that exist, so that a damaged or
// hostile model file is refused when it is read and never loops or panics when it scores.
func (f *Forest) Check(width, fields int) error {
	for i, tree := range f.Trees {
		if err := tree.check(width, fields); err != nil {
			return fmt.Errorf("tree %d: %w", i, err)
		}
	}
	return nil
}

func (t Tree) check(width, fields int) error {
	if len(t) == 0 {
		return fmt.Errorf("it is empty")
	}
	depth := make([]int, len(t)) // 0 = not reached yet; the root is 1
	depth[0] = 1
	for at := range t {
		n := &t[at]
		if depth[at] == 0 {
			return fmt.Errorf("node %d has no parent", at)
		}
		if n.Leaf() {
			continue
		}
		if int(n.Slot) >= width || n.Field < 0 || int(n.Field) >= fields || depth[at] > maxPath {
			return fmt.Errorf("node %d splits on slot %d of field %d, which the layout does not have", at, n.Slot, n.Field)
		}
		if err := t.adopt(depth, at); err != nil {
			return err
		}
	}
	return nil
}

// adopt marks the children of a node. Children after parents and one parent each: that rules out cycles.
func (t Tree) adopt(depth []int, at int) error {
	for _, child := range [2]int32{t[at].Left, t[at].Right} {
		if int(child) <= at || int(child) >= len(t) || depth[child] != 0 {
			return fmt.Errorf("node %d has a child %d out of order", at, child)
		}
		depth[child] = depth[at] + 1
	}
	return nil
}
