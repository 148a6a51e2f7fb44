package onnx_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tirewatch/quantize/onnx"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// networks cover every form: both paddings, windows that overlap and that skip pixels, a flatten
// that changes the order, and no flatten.
var networks = map[string]graph.Graph{
	"as the thesis, small": bundletest.Graph(),
	"order changes at flatten": {Input: graph.Shape{H: 9, W: 14, C: 2}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv1", Filters: 5, Kernel: 3, Stride: 1, Padding: graph.Same, Activation: graph.ReLU},
		{Kind: graph.MaxPool2D, Name: "pool1", Kernel: 3, Stride: 2, Padding: graph.Same},
		{Kind: graph.Conv2D, Name: "conv2", Filters: 4, Kernel: 2, Stride: 1, Padding: graph.Same, Activation: graph.ReLU},
		{Kind: graph.Dropout, Name: "dropout", Rate: 0.5},
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Flatten, Name: "again"},
		{Kind: graph.Dense, Name: "dense1", Filters: 6, Activation: graph.ReLU},
		{Kind: graph.Dense, Name: "dense2", Filters: 7, Activation: graph.ReLU},
		{Kind: graph.Dense, Name: "dense3", Filters: 1, Activation: graph.Sigmoid},
	}},
	"windows that skip": {Input: graph.Shape{H: 11, W: 8, C: 1}, Layers: []graph.Layer{
		{Kind: graph.MaxPool2D, Name: "pool1", Kernel: 1, Stride: 2, Padding: graph.Same},
		{Kind: graph.Conv2D, Name: "conv1", Filters: 3, Kernel: 2, Stride: 3, Padding: graph.Same, Activation: graph.ReLU},
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 1, Activation: graph.Sigmoid},
	}},
	"dense without flatten": {Input: graph.Shape{H: 4, W: 4, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv1", Filters: 3, Kernel: 4, Stride: 1, Padding: graph.Valid, Activation: graph.ReLU},
		{Kind: graph.Dense, Name: "dense1", Filters: 1, Activation: graph.Sigmoid},
	}},
}

// newNetworks have the layers of version 2: means over windows, over a map that is not square, and
// over the highest scores, and PyTorch's padding.
var newNetworks = map[string]graph.Graph{
	"mobile":                       *graph.Mobile(32, 3),
	"mobile with cells of 2x2":     *graph.Mobile(56, 1),
	"depthwise on the image":       depthwiseFirst,
	"global mean of a wide map":    globalMean,
	"a mean without flatten":       meanOnly,
	"scores of windows, all added": allScores,
}

var (
	depthwiseFirst = graph.Graph{Input: graph.Shape{H: 9, W: 14, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Depthwise2D, Name: "depthwise1", Filters: 1, Kernel: 3, Stride: 2, Padding: graph.Explicit, Pad: 1,
			Activation: graph.ReLU6},
		{Kind: graph.MaxPool2D, Name: "pool1", Kernel: 3, Stride: 2, Padding: graph.Explicit, Pad: 1},
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 4, Activation: graph.ReLU6},
		{Kind: graph.Dense, Name: "dense2", Filters: 1, Activation: graph.Sigmoid},
	}}
	globalMean = graph.Graph{Input: graph.Shape{H: 9, W: 14, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv1", Filters: 5, Kernel: 3, Stride: 2, Padding: graph.Explicit, Pad: 1,
			Activation: graph.ReLU6},
		{Kind: graph.Depthwise2D, Name: "depthwise1", Filters: 5, Kernel: 5, Stride: 1, Padding: graph.Same,
			Activation: graph.ReLU},
		{Kind: graph.MeanPool, Name: "mean1"},
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 1, Activation: graph.Sigmoid},
	}}
	// Means of 9 and 4 values: no sum of them is a tie that a rounded scale could move.
	meanOnly = graph.Graph{Input: graph.Shape{H: 6, W: 6, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv1", Filters: 5, Kernel: 3, Stride: 1, Padding: graph.Same,
			Activation: graph.ReLU},
		{Kind: graph.MeanPool, Name: "mean1", Kernel: 3, Stride: 2, Padding: graph.Valid},
		{Kind: graph.MeanPool, Name: "mean2"},
		{Kind: graph.Dense, Name: "dense1", Filters: 1, Activation: graph.Sigmoid},
	}}
	allScores = graph.Graph{Input: graph.Shape{H: 6, W: 7, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "score", Filters: 1, Kernel: 3, Stride: 2, Padding: graph.Same,
			Activation: graph.Linear},
		{Kind: graph.TopMean, Name: "top", Top: 12, Activation: graph.Sigmoid},
	}}
)

// allNetworks returns the networks of both versions.
func allNetworks() map[string]graph.Graph {
	all := maps.Clone(networks)
	maps.Copy(all, newNetworks)
	return all
}

