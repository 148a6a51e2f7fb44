// Package onnxtest writes our networks as ONNX files in the style of other tools, to test
// onnx.Import: Keras through tf2onnx, and PyTorch. Start with [Keras] and [PyTorch]. It shares only
// the types of a file with package onnx.
package onnxtest

import (
	"encoding/binary"
	"fmt"
	"math"

	"tirewatch/quantize/onnx"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// Choices are the different ways in which tools write the same network.
type Choices struct {
	Version  int64 // of ONNX's operator set
	Softmax  bool  // two classes at the end, of which class 0 is crack
	Reshapes bool  // Keras: a Reshape of the one-channel image instead of a Transpose
	AutoPad  bool  // Keras: auto_pad instead of numbers
	Apart    bool  // Keras: separate nodes add the biases of convolutions
}

// Keras writes a network as tf2onnx does it for Keras: images (N, H, W, C), transposes around the
// convolutions, a flatten in the order (H, W, C), MatMul and Add. The batch has any size.
func Keras(g *graph.Graph, params []nn.Param, o Choices) *onnx.Model {
	in := g.Input
	w := newWriter(o, onnx.AnySize, in.H, in.W, in.C)
	if o.Reshapes {
		w.node("Reshape", []string{w.ints("nchw", -1, 1, int64(in.H), int64(in.W))})
	} else {
		w.node("Transpose", nil, ints("perm", 0, 3, 1, 2))
	}
	return w.write(g, params, style{
		conv: func(s graph.Step, kernel, bias []float32) {
			inC := inputs(s)
			k := w.floats(s.Name+"/kernel", []int{s.Filters, inC, s.Kernel, s.Kernel},
				channelsFirst(kernel, s.Kernel, s.Kernel, inC))
			if o.Apart {
				w.node("Conv", []string{k}, w.window(s)...)
				w.node("Add", []string{w.floats(s.Name+"/bias", []int{1, s.Filters, 1, 1}, bias)})
			} else {
				w.node("Conv", []string{k, w.floats(s.Name+"/bias", []int{s.Filters}, bias)}, w.window(s)...)
			}
		},
		flatten: func(s graph.Step) {
			w.node("Transpose", nil, ints("perm", 0, 2, 3, 1))
			w.node("Reshape", []string{w.ints("flat", -1, int64(s.In.Size()))})
		},
		dense: func(name string, units int, _ graph.Shape, weights, bias []float32) {
			inputs := len(weights) / units
			kernel := make([]float32, 0, len(weights)) // (inputs, units)
			for k := range inputs {
				for u := range units {
					kernel = append(kernel, weights[u*inputs+k])
				}
			}
			w.node("MatMul", []string{w.floats(name+"/kernel", []int{inputs, units}, kernel)})
			w.node("Add", []string{w.floats(name+"/bias", []int{units}, bias)})
		},
	})
}

// PyTorch writes a network as torch.onnx.export does it: images (N, C, H, W), a flatten in the
// order (C, H, W) with a shape computed from the batch size, and Gemm.
func PyTorch(g *graph.Graph, params []nn.Param, o Choices) *onnx.Model {
	in := g.Input
	w := newWriter(o, onnx.AnySize, in.C, in.H, in.W)
	return w.write(g, params, style{
		conv: func(s graph.Step, kernel, bias []float32) {
			inC := inputs(s)
			w.node("Conv", []string{
				w.floats(s.Name+".weight", []int{s.Filters, inC, s.Kernel, s.Kernel},
					channelsFirst(kernel, s.Kernel, s.Kernel, inC)),
				w.floats(s.Name+".bias", []int{s.Filters}, bias)}, w.window(s)...)
		},
		flatten: func(s graph.Step) {
			image := w.at
			w.node("Shape", nil)
			first := w.ints("first", 0)
			w.m.Tensors[len(w.m.Tensors)-1].Shape = nil // a number, not a list
			w.node("Gather", []string{first}, onnx.Attr{Name: "axis", Kind: onnx.IntAttr})
			if o.Version < 13 {
				w.node("Unsqueeze", nil, ints("axes", 0))
			} else {
				w.node("Unsqueeze", []string{w.ints("axes", 0)})
			}
			w.node("Concat", []string{w.ints("rest", -1)}, onnx.Attr{Name: "axis", Kind: onnx.IntAttr})
			shape := w.at
			w.at = image
			w.node("Reshape", []string{shape})
		},
		dense: func(name string, units int, from graph.Shape, weights, bias []float32) {
			if from.Size() == len(weights)/units {
				weights = channelsFirst(weights, from.H, from.W, from.C)
			}
			w.node("Gemm", []string{
				w.floats(name+".weight", []int{units, len(weights) / units}, weights),
				w.floats(name+".bias", []int{units}, bias),
			}, onnx.Attr{Name: "transB", Kind: onnx.IntAttr, Int: 1})
		},
	})
}

// style is how a tool writes the layers. from is the input shape of a dense layer directly after a
// flatten, and the zero Shape for other dense layers.
type style struct {
	conv    func(s graph.Step, kernel, bias []float32)
	flatten func(s graph.Step)
	dense   func(name string, units int, from graph.Shape, weights, bias []float32)
}

// write writes all layers in the style of a tool.
func (w *writer) write(g *graph.Graph, params []nn.Param, tool style) *onnx.Model {
	steps, err := g.Plan()
	if err != nil {
		panic(err)
	}
	var from graph.Shape
	for _, s := range steps {
		switch s.Kind {
		case graph.Conv2D, graph.Depthwise2D:
			tool.conv(s, params[0].Data, params[1].Data)
		case graph.MeanPool:
			if s.Kernel == 0 {
				w.node("GlobalAveragePool", nil)
			} else {
				w.node("AveragePool", nil, w.window(s)...)
			}
		case graph.TopMean:
			tool.flatten(s)
			w.node("TopK", []string{w.ints("k", int64(s.Top))})
			w.node("ReduceMean", nil, ints("axes", 1))
		case graph.MaxPool2D:
			w.node("MaxPool", nil, w.window(s)...)
		case graph.Flatten:
			if from == (graph.Shape{}) { // a second flatten changes nothing
				from = s.In
				tool.flatten(s)
			}
		case graph.Dense:
			units, weights, bias := s.Filters, params[0].Data, params[1].Data
			if s.Activation == graph.Sigmoid && w.Softmax { // only the difference of the two units matters
				two := make([]float32, 2*s.In.C)
				for i, v := range weights {
					two[i], two[s.In.C+i] = v+float32(i)/8, float32(i)/8
				}
				units, weights, bias = 2, two, []float32{bias[0] + 2, 2}
			}
			tool.dense(s.Name, units, from, weights, bias)
			from = graph.Shape{}
		}
		switch {
		case s.Activation == graph.ReLU:
			w.node("Relu", nil)
		case s.Activation == graph.ReLU6 && w.Version < 11:
			w.node("Clip", nil, decimal("min", 0), decimal("max", 6))
		case s.Activation == graph.ReLU6:
			w.node("Clip", []string{w.floats(s.Name+"/low", nil, []float32{0}), w.floats(s.Name+"/high", nil, []float32{6})})
		case s.Activation == graph.Sigmoid && w.Softmax:
			w.node("Softmax", nil)
		case s.Activation == graph.Sigmoid:
			w.node("Sigmoid", nil)
		}
		if s.HasWeights() {
			params = params[2:]
		}
	}
	w.m.Outputs = []onnx.Value{{Name: w.at, Type: onnx.Float32}}
	return &w.m
}

// writer collects the nodes and constants of a file.
type writer struct {
	Choices
	m  onnx.Model
	at string // newest value
}

func newWriter(o Choices, input ...int) *writer {
	w := &writer{Choices: o, at: Input}
	w.m.Operators = []onnx.OperatorSet{{Version: o.Version}}
	w.m.Inputs = []onnx.Value{{Name: Input, Type: onnx.Float32, Shape: input}}
	return w
}

// Input is the name of the input image.
const Input = "input_1"

func (w *writer) floats(name string, shape []int, v []float32) string {
	t := onnx.Tensor{Name: name, Type: onnx.Float32, Shape: shape}
	for _, f := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(f))
	}
	w.m.Tensors = append(w.m.Tensors, t)
	return name
}

