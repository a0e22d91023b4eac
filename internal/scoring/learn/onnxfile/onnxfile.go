// Package onnxfile writes ONNX model files: the few protobuf messages a scoring graph needs, field by field.
//
// The format is protobuf, and its schema is large; a graph of a dozen nodes uses about forty fields of it. Writing those
// with protowire keeps generated code and the schema out of the program. Field numbers are those of the ONNX
// specification; they can never change, so the numbers below are facts, not choices.
//
// The package knows nothing of models or scoring and does not check that a graph makes sense: the runtime that loads
// the file does. It only writes; there is no reader.
package onnxfile

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// irVersion 8 and the operator sets are what every runtime since 2022 understands.
	irVersion   = 8
	opset       = 17
	opsetML     = 3
	domainML    = "ai.onnx.ml"
	elementF32  = 1
	dynamicName = "N"
)

// Kinds of attribute, as the format numbers them.
const (
	kindFloat   = 1
	kindInt     = 2
	kindString  = 3
	kindFloats  = 6
	kindInts    = 7
	kindStrings = 8
)

// ElementFloat is the code of float32, for Cast.
const ElementFloat = elementF32

// Model is a graph with what identifies it.
type Model struct {
	Producer string
	Version  int64
	Doc      string
	Metadata []Entry // written in order, so that equal models are equal files
	Graph    Graph
}

// Entry is one line of metadata.
type Entry struct{ Key, Value string }

// Graph is a list of nodes in execution order. Inputs and outputs are float32 matrices [N, columns].
type Graph struct {
	Name    string
	Nodes   []Node
	Tensors []Tensor
	Inputs  []Port
	Outputs []Port
}

// Port is a named input or output with a fixed number of columns and any number of rows.
type Port struct {
	Name    string
	Columns int
}

// Tensor is a float32 constant.
type Tensor struct {
	Name string
	Dims []int64
	Data []float32
}

// Node applies an operator. ML marks operators of ai.onnx.ml.
type Node struct {
	Op         string
	ML         bool
	Inputs     []string
	Outputs    []string
	Attributes []Attribute
}

// Attribute is a named operand of a node. Value is a float32, int64, string or a slice of one of them.
type Attribute struct {
	Name  string
	Value any
}

// Marshal returns the file's bytes. Equal models give equal bytes.
func (m *Model) Marshal() []byte {
	var w writer
	w.int(1, irVersion)
	w.text(2, m.Producer)
	w.int(5, m.Version)
	w.text(6, m.Doc)
	w.message(7, m.Graph.write)
	w.message(8, func(w *writer) { w.text(1, ""); w.int(2, opset) })
	w.message(8, func(w *writer) { w.text(1, domainML); w.int(2, opsetML) })
	for _, e := range m.Metadata {
		w.message(14, func(w *writer) { w.text(1, e.Key); w.text(2, e.Value) })
	}
	return w.buf
}

func (g *Graph) write(w *writer) {
	for i := range g.Nodes {
		w.message(1, g.Nodes[i].write)
	}
	w.text(2, g.Name)
	for i := range g.Tensors {
		w.message(5, g.Tensors[i].write)
	}
	for _, p := range g.Inputs {
		w.message(11, p.write)
	}
	for _, p := range g.Outputs {
		w.message(12, p.write)
	}
}

func (n *Node) write(w *writer) {
	for _, in := range n.Inputs {
		w.text(1, in)
	}
	for _, out := range n.Outputs {
		w.text(2, out)
	}
	w.text(3, n.Outputs[0])
	w.text(4, n.Op)
	for i := range n.Attributes {
		w.message(5, n.Attributes[i].write)
	}
	if n.ML {
		w.text(7, domainML)
	}
}

func (a *Attribute) write(w *writer) {
	w.text(1, a.Name)
	switch v := a.Value.(type) {
	case float32:
		w.float(2, v)
		w.int(20, kindFloat)
	case int64:
		w.int(3, v)
		w.int(20, kindInt)
	case string:
		w.text(4, v)
		w.int(20, kindString)
	case []float32:
		w.floats(7, v)
		w.int(20, kindFloats)
	case []int64:
		w.ints(8, v)
		w.int(20, kindInts)
	case []string:
		for _, s := range v {
			w.text(9, s)
		}
		w.int(20, kindStrings)
	}
}

func (t *Tensor) write(w *writer) {
	w.ints(1, t.Dims)
	w.int(2, elementF32)
	w.text(8, t.Name)
	raw := make([]byte, 0, 4*len(t.Data))
	for _, v := range t.Data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	w.bytes(9, raw)
}

func (p Port) write(w *writer) {
	w.text(1, p.Name)
	w.message(2, func(w *writer) {
		w.message(1, func(w *writer) {
			w.int(1, elementF32)
			w.message(2, func(w *writer) {
				w.message(1, func(w *writer) { w.text(2, dynamicName) })
				w.message(1, func(w *writer) { w.int(1, int64(p.Columns)) })
			})
		})
	})
}

// writer appends protobuf fields.
type writer struct{ buf []byte }

func (w *writer) int(field protowire.Number, v int64) {
	w.buf = protowire.AppendTag(w.buf, field, protowire.VarintType)
	w.buf = protowire.AppendVarint(w.buf, uint64(v))
}

func (w *writer) float(field protowire.Number, v float32) {
	w.buf = protowire.AppendTag(w.buf, field, protowire.Fixed32Type)
	w.buf = protowire.AppendFixed32(w.buf, math.Float32bits(v))
}

func (w *writer) text(field protowire.Number, s string) {
	w.buf = protowire.AppendTag(w.buf, field, protowire.BytesType)
	w.buf = protowire.AppendString(w.buf, s)
}

func (w *writer) bytes(field protowire.Number, b []byte) {
	w.buf = protowire.AppendTag(w.buf, field, protowire.BytesType)
	w.buf = protowire.AppendBytes(w.buf, b)
}

// floats and ints are packed, a third of the size of one field each.
func (w *writer) floats(field protowire.Number, values []float32) {
	var packed []byte
	for _, v := range values {
		packed = protowire.AppendFixed32(packed, math.Float32bits(v))
	}
	w.bytes(field, packed)
}

func (w *writer) ints(field protowire.Number, values []int64) {
	var packed []byte
	for _, v := range values {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	w.bytes(field, packed)
}

func (w *writer) message(field protowire.Number, write func(*writer)) {
	var inner writer
	write(&inner)
	w.bytes(field, inner.buf)
}
