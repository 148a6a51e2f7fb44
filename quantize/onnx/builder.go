package onnx

import (
	"encoding/json"
	"fmt"

	"tirewatch/vision/graph"
)

// Keys of the metadata.
const (
	metaGraph     = "graph"     // graph.Graph in JSON
	MetaThreshold = "threshold" // probability from which a tire is cracked
	// authors and terms of the weights that the training started from
	MetaOrigin  = "weights_origin"
	MetaLicence = "weights_licence"
)

// graphText returns the network as JSON, for the metadata: ONNX itself has no field for the names
// of layers and for dropout.
func graphText(g *graph.Graph) string {
	text, err := json.Marshal(g)
	if err != nil {
		panic("internal error: cannot write the network as JSON: " + err.Error())
	}
	return string(text)
}

// builder collects the ONNX nodes and constants of a network, layer by layer.
type builder struct {
	m    Model
	at   string      // the value that the next node reads
	flat bool        // the shape of at is (1, C), otherwise (1, C, H, W)
	from graph.Shape // shape of at before it was flattened; its values are still in the order (C, H, W)
}

func newBuilder(g *graph.Graph, pixels Type, doc string) *builder {
	in := g.Input
	b := &builder{at: Image, from: in}
	b.m.Inputs = []Value{{Name: Image, Type: pixels, Shape: []int{1, in.C, in.H, in.W}, Doc: doc}}
	for _, name := range []string{Probability, Logit} {
		b.m.Outputs = append(b.m.Outputs, Value{Name: name, Type: Float32, Shape: []int{1, 1}})
	}
	b.m.Operators = []OperatorSet{{"", opset}}
	b.m.Metadata = []Entry{{"network", g.Hash().String()}, {metaGraph, graphText(g)}}
	return b
}

// node adds an operation. The next node reads its output.
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

// pool adds a max pool. In ONNX too, padding never is the maximum.
func (b *builder) pool(s graph.Step) error {
	if err := b.needSpace(s); err != nil {
		return err
	}
	b.node("MaxPool", s.Name, out(s.Name), []string{b.at}, window(s)...)
	return nil
}

// needSpace refuses a window over flattened values, because their places are unknown.
func (b *builder) needSpace(s graph.Step) error {
	if b.flat {
		return fmt.Errorf("%w: layer %s is a window over flattened values", ErrUnsupported, s.Name)
	}
	return nil
}

// flatten turns (1, C, H, W) into (1, C*H*W). The weights of the next dense layer are in our own
// order, (H, W, C). denseOrder says how to move them.
func (b *builder) flatten(name, output string, in graph.Shape) {
	if b.flat {
		return
	}
	b.node("Flatten", name, output, []string{b.at}, intAttr("axis", 1))
	b.flat, b.from = true, in
}

// denseOrder prepares the input of a dense layer. It flattens if the graph has no Flatten, and
// returns the shape whose order (C, H, W) the inputs have. After a dense layer there is only one
// order.
func (b *builder) denseOrder(s graph.Step) graph.Shape {
	b.flatten(s.Name+"/flatten", s.Name+"/flat", s.In)
	from := b.from
	b.from = s.Out
	return from
}

func out(layer string) string { return layer + "/out" }

// window returns the attributes of a convolution or pool. ONNX lists the padding before both axes,
// then the padding after both.
func window(s graph.Step) []Attr {
	after := func(in, out, before int) int64 {
		return int64(max(0, (out-1)*s.Stride+s.Kernel-in) - before)
	}
	pads := []int64{int64(s.PadTop), int64(s.PadLeft),
		after(s.In.H, s.Out.H, s.PadTop), after(s.In.W, s.Out.W, s.PadLeft)}
	k, d := int64(s.Kernel), int64(s.Stride)
	return []Attr{intsAttr("kernel_shape", k, k), intsAttr("strides", d, d), intsAttr("pads", pads...)}
}

// filters returns the weights of a convolution with their shape, in the order (outC, inC, kh, kw).
// A filter of a depthwise convolution has one channel.
func filters[T any](s graph.Step, w []T) ([]int, []T) {
	shape := s.WeightShape()
	k, inC := shape[1], shape[3]
	return []int{s.Filters, inC, k, k}, channelsFirst(w, graph.Shape{H: k, W: k, C: inC})
}

// convAttrs returns the attributes of a convolution.
func convAttrs(s graph.Step) []Attr {
	if s.Kind == graph.Depthwise2D {
		return append(window(s), intAttr("group", int64(s.Filters)))
	}
	return window(s)
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
