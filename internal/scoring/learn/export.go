package learn

import (
	"encoding/json"
	"fmt"

	"crm/internal/scoring/learn/gbdt"
	"crm/internal/scoring/learn/onnxfile"
)

// The names that the graph and its readers agree on.
const (
	InputName       = "input"       // [N, Layout.Width] float32, NaN for missing numbers
	LogitName       = "logit"       // [N, 1] calibrated log-odds
	ProbabilityName = "probability" // [N, 1]

	MetadataLayout     = "crm.layout"      // the layout as JSON
	MetadataLayoutHash = "crm.layout_hash" // its hash
	MetadataVersion    = "crm.version"     // the version given to ONNX
)

// ONNX returns the model as an ONNX file: opset 17 with ai.onnx.ml 3, readable by any runtime. version is the model's
// own identity, stored in the metadata beside the layout. Two calls give the same bytes.
func (m *Model) ONNX(version string) ([]byte, error) {
	layout, err := json.Marshal(m.Layout)
	if err != nil {
		return nil, fmt.Errorf("write layout into model file: %w", err)
	}
	g := graph{Graph: onnxfile.Graph{
		Name:    "score",
		Inputs:  []onnxfile.Port{{Name: InputName, Columns: m.Layout.Width}},
		Outputs: []onnxfile.Port{{Name: LogitName, Columns: 1}, {Name: ProbabilityName, Columns: 1}},
	}}
	blend := g.ridge(&m.Linear)
	if m.Forest != nil {
		blend = g.mix(m.TreeShare, blend, g.trees(m.Forest))
	}
	g.calibrate(m.Calibration, blend)
	file := onnxfile.Model{
		Producer: "crm", Version: modelFormat, Doc: "chance that a record converts",
		Metadata: []onnxfile.Entry{
			{Key: MetadataLayout, Value: string(layout)},
			{Key: MetadataLayoutHash, Value: m.Layout.Hash},
			{Key: MetadataVersion, Value: version},
		},
		Graph: g.Graph,
	}
	return file.Marshal(), nil
}

// graph adds nodes and hands on the names of their results.
type graph struct{ onnxfile.Graph }

func (g *graph) node(op, out string, in ...string) string {
	g.Nodes = append(g.Nodes, onnxfile.Node{Op: op, Inputs: in, Outputs: []string{out}})
	return out
}

func (g *graph) tensor(name string, data []float32, dims ...int64) string {
	g.Tensors = append(g.Tensors, onnxfile.Tensor{Name: name, Dims: dims, Data: data})
	return name
}

func (g *graph) scalar(name string, v float64) string {
	return g.tensor(name, []float32{float32(v)}, 1, 1)
}

// ridge follows Linear.scaled operation by operation: fill, clip, centre, scale, weigh.
func (g *graph) ridge(l *Linear) string {
	n := int64(len(l.Mean))
	row := func(name string, data []float32) string { return g.tensor(name, data, 1, n) }
	column := func(name string, data []float32) string { return g.tensor(name, data, n, 1) }
	mean := row("mean", l.Mean)
	missing := g.node("IsNaN", "missing", InputName)
	x := g.node("Where", "filled", missing, mean, InputName)
	x = g.node("Max", "raised", x, row("low", l.Low))
	x = g.node("Min", "clipped", x, row("high", l.High))
	x = g.node("Sub", "centred", x, mean)
	x = g.node("Mul", "scaled", x, row("scale", l.Scale))
	sum := g.node("MatMul", "weighted", x, column("weight", l.Weight))
	g.node("Cast", "absent_flags", missing)
	g.Nodes[len(g.Nodes)-1].Attributes = []onnxfile.Attribute{{Name: "to", Value: int64(onnxfile.ElementFloat)}}
	absent := g.node("MatMul", "absent_weighted", "absent_flags", column("absent", l.Absent))
	sum = g.node("Add", "ridge_sum", sum, absent)
	return g.node("Add", "ridge", sum, g.scalar("intercept", float64(l.Intercept)))
}

func (g *graph) mix(treeShare float64, ridge, trees string) string {
	a := g.node("Mul", "ridge_part", ridge, g.scalar("ridge_share", 1-treeShare))
	b := g.node("Mul", "tree_part", trees, g.scalar("tree_share", treeShare))
	return g.node("Add", "blend", a, b)
}

func (g *graph) calibrate(c Calibration, z string) {
	z = g.node("Mul", "sloped", z, g.scalar("slope", c.A))
	z = g.node("Add", LogitName, z, g.scalar("level", c.B))
	g.node("Sigmoid", ProbabilityName, z)
}

// ensemble is a forest in the parallel lists of TreeEnsembleRegressor.
type ensemble struct {
	treeIDs, nodeIDs, features, yes, no, missingYes []int64
	values                                          []float32
	modes                                           []string
	leafTrees, leafNodes, leafTargets               []int64
	leafValues                                      []float32
}

func (g *graph) trees(f *gbdt.Forest) string {
	var e ensemble
	for i, tree := range f.Trees {
		for j := range tree {
			e.add(int64(i), int64(j), &tree[j])
		}
	}
	g.Nodes = append(g.Nodes, onnxfile.Node{
		Op: "TreeEnsembleRegressor", ML: true, Inputs: []string{InputName}, Outputs: []string{"trees"},
		Attributes: e.attributes(float32(f.Base)),
	})
	return "trees"
}

func (e *ensemble) add(tree, id int64, n *gbdt.Node) {
	e.treeIDs, e.nodeIDs = append(e.treeIDs, tree), append(e.nodeIDs, id)
	mode, missing := "BRANCH_LEQ", int64(0)
	if n.MissingLeft {
		missing = 1
	}
	if n.Leaf() {
		mode, missing = "LEAF", 0
		e.leafTrees, e.leafNodes = append(e.leafTrees, tree), append(e.leafNodes, id)
		e.leafTargets, e.leafValues = append(e.leafTargets, 0), append(e.leafValues, n.Value)
	}
	e.modes = append(e.modes, mode)
	e.features = append(e.features, int64(max(n.Slot, 0)))
	e.values = append(e.values, n.Threshold)
	e.yes, e.no = append(e.yes, int64(n.Left)), append(e.no, int64(n.Right))
	e.missingYes = append(e.missingYes, missing)
}

func (e *ensemble) attributes(base float32) []onnxfile.Attribute {
	return []onnxfile.Attribute{
		{Name: "aggregate_function", Value: "SUM"},
		{Name: "base_values", Value: []float32{base}},
		{Name: "n_targets", Value: int64(1)},
		{Name: "nodes_falsenodeids", Value: e.no},
		{Name: "nodes_featureids", Value: e.features},
		{Name: "nodes_missing_value_tracks_true", Value: e.missingYes},
		{Name: "nodes_modes", Value: e.modes},
		{Name: "nodes_nodeids", Value: e.nodeIDs},
		{Name: "nodes_treeids", Value: e.treeIDs},
		{Name: "nodes_truenodeids", Value: e.yes},
		{Name: "nodes_values", Value: e.values},
		{Name: "post_transform", Value: "NONE"},
		{Name: "target_ids", Value: e.leafTargets},
		{Name: "target_nodeids", Value: e.leafNodes},
		{Name: "target_treeids", Value: e.leafTrees},
		{Name: "target_weights", Value: e.leafValues},
	}
}