// asImage turns pixels (H, W, C) into ONNX's (1, C, H, W).
func asImage(pix []byte, s graph.Shape, scale float32) array {
	a := array{shape: []int{1, s.C, s.H, s.W}}
	for c := range s.C {
		for i := range s.H * s.W {
			a.v = append(a.v, float64(float32(pix[i*s.C+c])*scale))
		}
	}
	return a
}

// decode reads a file that this package wrote. Two other tests check that the field numbers are
// ONNX's: this package reads files of other tools, and other tools read ours.
func decode(t testing.TB, data []byte) *onnx.Model {
	t.Helper()
	m, err := onnx.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func randomPixels(n int, rng *rand.Rand) []byte {
	pix := make([]byte, n)
	for i := range pix {
		pix[i] = byte(rng.Uint32())
	}
	return pix
}

// exports holds the two forms of a quantized network.
var exports = map[string]func(*infer.Model) (*onnx.Model, error){"qlinear": onnx.Int8, "qdq": onnx.Int8QDQ}

// The exported graphs, run by the definitions of their operators, return the sum of infer.Runner.
// The interpreter adds in float64, where the rounding between the pairs of QDQ is far too small to
// matter. Module bench tests float32 with ONNX Runtime.
func TestInt8EqualsTheRunner(t *testing.T) {
	for form, export := range exports {
		for name, g := range allNetworks() {
			t.Run(form+"/"+name, func(t *testing.T) {
				m := bundletest.Model(g, 9)
				e, err := export(&m)
				if err != nil {
					t.Fatal(err)
				}
				f := decode(t, e.Encode())
				r, err := infer.NewRunner(&m)
				if err != nil {
					t.Fatal(err)
				}
				rng := rand.New(rand.NewPCG(4, 4))
				distinct := map[int32]bool{}
				for range 20 {
					pix := randomPixels(g.Input.Size(), rng)
					sum, err := r.Run(pix)
					if err != nil {
						t.Fatal(err)
					}
					distinct[sum] = true
					env := interpret(t, f, asImage(pix, g.Input, 1))
					got, want := env[onnx.Logit].v[0], float64(float32(sum)*float32(m.LogitScale))
					if form == "qdq" {
						want = float64(sum) * float64(float32(m.LogitScale))
						// float64 is not exact either; the step of a sum is 1e-5
						got, want = math.Round(got*1e9), math.Round(want*1e9)
					}
					if got != want {
						t.Fatalf("logit %g, want %g", got, want)
					}
					got, want = env[onnx.Probability].v[0], 1/(1+math.Exp(-m.Logit(sum)))
					if math.Abs(got-want) > 1e-6 {
						t.Fatalf("probability %g, want %g", got, want)
					}
				}
				if len(distinct) < 10 {
					t.Errorf("only %d different sums: the test is too weak", len(distinct))
				}
			})
		}
	}
}

// The exported float graph has the logit of the trainer, up to rounding.
func TestFloatIsTheTrainedNetwork(t *testing.T) {
	for name, g := range allNetworks() {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 5))
			net := randomNet(t, &g, rng)
			e, err := onnx.Float(&g, net.Params())
			if err != nil {
				t.Fatal(err)
			}
			f := decode(t, e.Encode())
			p := net.NewPredictor()
			for range 5 {
				pix := randomPixels(g.Input.Size(), rng)
				want, err := p.Logit(pix, nil)
				if err != nil {
					t.Fatal(err)
				}
				env := interpret(t, f, asImage(pix, g.Input, 1.0/255))
				if got := env[onnx.Logit].v[0]; math.Abs(got-want) > 1e-5*(1+math.Abs(want)) {
					t.Errorf("logit %g, want %g", got, want)
				}
				if got, want := env[onnx.Probability].v[0], 1/(1+math.Exp(-want)); math.Abs(got-want) > 1e-5 {
					t.Errorf("probability %g, want %g", got, want)
				}
			}
		})
	}
}

// randomNet has random biases too, so that a wrong order is found.
func randomNet(t *testing.T, g *graph.Graph, rng *rand.Rand) *nn.Net {
	t.Helper()
	net, err := nn.New(g, rng)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range net.Params() {
		for i := range p.Data {
			p.Data[i] += float32(0.2 * rng.NormFloat64())
		}
	}
	net.Changed()
	return net
}

