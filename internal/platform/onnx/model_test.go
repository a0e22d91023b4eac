package onnx_test

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// sigmoidModel is the smallest model of the expected shape: probability = sigmoid(input · weights).
func sigmoidModel(weights ...float32) []byte {
	width := uint64(len(weights))
	var raw []byte
	for _, w := range weights {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(w))
	}
	tensor := join(number(1, width), number(1, 1), number(2, 1), text(8, "w"), bytes(9, raw))
	graph := join(
		bytes(1, join(text(1, "input"), text(1, "w"), text(2, "z"), text(4, "MatMul"))),
		bytes(1, join(text(1, "z"), text(2, "probability"), text(4, "Sigmoid"))),
		text(2, "g"), bytes(5, tensor), bytes(11, port("input", width)), bytes(12, port("probability", 1)),
	)
	return join(number(1, 8), bytes(7, graph), bytes(8, join(text(1, ""), number(2, 17))),
		bytes(14, join(text(1, "note"), text(2, "hello"))))
}

func port(name string, columns uint64) []byte {
	shape := join(bytes(1, text(2, "N")), bytes(1, number(1, columns)))
	return join(text(1, name), bytes(2, bytes(1, join(number(1, 1), bytes(2, shape)))))
}

func number(field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
}

func text(field protowire.Number, s string) []byte { return bytes(field, []byte(s)) }

func bytes(field protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), b)
}

func join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// sigmoidOf is what sigmoidModel computes.
func sigmoidOf(weights ...float32) func([]float32) float64 {
	return func(row []float32) float64 {
		z := 0.0
		for i, v := range row {
			z += float64(v) * float64(weights[i])
		}
		return 1 / (1 + math.Exp(-z))
	}
}
