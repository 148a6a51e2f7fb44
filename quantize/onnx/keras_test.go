package onnx_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/quantize/onnx"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/verdict"
)

// writer makes files as other tools do.
type writer struct {
	m  onnx.Model
	at string
}

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

// node adds an operation on the newest value and more inputs.
func (w *writer) node(op string, inputs []string, attrs ...onnx.Attr) {
	name := fmt.Sprintf("model/%s_%d", op, len(w.m.Nodes))
	w.m.Nodes = append(w.m.Nodes, onnx.Node{Op: op, Name: name, Inputs: append([]string{w.at}, inputs...), Outputs: []string{name + ":0"}, Attrs: attrs})
	w.at = name + ":0"
}

func ints(name string, v ...int64) onnx.Attr {
	return onnx.Attr{Name: name, Kind: onnx.IntsAttr, Ints: v}
}

// kerasChoices are the ways in which tf2onnx writes the same.
type kerasChoices struct {
	reshapes bool // around the image of one channel, instead of transposes
	autoPad  bool
	apart    bool // biases of convolutions are added by nodes of their own
	softmax  bool // a head of two classes
	version  int64
}

// keras writes a network of ours as tf2onnx writes that of Keras: images (N, H, W, C), transposes around the convolutions, the flatten in
// the order (H, W, C), MatMul and Add. Its input takes any number of images.
func keras(g *graph.Graph, params []nn.Param, o kerasChoices) *onnx.Model {
	steps, err := g.Plan()
	if err != nil {
		panic(err)
	}
	in := g.Input
	w := &writer{at: "conv2d_input"}
	w.m.Operators = []onnx.OperatorSet{{Version: o.version}}
	w.m.Inputs = []onnx.Value{{Name: w.at, Type: onnx.Float32, Shape: []int{onnx.AnySize, in.H, in.W, in.C}}}
	if o.reshapes {
		w.node("Reshape", []string{w.ints("nchw", -1, 1, int64(in.H), int64(in.W))})
	} else {
		w.node("Transpose", nil, ints("perm", 0, 3, 1, 2))
	}
	flat := false
	for _, s := range steps {
		n := int64(s.Kernel)
		attrs := []onnx.Attr{ints("strides", int64(s.Stride), int64(s.Stride)), ints("kernel_shape", n, n)}
		switch {
		case o.autoPad && s.Padding == graph.Same:
			attrs = append(attrs, onnx.Attr{Name: "auto_pad", Kind: onnx.TextAttr, Text: "SAME_UPPER"})
		case o.autoPad:
			attrs = append(attrs, onnx.Attr{Name: "auto_pad", Kind: onnx.TextAttr, Text: "VALID"})
		case s.Kernel > 0:
			after := func(in, out, before int) int64 { return int64(max(0, (out-1)*s.Stride+s.Kernel-in) - before) }
			attrs = append(attrs, ints("pads", int64(s.PadTop), int64(s.PadLeft), after(s.In.H, s.Out.H, s.PadTop), after(s.In.W, s.Out.W, s.PadLeft)))
		}
		switch s.Kind {
		case graph.Conv2D:
			k := w.floats(s.Name+"/kernel", []int{s.Filters, s.In.C, s.Kernel, s.Kernel}, outerFirst(params[0].Data, s.Kernel, s.In.C))
			if o.apart {
				w.node("Conv", []string{k}, attrs...)
				w.node("Add", []string{w.floats(s.Name+"/bias", []int{1, s.Filters, 1, 1}, params[1].Data)})
			} else {
				w.node("Conv", []string{k, w.floats(s.Name+"/bias", []int{s.Filters}, params[1].Data)}, attrs...)
			}
		case graph.MaxPool2D:
			w.node("MaxPool", nil, attrs...)
		case graph.Flatten:
			if flat {
				continue
			}
			flat = true
			w.node("Transpose", nil, ints("perm", 0, 2, 3, 1))
			w.node("Reshape", []string{w.ints("flat", -1, int64(s.In.Size()))})
		case graph.Dense:
			kernel := make([]float32, 0, len(params[0].Data)) // (in, out)
			for k := range s.In.C {
				for u := range s.Filters {
					kernel = append(kernel, params[0].Data[u*s.In.C+k])
				}
			}
			bias, units := params[1].Data, s.Filters
			if s.Activation == graph.Sigmoid && o.softmax { // class 0 is crack, and only the difference counts
				two := make([]float32, 0, 2*len(kernel))
				for i, v := range kernel {
					two = append(two, v+float32(i)/8, float32(i)/8)
				}
				kernel, bias, units = two, []float32{bias[0] + 2, 2}, 2
			}
			w.node("MatMul", []string{w.floats(s.Name+"/kernel", []int{s.In.C, units}, kernel)})
			w.node("Add", []string{w.floats(s.Name+"/bias", []int{units}, bias)})
		}
		switch {
		case s.Activation == graph.ReLU:
			w.node("Relu", nil)
		case s.Activation == graph.Sigmoid && o.softmax:
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

// outerFirst turns filters (k, k, c) into (c, k, k).
func outerFirst(v []float32, k, c int) []float32 {
	var out []float32
	for ; len(v) > 0; v = v[k*k*c:] {
		for ch := range c {
			for i := range k * k {
				out = append(out, v[i*c+ch])
			}
		}
	}
	return out
}

// Files as Keras makes them give the network's probabilities, and without a head of two classes its very weights.
func TestKerasFiles(t *testing.T) {
	for name, g := range networks {
		g := grey(g)
		if name == "dense without flatten" {
			continue // Keras does not have that
		}
		for i, o := range []kerasChoices{
			{version: 15}, {version: 9, reshapes: true, autoPad: true}, {version: 12, apart: true}, {version: 13, softmax: true}, {version: 11, softmax: true},
		} {
			rng := rand.New(rand.NewPCG(uint64(i), 9))
			net := randomNet(t, &g, rng)
			n := importBytes(t, keras(&g, net.Params(), o).Encode(), onnx.Options{Crack: map[bool]onnx.Class{true: onnx.First}[o.softmax]})
			if !o.softmax {
				for k, p := range net.Params() {
					if !slices.Equal(p.Data, n.Params[k].Data) || !slices.Equal(p.Shape, n.Params[k].Shape) {
						t.Errorf("%s, %+v: tensor %s differs", name, o, p.Name)
					}
				}
			}
			same, err := nn.FromParams(&n.Graph, n.Params)
			if err != nil {
				t.Fatal(err)
			}
			ours, theirs := net.NewPredictor(), same.NewPredictor()
			for range 3 {
				pix := randomPixels(g.Input.Size(), rng)
				a, errA := ours.Logit(pix, nil)
				b, errB := theirs.Logit(pix, nil)
				if err := errors.Join(errA, errB); err != nil {
					t.Fatal(err)
				}
				if math.Abs(verdict.Probability(a)-verdict.Probability(b)) > 1e-5 {
					t.Errorf("%s, %+v: probability %g, want %g", name, o, verdict.Probability(b), verdict.Probability(a))
				}
			}
		}
	}
}