// The operators, inputs and outputs in the file of the thesis network.
func TestThesisForm(t *testing.T) {
	g := graph.Thesis()
	m := bundletest.Model(*g, 1)
	e, err := onnx.Int8(&m)
	if err != nil {
		t.Fatal(err)
	}
	f := decode(t, e.Encode())
	if diff := cmp.Diff([]onnx.OperatorSet{{Version: 13}, {Domain: onnx.Microsoft, Version: 1}}, f.Operators); diff != "" {
		t.Errorf("operator sets (-want +got):\n%s", diff)
	}
	var ops []string
	for _, n := range f.Nodes {
		ops = append(ops, n.Op+" "+n.Outputs[0])
	}
	want := []string{
		"QLinearConv conv1/out", "MaxPool pool1/out", "QLinearConv conv2/out", "MaxPool pool2/out",
		"QLinearConv conv3/out", "MaxPool pool3/out", "QLinearConv conv4/out", "MaxPool pool4/out",
		"Flatten flatten/out", "QGemm dense1/out", "QGemm dense2/out", "QGemm logit", "Sigmoid probability",
	}
	if diff := cmp.Diff(want, ops); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	wantEnds := []onnx.Value{
		{Name: "image", Type: onnx.Uint8, Shape: []int{1, 1, 379, 379}, Doc: "the pixel itself, 0 to 255"},
		{Name: "probability", Type: onnx.Float32, Shape: []int{1, 1}},
		{Name: "logit", Type: onnx.Float32, Shape: []int{1, 1}},
	}
	if diff := cmp.Diff(wantEnds, append(f.Inputs, f.Outputs...)); diff != "" {
		t.Errorf("inputs and outputs (-want +got):\n%s", diff)
	}
}

// Decode reads exactly what Encode wrote.
func TestEncodeLosesNothing(t *testing.T) {
	for name, g := range allNetworks() {
		m := bundletest.Model(g, 2)
		e, err := onnx.Int8(&m)
		if err != nil {
			t.Fatal(err)
		}
		e.Metadata = append(e.Metadata, onnx.Entry{Key: "serial", Value: "41"})
		if diff := cmp.Diff(*e, *decode(t, e.Encode())); diff != "" {
			t.Errorf("%s (-written +read):\n%s", name, diff)
		}
	}
}

// The bytes of three small files that ONNX Runtime and the ONNX checker accept.
func TestGolden(t *testing.T) {
	g := graph.Graph{Input: graph.Shape{H: 3, W: 4, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv1", Filters: 2, Kernel: 2, Stride: 1, Padding: graph.Valid, Activation: graph.ReLU},
		{Kind: graph.MaxPool2D, Name: "pool1", Kernel: 2, Stride: 1, Padding: graph.Valid},
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 1, Activation: graph.Sigmoid},
	}}
	m := bundletest.Model(g, 3)
	quantized, err := onnx.Int8(&m)
	if err != nil {
		t.Fatal(err)
	}
	params := []nn.Param{
		{Name: "conv1/w", Shape: []int{2, 2, 2, 1}, Data: []float32{1, -2, 3, -4, 0.5, 0.25, -0.5, -0.25}},
		{Name: "conv1/b", Shape: []int{2}, Data: []float32{0.125, -1}},
		{Name: "dense1/w", Shape: []int{1, 4}, Data: []float32{1, 2, 3, 4}},
		{Name: "dense1/b", Shape: []int{1}, Data: []float32{-3}},
	}
	float, err := onnx.Float(&g, params)
	if err != nil {
		t.Fatal(err)
	}
	qdq, err := onnx.Int8QDQ(&m)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{
		"int8.onnx": quantized.Encode(), "qdq.onnx": qdq.Encode(), "float.onnx": float.Encode(),
	} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes differ from the golden %d", path, len(got), len(want))
		}
	}
}

func TestRefuses(t *testing.T) {
	afterFlatten := graph.Graph{Input: graph.Shape{H: 2, W: 2, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Conv2D, Name: "conv1", Filters: 2, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.ReLU},
		{Kind: graph.Dense, Name: "dense1", Filters: 1, Activation: graph.Sigmoid},
	}}
	m := bundletest.Model(afterFlatten, 1)
	for form, export := range exports {
		if _, err := export(&m); !errors.Is(err, onnx.ErrUnsupported) {
			t.Errorf("%s: a convolution after a flatten: error %v", form, err)
		}
	}
	net := randomNet(t, &afterFlatten, rand.New(rand.NewPCG(1, 1)))
	if _, err := onnx.Float(&afterFlatten, net.Params()); !errors.Is(err, onnx.ErrUnsupported) {
		t.Errorf("float: a convolution after a flatten: error %v", err)
	}
	if _, err := onnx.Float(graph.Thesis(), net.Params()); !errors.Is(err, nn.ErrParams) {
		t.Errorf("parameters of another network: error %v", err)
	}
	m.LogitScale = 0
	for form, export := range exports {
		if _, err := export(&m); !errors.Is(err, infer.ErrModel) {
			t.Errorf("%s: a broken model: error %v", form, err)
		}
	}
}

func ExampleInt8() {
	m := bundletest.Model(bundletest.Graph(), 1)
	e, err := onnx.Int8(&m)
	if err != nil {
		panic(err)
	}
	for _, n := range e.Nodes {
		fmt.Println(n.Op, n.Outputs[0])
	}
	// Output:
	// QLinearConv conv1/out
	// MaxPool pool1/out
	// Flatten flatten/out
	// QGemm dense1/out
	// QGemm logit
	// Sigmoid probability
}
