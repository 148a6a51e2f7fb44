package onnx_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tirewatch/quantize/onnx"
	"tirewatch/quantize/onnx/onnxtest"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle/bundletest"
)

// exported returns a small float file, which tests then damage.
func exported(t testing.TB) *onnx.Model {
	t.Helper()
	g := bundletest.Graph()
	net, err := nn.New(&g, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Float(&g, net.Params())
	if err != nil {
		t.Fatal(err)
	}
	m.Metadata = nil
	return m
}

// node returns the first node with this operator.
func node(m *onnx.Model, op string) *onnx.Node {
	return &m.Nodes[slices.IndexFunc(m.Nodes, func(n onnx.Node) bool { return n.Op == op })]
}

func ints(name string, v ...int64) onnx.Attr {
	return onnx.Attr{Name: name, Kind: onnx.IntsAttr, Ints: v}
}

func setAttr(n *onnx.Node, a onnx.Attr) {
	n.Attrs = append(slices.DeleteFunc(slices.Clone(n.Attrs), func(o onnx.Attr) bool { return o.Name == a.Name }), a)
}

// Each unsupported network is refused with the right error, which names the node.
func TestImportRefuses(t *testing.T) {
	operator := func(op, name string) func(error) bool {
		return func(err error) bool {
			var o *onnx.OperatorError
			return errors.As(err, &o) && o.Op == op && o.Node == name
		}
	}
	type model = *onnx.Model
	cannotHold := func(err error) bool { return errors.Is(err, onnx.ErrCannotHold) }
	for name, c := range map[string]struct {
		spoil func(m model)
		want  func(error) bool
	}{
		"an unknown operator": {func(m model) { node(m, "Relu").Op = "Elu" },
			operator("Elu", "conv1/relu")},
		"an operator of another domain": {func(m model) { node(m, "Conv").Domain = "com.acme" },
			operator("com.acme.Conv", "conv1")},
		"a node without a name": {func(m model) { node(m, "Relu").Op, node(m, "Relu").Name = "Elu", "" },
			nil},
		"windows that are not square": {func(m model) { setAttr(node(m, "MaxPool"), ints("kernel_shape", 2, 3)) },
			operator("MaxPool", "pool1")},
		"two strides": {func(m model) { setAttr(node(m, "Conv"), ints("strides", 2, 1)) },
			operator("Conv", "conv1")},
		"stride 0": {func(m model) { setAttr(node(m, "Conv"), ints("strides", 0, 0)) },
			operator("Conv", "conv1")},
		"windows with gaps": {func(m model) { setAttr(node(m, "Conv"), ints("dilations", 2, 2)) },
			operator("Conv", "conv1")},
		"padding that is not supported": {func(m model) { setAttr(node(m, "Conv"), ints("pads", 3, 3, 3, 3)) },
			operator("Conv", "conv1")},
		"padding that differs": {func(m model) { setAttr(node(m, "Conv"), ints("pads", 1, 2, 1, 2)) },
			operator("Conv", "conv1")},
		"padding below zero": {func(m model) { setAttr(node(m, "Conv"), ints("pads", -1, 0, 0, 0)) },
			operator("Conv", "conv1")},
		"SAME_LOWER padding": {func(m model) {
			setAttr(node(m, "Conv"), onnx.Attr{Name: "auto_pad", Kind: onnx.TextAttr, Text: "SAME_LOWER"})
		}, operator("Conv", "conv1")},
		"groups": {func(m model) { setAttr(node(m, "Conv"), onnx.Attr{Name: "group", Kind: onnx.IntAttr, Int: 3}) },
			operator("Conv", "conv1")},
		"a factor in Gemm": {func(m model) {
			setAttr(node(m, "Gemm"), onnx.Attr{Name: "alpha", Kind: onnx.FloatAttr, Float: 2})
		}, operator("Gemm", "dense1")},
		"weights transposed": {func(m model) { node(m, "Gemm").Attrs = nil },
			operator("Gemm", "dense1")},
		"dense on an image": {func(m model) { node(m, "Flatten").Op = "Identity" },
			operator("Gemm", "dense1")},
		"a missing constant": {func(m model) { node(m, "Conv").Inputs[1] = "nowhere" },
			operator("Conv", "conv1")},
		"an omitted input": {func(m model) { node(m, "Conv").Inputs[1] = "" },
			operator("Conv", "conv1")},
		"too few inputs": {func(m model) { n := node(m, "Conv"); n.Inputs = n.Inputs[:1] },
			operator("Conv", "conv1")},
		"no output": {func(m model) { node(m, "Conv").Outputs = nil },
			operator("Conv", "conv1")},
		"weights in another file": {func(m model) { m.Tensors[0].Outside = true },
			operator("Conv", "conv1")},
		"weights of another type": {func(m model) { m.Tensors[0].Type = onnx.Int32 },
			operator("Conv", "conv1")},
		"a sigmoid in the middle": {func(m model) { node(m, "Relu").Op = "Sigmoid" }, cannotHold},
		"no sigmoid at the end": {func(m model) { node(m, "Sigmoid").Op = "Identity" },
			func(err error) bool { return errors.Is(err, onnx.ErrLogits) }},
		"softmax of one": {func(m model) { node(m, "Sigmoid").Op = "Softmax" }, cannotHold},
		"two images": {func(m model) { m.Inputs = append(m.Inputs, onnx.Value{Name: "mask", Type: onnx.Float32}) },
			cannotHold},
		"no image":                   {func(m model) { m.Inputs = nil }, cannotHold},
		"an image of three channels": {func(m model) { m.Inputs[0].Shape = []int{1, 3, 10, 12} }, cannotHold},
		"an image of any size": {func(m model) { m.Inputs[0].Shape = []int{1, 1, onnx.AnySize, 12} },
			cannotHold},
		"an image without a shape": {func(m model) { m.Inputs[0].Shape = nil }, cannotHold},
		"a huge image": {func(m model) { m.Inputs[0].Shape = []int{1, 1, 1 << 28, 1 << 28} },
			cannotHold},
		"integers as image": {func(m model) { m.Inputs[0].Type = onnx.Int64 }, cannotHold},
		"an output in the middle": {func(m model) { m.Outputs = []onnx.Value{{Name: "conv1/out"}} },
			cannotHold},
		"the value before the ReLU": {func(m model) { node(m, "MaxPool").Inputs[0] = "conv1/sum" },
			cannotHold},
		"a window over the end": {func(m model) { setAttr(node(m, "MaxPool"), integer("ceil_mode", 1)) },
			operator("Gemm", "dense1")},
		"a constant as output": {func(m model) { m.Outputs = []onnx.Value{{Name: "conv1/w"}} },
			cannotHold},
		"a NaN weight": {func(m model) { copy(m.Tensors[0].Data, []byte{0, 0, 0xc0, 0x7f}) },
			cannotHold},
	} {
		m := exported(t)
		c.spoil(m)
		got, err := onnx.Import(m, onnx.Options{})
		if c.want == nil {
			c.want = operator("Elu", "conv1/out")
		}
		if got != nil || err == nil || !c.want(err) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A head of two classes does not say which of them is crack. A wrong guess would invert every
// verdict.
func TestWhichCrack(t *testing.T) {
	data, err := os.ReadFile("testdata/torch_functional.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Import(decode(t, data), onnx.Options{}); !errors.Is(err, onnx.ErrWhichCrack) {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{"functional", "plain"} {
		if data, err = os.ReadFile(filepath.Join("testdata", "torch_"+name+".onnx")); err != nil {
			t.Fatal(err)
		}
		first := importBytes(t, data, onnx.Options{Crack: onnx.First})
		second := importBytes(t, data, onnx.Options{Crack: onnx.Second})
		for i, p := range first.Params[len(first.Params)-2:] {
			for k, v := range p.Data {
				if other := second.Params[len(second.Params)-2+i].Data[k]; v != -other {
					t.Errorf("%s: %s[%d] is %g for class 0 and %g for class 1, want opposites", name, p.Name, k, v, other)
				}
			}
		}
	}
}

// A network for pixels from 0 to 255: the first weights are multiplied by 255.
func TestLargestPixel(t *testing.T) {
	m := exported(t)
	one, err := onnx.Import(m, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	many, err := onnx.Import(m, onnx.Options{Largest: 255})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range one.Params {
		for k, v := range p.Data {
			want := v
			if p.Name == "conv1/w" {
				want = float32(float64(v) * 255)
			}
			if got := many.Params[i].Data[k]; got != want {
				t.Fatalf("%s[%d] is %g, want %g", p.Name, k, got, want)
			}
		}
	}
	m.Inputs[0].Type = onnx.Uint8 // the same without an option
	bytes, err := onnx.Import(m, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sameParams(t, many.Params, bytes.Params)
	if _, err := onnx.Import(m, onnx.Options{Largest: -1}); err == nil {
		t.Error("a white pixel of -1 was accepted")
	}
}

// Any bytes result in a network that runs, or in an error.
func FuzzImport(f *testing.F) {
	files, err := filepath.Glob("testdata/*.onnx")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true)
	}
	g := bundletest.Graph()
	net, err := nn.New(&g, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(onnxtest.Keras(&g, net.Params(), onnxtest.Choices{Version: 13, Softmax: true}).Encode(), false)
	f.Fuzz(func(t *testing.T, data []byte, logits bool) {
		m, err := onnx.Decode(data)
		if (m == nil) == (err == nil) {
			t.Fatalf("model %v, error %v", m, err)
		}
		if err != nil {
			return
		}
		n, err := onnx.Import(m, onnx.Options{Crack: onnx.Second, Logits: logits})
		if (n == nil) == (err == nil) {
			t.Fatalf("network %v, error %v", n, err)
		}
		if err == nil {
			if _, err := nn.FromParams(&n.Graph, n.Params); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Other tools write the operator sets last, and Decode refuses a file without them. So their files
// cannot be truncated unnoticed either.
func TestCutPyTorchFiles(t *testing.T) {
	for name, o := range torchOptions {
		data, err := os.ReadFile(filepath.Join("testdata", "torch_"+name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		for n := range data {
			if m, err := onnx.Decode(data[:n]); err == nil {
				if _, err := onnx.Import(m, o); err == nil {
					t.Errorf("%s: truncated to %d of %d bytes: accepted", name, n, len(data))
				}
			}
		}
	}
}