func (w *writer) ints(name string, v ...int64) string {
	t := onnx.Tensor{Name: name, Type: onnx.Int64, Shape: []int{len(v)}}
	for _, i := range v {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, uint64(i))
	}
	w.m.Tensors = append(w.m.Tensors, t)
	return name
}

// node adds an operation on the newest value and on more inputs.
func (w *writer) node(op string, inputs []string, attrs ...onnx.Attr) {
	name := fmt.Sprintf("model/%s_%d", op, len(w.m.Nodes))
	w.m.Nodes = append(w.m.Nodes, onnx.Node{Op: op, Name: name,
		Inputs: append([]string{w.at}, inputs...), Outputs: []string{name + ":0"}, Attrs: attrs})
	w.at = name + ":0"
}

func ints(name string, v ...int64) onnx.Attr {
	return onnx.Attr{Name: name, Kind: onnx.IntsAttr, Ints: v}
}

func decimal(name string, v float32) onnx.Attr {
	return onnx.Attr{Name: name, Kind: onnx.FloatAttr, Float: v}
}

// inputs returns the number of channels that a filter reads.
func inputs(s graph.Step) int {
	if s.Kind == graph.Depthwise2D {
		return 1
	}
	return s.In.C
}

// window returns the attributes of a convolution or pool.
func (w *writer) window(s graph.Step) []onnx.Attr {
	n, d := int64(s.Kernel), int64(s.Stride)
	attrs := []onnx.Attr{ints("strides", d, d), ints("kernel_shape", n, n)}
	if s.Kind == graph.Depthwise2D {
		attrs = append(attrs, onnx.Attr{Name: "group", Kind: onnx.IntAttr, Int: int64(s.Filters)})
	}
	if w.AutoPad && s.Padding != graph.Explicit {
		text := map[graph.Padding]string{graph.Same: "SAME_UPPER", graph.Valid: "VALID"}[s.Padding]
		return append(attrs, onnx.Attr{Name: "auto_pad", Kind: onnx.TextAttr, Text: text})
	}
	after := func(in, out, before int) int64 { return int64(max(0, (out-1)*s.Stride+s.Kernel-in) - before) }
	return append(attrs, ints("pads", int64(s.PadTop), int64(s.PadLeft),
		after(s.In.H, s.Out.H, s.PadTop), after(s.In.W, s.Out.W, s.PadLeft)))
}

// channelsFirst turns each unit's weights (h, w, c) into (c, h, w).
func channelsFirst(v []float32, h, w, c int) []float32 {
	var out []float32
	for ; len(v) > 0; v = v[h*w*c:] {
		for ch := range c {
			for i := range h * w {
				out = append(out, v[i*c+ch])
			}
		}
	}
	return out
}
