// Package onnx writes a network as an ONNX file, so that any other runtime can carry it out.
//
//	train -> checkpoint -> Float -> float.onnx
//	quantize -> bundle  -> Int8  -> int8.onnx
//
// Newcomers need Float and Int8, and Model.Encode behind them. The comparison with other runtimes stands on Int8: its graph is the
// integer law of package infer in ONNX's operators, so that a runtime that keeps to their definition gives our sums to the last
// bit. Both graphs are in ONNX's order (N, C, H, W) and take one image at a time:
//
//	image        float32 (1, C, H, W), pixel / 255, or uint8 (1, C, H, W), the pixel itself
//	probability  float32 (1, 1), of a crack
//	logit        float32 (1, 1), before the sigmoid: what a station takes the mean of over the frames of a tire
//
// Every other value is named after its layer, NAME/out; constants are NAME/w, NAME/b and NAME/scale.
//
// # Versions
//
// Operators are those of ONNX 1.8: operator set 13, file version 7. Int8 also needs QGemm of the set com.microsoft, version 1, because
// ONNX itself has no quantized dense layer with a bias. Dropout acts in training only and leaves no trace.
package onnx

import (
	"errors"
	"fmt"

	"tirewatch/vision/graph"
)

// ErrUnsupported marks a network that has no form in ONNX here.
var ErrUnsupported = errors.New("no ONNX form for this network")

// Type is an element type, numbered as in TensorProto.DataType.
type Type int64

const (
	Float32 Type = 1
	Uint8   Type = 2
	Int8s   Type = 3
	Int32   Type = 6
)

// Model is an ONNX model: the graph's nodes in the order of execution, and the constants that they read.
type Model struct {
	Doc      string
	Inputs   []Value
	Outputs  []Value
	Tensors  []Tensor
	Nodes    []Node
	Metadata []Entry // shown by every ONNX viewer; runtimes ignore it
}

// Value is an input or output of the graph.
type Value struct {
	Name  string
	Type  Type
	Shape []int // nil: whatever the graph makes of it
	Doc   string
}

// Tensor is a constant. A scalar has no shape.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int
	Data  []byte // little endian
}

// Node is one operation.
type Node struct {
	Op      string
	Domain  string // of the operator: empty for ONNX itself, or Microsoft
	Name    string
	Inputs  []string
	Outputs []string
	Attrs   []Attr
}

// Attr is an integer constant of a node, or a list of them.
type Attr struct {
	Name string
	Int  int64
	Ints []int64 // a list when not nil
}

// Entry is a line of metadata.
type Entry struct{ Key, Value string }

// Microsoft is the domain of the operators that ONNX Runtime adds to ONNX.
const Microsoft = "com.microsoft"

// Names of the graph's ends. Names made from a layer's hold a slash, so these are never taken.
const (
	Image       = "image"
	Logit       = "logit"
	Probability = "probability"
)

// builder walks a network and collects its ONNX form.
type builder struct {
	m    Model
	at   string      // the value that the next node reads
	flat bool        // at is (1, C); else (1, C, H, W)
	from graph.Shape // of at before it was flattened; its values are still in the order (C, H, W)
}

func newBuilder(g *graph.Graph, pixels Type, doc string) *builder {
	in := g.Input
	b := &builder{at: Image, from: in}
	b.m.Inputs = []Value{{Name: Image, Type: pixels, Shape: []int{1, in.C, in.H, in.W}, Doc: doc}}
	for _, name := range []string{Probability, Logit} {
		b.m.Outputs = append(b.m.Outputs, Value{Name: name, Type: Float32, Shape: []int{1, 1}})
	}
	b.m.Metadata = []Entry{{"network", g.Hash().String()}}
	return b
}

// node adds an operation whose output is the next one's input.
func (b *builder) node(op, name, output string, inputs []string, attrs ...Attr) *Node {
	b.m.Nodes = append(b.m.Nodes, Node{Op: op, Name: name, Inputs: inputs, Outputs: []string{output}, Attrs: attrs})
	b.at = output
	return &b.m.Nodes[len(b.m.Nodes)-1]
}

// constant adds a tensor and returns its name.
func (b *builder) constant(name string, t Type, shape []int, data []byte) string {
	b.m.Tensors = append(b.m.Tensors, Tensor{Name: name, Type: t, Shape: shape, Data: data})
	return name
}

// pool adds a max pool. Padding does not count in ONNX either.
func (b *builder) pool(s graph.Step) error {
	if err := b.needSpace(s); err != nil {
		return err
	}
	b.node("MaxPool", s.Name, out(s.Name), []string{b.at}, window(s)...)
	return nil
}

// needSpace refuses a window over values that were flattened: nothing says where they would stand.
func (b *builder) needSpace(s graph.Step) error {
	if b.flat {
		return fmt.Errorf("%w: layer %s slides a window over flattened values", ErrUnsupported, s.Name)
	}
	return nil
}

// flatten makes (1, C*H*W) of (1, C, H, W). Our own order is (H, W, C), which the weights of the next dense layer follow:
// denseOrder says how to move them.
func (b *builder) flatten(name, output string, in graph.Shape) {
	if b.flat {
		return
	}
	b.node("Flatten", name, output, []string{b.at}, Attr{Name: "axis", Int: 1})
	b.flat, b.from = true, in
}

// denseOrder prepares for a dense layer: it flattens where the graph did not say so, and gives the shape whose order (C, H, W) the inputs
// have now. Behind a dense layer there is only one order.
func (b *builder) denseOrder(s graph.Step) graph.Shape {
	b.flatten(s.Name+"/flatten", s.Name+"/flat", s.In)
	from := b.from
	b.from = s.Out
	return from
}

func out(layer string) string { return layer + "/out" }

// window gives the attributes of a convolution or pool. ONNX lists the padding of both axes before, then after.
func window(s graph.Step) []Attr {
	after := func(in, out, before int) int64 {
		return int64(max(0, (out-1)*s.Stride+s.Kernel-in) - before)
	}
	pads := []int64{int64(s.PadTop), int64(s.PadLeft), after(s.In.H, s.Out.H, s.PadTop), after(s.In.W, s.Out.W, s.PadLeft)}
	k, d := int64(s.Kernel), int64(s.Stride)
	return []Attr{{Name: "kernel_shape", Ints: []int64{k, k}}, {Name: "strides", Ints: []int64{d, d}}, {Name: "pads", Ints: pads}}
}

// channelsFirst reorders the weights of each unit from (H, W, C) to (C, H, W): w (units, H, W, C).
func channelsFirst[T any](w []T, s graph.Shape) []T {
	moved := make([]T, 0, len(w))
	for ; len(w) > 0; w = w[s.Size():] {
		for c := range s.C {
			for i := range s.H * s.W {
				moved = append(moved, w[i*s.C+c])
			}
		}
	}
	return moved
}
