package onnx_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"tirewatch/quantize/onnx"
)

// part is a piece of a file that replaces a node.
type part struct {
	tensors []onnx.Tensor
	nodes   []onnx.Node
}

func (p part) list(name string, v ...int64) part {
	t := onnx.Tensor{Name: name, Type: onnx.Int64, Shape: []int{len(v)}}
	for _, i := range v {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, uint64(i))
	}
	p.tensors = append(p.tensors, t)
	return p
}

// number is a constant without axes.
func (p part) number(name string, v int64) part {
	p = p.list(name, v)
	p.tensors[len(p.tensors)-1].Shape = nil
	return p
}

func (p part) floats(name string, v ...float32) part {
	t := onnx.Tensor{Name: name, Type: onnx.Float32, Shape: []int{len(v)}}
	for _, f := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(f))
	}
	p.tensors = append(p.tensors, t)
	return p
}

// node adds an operation from inputs to output.
func (p part) node(output, op string, inputs []string, attrs ...onnx.Attr) part {
	p.nodes = append(p.nodes, onnx.Node{Op: op, Name: output, Inputs: inputs, Outputs: []string{output}, Attrs: attrs})
	return p
}

// replace replaces the first node with this operator by a part.
func replace(m *onnx.Model, op string, p part) {
	var nodes []onnx.Node
	for _, n := range m.Nodes {
		if n.Op == op {
			nodes, op = append(nodes, p.nodes...), ""
		} else {
			nodes = append(nodes, n)
		}
	}
	m.Nodes, m.Tensors = nodes, append(m.Tensors, p.tensors...)
}

func integer(name string, v int64) onnx.Attr {
	return onnx.Attr{Name: name, Kind: onnx.IntAttr, Int: v}
}

// Tools write a flatten in many ways. The image after the pool is (1, 3, 2, 2).
func TestWaysToFlatten(t *testing.T) {
	const from, to = "pool1/out", "flatten/out"
	image := []string{from}
	for name, p := range map[string]part{
		"Flatten of the last three": part{}.node(to, "Flatten", image, integer("axis", -3)),
		"0 and -1":                  part{}.list("shape", 0, -1).node(to, "Reshape", []string{from, "shape"}),
		"-1 and the number":         part{}.list("shape", -1, 12).node(to, "Reshape", []string{from, "shape"}),
		"a constant in a node": part{}.node("shape", "Constant", nil, ints("value_ints", 1, -1)).
			node(to, "Reshape", []string{from, "shape"}),
		"part of the shape, operator set 15": part{}.list("rest", -1).
			node("n", "Shape", image, integer("start", 0), integer("end", 1)).
			node("shape", "Concat", []string{"n", "rest"}).node(to, "Reshape", []string{from, "shape"}),
		"part of the shape from its end": part{}.list("rest", 1).node("n", "Shape", image, integer("start", -3)).
			node("shape", "Concat", []string{"rest", "n"}).node("same", "Reshape", []string{from, "shape"}).
			node(to, "Flatten", []string{"same"}),
		"a strided slice, as TensorFlow": part{}.list("zero", 0).list("one", 1).number("twelve", 12).
			node("s", "Shape", image).node("s32", "Cast", []string{"s"}, integer("to", 6)).
			node("cut", "Slice", []string{"s32", "zero", "one", "zero"}).
			node("n", "Squeeze", []string{"cut"}, ints("axes", 0)).
			node("n64", "Cast", []string{"n"}, integer("to", 7)).
			node("nl", "Unsqueeze", []string{"n64", "zero"}).node("tl", "Unsqueeze", []string{"twelve", "zero"}).
			node("shape", "Concat", []string{"nl", "tl"}).node(to, "Reshape", []string{from, "shape"}),
		"a product of extents": part{}.list("first", 1).number("i1", 1).number("i2", 2).number("i3", -1).
			list("axis", 0).node("s", "Shape", image).
			node("c", "Gather", []string{"s", "i1"}).node("h", "Gather", []string{"s", "i2"}).
			node("w", "Gather", []string{"s", "i3"}).
			node("ch", "Mul", []string{"c", "h"}).node("chw", "Mul", []string{"ch", "w"}).
			node("l", "Unsqueeze", []string{"chw", "axis"}).
			node("shape", "Concat", []string{"first", "l"}).node(to, "Reshape", []string{from, "shape"}),
		"other arithmetic": part{}.list("a", 3, 26).list("b", 2).node("sum", "Add", []string{"a", "b"}).
			node("less", "Sub", []string{"sum", "b"}).
			node("half", "Div", []string{"less", "b"}).list("start", -1).list("end", 9).
			node("last", "Slice", []string{"half", "start", "end"}).
			list("one", 1).node("less1", "Sub", []string{"last", "one"}).
			node("shape", "Concat", []string{"one", "less1"}).node(to, "Reshape", []string{from, "shape"}),
		"axes in and out": part{}.list("axes", 1, -1).node("five", "Unsqueeze", []string{from, "axes"}).
			node("four", "Squeeze", []string{"five"}).
			list("shape", 1, 2, 3, 2).node("odd", "Reshape", []string{"four", "shape"}).
			node(to, "Flatten", []string{"odd"}),
		"operations without effect": part{}.node("same", "Identity", image).
			node("cast", "Cast", []string{"same"}, integer("to", 1)).
			node("t", "Transpose", []string{"cast"}, ints("perm", 0, 1, 2, 3)).node(to, "Flatten", []string{"t"}),
		"there and back": part{}.node("back", "Transpose", image).node("forth", "Transpose", []string{"back"}).
			node(to, "Flatten", []string{"forth"}),
	} {
		m := exported(t)
		want, err := onnx.Import(m, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		replace(m, "Flatten", p)
		got, err := onnx.Import(m, onnx.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameParams(t, want.Params, got.Params)
	}
}

// The weights are returned in our order, whatever the order of the axes before the flatten is.
func TestEveryOrderOfAxes(t *testing.T) {
	m := exported(t)
	want, err := onnx.Import(m, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	extents := map[int64]int{1: 3, 2: 2, 3: 2} // of C, H and W
	// steps in the order (C, H, W) of the weights in our files
	steps := map[int64]int{1: 4, 2: 2, 3: 1}
	for _, perm := range [][]int64{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}} {
		m := exported(t)
		replace(m, "Flatten", part{}.
			node("t", "Transpose", []string{"pool1/out"}, ints("perm", 0, perm[0], perm[1], perm[2])).
			node("flatten/out", "Flatten", []string{"t"}))
		for i := range m.Tensors {
			c := &m.Tensors[i]
			if c.Name != "dense1/w" {
				continue
			}
			var moved []byte
			for u := range c.Shape[0] {
				for a := range extents[perm[0]] {
					for b := range extents[perm[1]] {
						for d := range extents[perm[2]] {
							at := u*12 + a*steps[perm[0]] + b*steps[perm[1]] + d*steps[perm[2]]
							moved = append(moved, c.Data[4*at:][:4]...)
						}
					}
				}
			}
			c.Data = moved
		}
		got, err := onnx.Import(m, onnx.Options{})
		if err != nil {
			t.Errorf("%v: %v", perm, err)
			continue
		}
		sameParams(t, want.Params, got.Params)
	}
}

// Factors of layers that rescale pixels are multiplied into the first weights.
func TestRescaling(t *testing.T) {
	for name, p := range map[string]part{
		"a factor":         part{}.floats("f", 0.25).node("image/scaled", "Mul", []string{"image", "f"}),
		"the factor first": part{}.floats("f", 0.25).node("image/scaled", "Mul", []string{"f", "image"}),
		"a divisor":        part{}.floats("f", 4).node("image/scaled", "Div", []string{"image", "f"}),
		"a factor and 0 added, as in Keras": part{}.floats("f", 0.25).floats("zero", 0).
			node("s", "Mul", []string{"image", "f"}).node("image/scaled", "Add", []string{"s", "zero"}),
		"two factors and a ReLU": part{}.
			node("half", "Constant", nil, onnx.Attr{Name: "value_float", Kind: onnx.FloatAttr, Float: 0.5}).
			node("s", "Mul", []string{"image", "half"}).node("r", "Relu", []string{"s"}).
			node("image/scaled", "Mul", []string{"r", "half"}),
	} {
		m := exported(t)
		want, err := onnx.Import(m, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Params[0].Data {
			want.Params[0].Data[i] /= 4
		}
		conv := *node(m, "Conv")
		conv.Inputs = append([]string{"image/scaled"}, conv.Inputs[1:]...)
		p.nodes = append(p.nodes, conv)
		replace(m, "Conv", p)
		got, err := onnx.Import(m, onnx.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameParams(t, want.Params, got.Params)
	}
}

// With ceil_mode a window may reach past the end, but none starts there: the input of the pool has
// width 5, and a window at 6 would be empty.
func TestCeilMode(t *testing.T) {
	m := exported(t)
	pool := node(m, "MaxPool")
	setAttr(pool, ints("kernel_shape", 1, 1))
	setAttr(pool, ints("strides", 3, 3))
	setAttr(pool, integer("ceil_mode", 1))
	n, err := onnx.Import(m, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Graph.Layers[1]; got.Kernel != 1 || got.Stride != 3 {
		t.Errorf("layer %+v", got)
	}
}

// A bias has one number for each channel, or one for all. A constant for each row or column is not
// a bias.
func TestBias(t *testing.T) {
	for name, c := range map[string]struct {
		shape []int
		want  []float32 // nil: refused
	}{
		"each channel":      {[]int{1, 3, 1, 1}, []float32{1, 2, 3}},
		"without the batch": {[]int{3, 1, 1}, []float32{1, 2, 3}},
		"one for all":       {[]int{1}, []float32{1, 1, 1}},
		"each column":       {[]int{5}, nil},
		"each row":          {[]int{4, 1}, nil},
		"five axes":         {[]int{1, 1, 3, 1, 1}, nil},
	} {
		m := exported(t)
		numbers := []float32{1, 2, 3, 4, 5}
		size := 1
		for _, d := range c.shape {
			size *= d
		}
		p := part{}.floats("more", numbers[:size]...).
			node("biased", "Add", []string{"more", "conv1/sum"}).node("conv1/out", "Relu", []string{"biased"})
		p.tensors[0].Shape = c.shape
		replace(m, "Relu", p)
		n, err := onnx.Import(m, onnx.Options{})
		var op *onnx.OperatorError
		if c.want == nil {
			if !errors.As(err, &op) || op.Node != "biased" {
				t.Errorf("%s: error %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := n.Params[1].Data; !slices.Equal(got, c.want) { // the biases of a new network are zero
			t.Errorf("%s: biases %v, want %v", name, got, c.want)
		}
	}
}

// The work is limited even for a small file. Here a constant of a million bytes is transposed a
// thousand times.
func TestWorkIsBounded(t *testing.T) {
	p := part{}.floats("w0", make([]float32, 1<<18)...)
	p.tensors[0].Shape = []int{1 << 9, 1 << 9}
	for i := range 1000 {
		p = p.node(fmt.Sprint("w", i+1), "Transpose", []string{fmt.Sprint("w", i)})
	}
	m := exported(t)
	replace(m, "Flatten", p)
	if _, err := onnx.Import(m, onnx.Options{}); !errors.Is(err, onnx.ErrCannotHold) {
		t.Errorf("error %v", err)
	}
}

// Nodes that do not flatten correctly are refused with an error that names the node.
func TestShapesRefused(t *testing.T) {
	const from, to = "pool1/out", "flatten/out"
	image := []string{from}
	for name, p := range map[string]part{
		"another number":           part{}.list("shape", 1, 11).node(to, "Reshape", []string{from, "shape"}),
		"two open extents":         part{}.list("shape", -1, -1).node(to, "Reshape", []string{from, "shape"}),
		"a product that overflows": part{}.list("shape", 1<<40, 1<<40).node(to, "Reshape", []string{from, "shape"}),
		"more axes than the limit": part{}.list("shape", 1, 1, 1, 1, 1, 1, 1, 1, 12).
			node(to, "Reshape", []string{from, "shape"}),
		"a shape of floats": part{}.floats("shape", 1, 12).node(to, "Reshape", []string{from, "shape"}),
		"no shape":          part{}.node(to, "Reshape", image),
		"an index outside": part{}.number("i", 4).node("s", "Shape", image).
			node("n", "Gather", []string{"s", "i"}),
		"a division by zero":   part{}.list("a", 1).list("b", 0).node("n", "Div", []string{"a", "b"}),
		"lists of two lengths": part{}.list("a", 1, 2).list("b", 1, 2, 3).node("n", "Add", []string{"a", "b"}),
		"steps of two": part{}.list("a", 1).list("two", 2).
			node("n", "Slice", []string{"a", "a", "a", "a", "two"}),
		"an axis twice in the order": part{}.node("t", "Transpose", image, ints("perm", 0, 0, 2, 3)),
		"a cast to integers":         part{}.node("c", "Cast", image, integer("to", 7)),
		"a constant of a text": part{}.
			node("c", "Constant", nil, onnx.Attr{Name: "value_string", Kind: onnx.TextAttr, Text: "x"}),
		"a factor for each channel":  part{}.floats("f", 1, 2, 3).node("x", "Mul", []string{from, "f"}),
		"a negative factor":          part{}.floats("f", -1).node("x", "Mul", []string{from, "f"}),
		"a constant added to a pool": part{}.floats("b", 1).node("x", "Add", []string{from, "b"}),
		"two branches":               part{}.node("x", "Add", []string{from, "conv1/out"}),
		"an older state":             part{}.node("r", "Sigmoid", []string{"conv1/sum"}),
		"a list that grows too long": doubled(),
	} {
		m := exported(t)
		replace(m, "Flatten", p)
		n, err := onnx.Import(m, onnx.Options{})
		// The flatten is missing after the part, so a part that is accepted fails at the dense
		// layer.
		var op *onnx.OperatorError
		if n != nil || err == nil || errors.As(err, &op) && op.Node == "dense1" ||
			op == nil && !errors.Is(err, onnx.ErrCannotHold) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// doubled doubles the length of a list forty times.
func doubled() part {
	p := part{}.list("l0", 1, 2)
	for i := range 40 {
		l := fmt.Sprint("l", i)
		p = p.node(fmt.Sprint("l", i+1), "Concat", []string{l, l})
	}
	return p
}
