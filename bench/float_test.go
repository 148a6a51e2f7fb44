package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"tirewatch/quantize/onnx"
	"tirewatch/quantize/onnx/onnxtest"
	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

// floatPeer is a float32 file in ONNX Runtime.
type floatPeer struct {
	session *ort.DynamicAdvancedSession
	shape   ort.Shape
	white   float32 // value of a white pixel
}

// newFloatPeer opens a file. Its first input that is not a constant is the image with one channel.
func newFloatPeer(t *testing.T, m *onnx.Model, output string, white float32) *floatPeer {
	t.Helper()
	requireORT(t)
	p := &floatPeer{white: white}
	in := m.Inputs[0]
	for i, d := range in.Shape {
		if i == 0 && d == onnx.AnySize {
			d = 1
		}
		p.shape = append(p.shape, int64(d))
	}
	options, err := sessionOptions(1)
	if err != nil {
		t.Fatal(err)
	}
	defer options.Destroy()
	if p.session, err = ort.NewDynamicAdvancedSessionWithONNXData(m.Encode(), []string{in.Name}, []string{output}, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.session.Destroy() })
	return p
}

// run returns the outputs for the first image. A file for a batch gets the image in each place. One
// channel has the same layout in every order.
func (p *floatPeer) run(t *testing.T, pix []byte) []float32 {
	t.Helper()
	batch := int(p.shape[0])
	x := make([]float32, 0, batch*len(pix))
	for range batch {
		for _, v := range pix {
			x = append(x, float32(v)/255*p.white)
		}
	}
	in, err := ort.NewTensor(p.shape, x)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Destroy()
	out := []ort.Value{nil}
	if err := p.session.Run([]ort.Value{in}, out); err != nil {
		t.Fatal(err)
	}
	defer out[0].Destroy()
	all := out[0].(*ort.Tensor[float32]).GetData()
	return slices.Clone(all[:len(all)/batch])
}

// trained is a thesis network that was trained on a few drawn tires: realistic weights, and
// probabilities that are spread.
func trained(t *testing.T) *nn.Net {
	t.Helper()
	samples := func(from, n int) []trainer.Sample {
		var all []trainer.Sample
		for i := range n {
			all = append(all, trainer.Sample{Pix: pixels.Of(drawnPixels(from + i)), Crack: i%2 == 1})
		}
		return all
	}
	cfg := checkpoint.Config{Epochs: 12, Batch: 16, Rate: 0.001, Seed: seed}
	learner, err := trainer.New(cfg, graph.Thesis(), preprocess.Thesis(), samples(1000, 96), samples(2000, 16))
	if err != nil {
		t.Fatal(err)
	}
	if err := learner.Run(t.Context(), trainer.Observer{}); err != nil {
		t.Fatal(err)
	}
	net, err := learner.Best().Net()
	if err != nil {
		t.Fatal(err)
	}
	return net
}

func logitOf(t *testing.T, net *nn.Net, pix []byte) float64 {
	t.Helper()
	logit, err := net.NewPredictor().Logit(pix, nil)
	if err != nil {
		t.Fatal(err)
	}
	return logit
}

// floatTolerance is the allowed difference of float32 probabilities, whose sums are added in
// another order.
const floatTolerance = 1e-5

// The trainer's float network has the same probabilities as ONNX Runtime on drawn tires: for our
// export and for every form in which Keras and PyTorch write the same network. Each of these files,
// read back, has them too.
func TestFloatEqualsONNXRuntime(t *testing.T) {
	requireORT(t)
	if testing.Short() {
		t.Skip("training a network takes too long in an emulator")
	}
	g, net := graph.Thesis(), trained(t)
	ours, err := onnx.Float(g, net.Params())
	if err != nil {
		t.Fatal(err)
	}
	const ourName = "ours"
	files := map[string]*onnx.Model{ourName: ours}
	for _, o := range []onnxtest.Choices{{Version: 15}, {Version: 9, Reshapes: true, AutoPad: true}, {Version: 12, Apart: true}, {Version: 13, Softmax: true}} {
		files[fmt.Sprintf("Keras %+v", o)] = onnxtest.Keras(g, net.Params(), o)
		files[fmt.Sprintf("PyTorch %+v", o)] = onnxtest.PyTorch(g, net.Params(), o)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		m, o := files[name], onnx.Options{Crack: onnx.First}
		if name == ourName {
			o = onnx.Options{}
		}
		n, err := onnx.Import(m, o)
		if err != nil {
			t.Fatal(err)
		}
		back, err := nn.FromParams(&n.Graph, n.Params)
		if err != nil {
			t.Fatal(err)
		}
		p := newFloatPeer(t, m, m.Outputs[0].Name, 1)
		furthest, low, high := 0.0, 1.0, 0.0
		for i, pix := range drawn() {
			out := p.run(t, pix)
			want := float64(out[0])
			if name != ourName && len(out) == 1 {
				want = 1 - want // probability of class 0
			}
			got := verdict.Probability(logitOf(t, back, pix))
			d := math.Abs(got - want)
			if !(d <= floatTolerance) {
				t.Errorf("%s, image %d: probability %.8f, ONNX Runtime %.8f", name, i, got, want)
			}
			furthest, low, high = max(furthest, d), min(low, want), max(high, want)
		}
		if high-low < 0.5 {
			t.Errorf("%s: probabilities of %g to %g test too little", name, low, high)
		}
		t.Logf("%s: %d images, probabilities %.3f to %.3f, largest difference %.1e",
			name, len(drawn()), low, high, furthest)
	}
}

// Files written by PyTorch: ONNX Runtime, our network and PyTorch itself agree.
func TestPyTorchFilesEqualONNXRuntime(t *testing.T) {
	const folder = "../quantize/onnx/testdata"
	text, err := os.ReadFile(filepath.Join(folder, "torch.json"))
	if err != nil {
		t.Fatal(err)
	}
	var known map[string][]float64
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	for name, want := range known {
		data, err := os.ReadFile(filepath.Join(folder, "torch_"+name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := onnx.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		o, white := onnx.Options{Crack: onnx.Second, Logits: name == "logits"}, float32(1)
		if name == "squeezed" {
			o.Largest, white = 255, 255
		}
		n, err := onnx.Import(m, o)
		if err != nil {
			t.Fatal(err)
		}
		net, err := nn.FromParams(&n.Graph, n.Params)
		if err != nil {
			t.Fatal(err)
		}
		p := newFloatPeer(t, m, "y", white)
		for k, want := range want {
			pix := make([]byte, n.Graph.Input.Size())
			for i := range pix {
				pix[i] = byte(i*i*7 + i*13 + k*101) // as in torch_export.py
			}
			out := p.run(t, pix)
			theirs := float64(out[len(out)-1])
			if o.Logits {
				theirs = verdict.Probability(theirs)
			}
			ours := verdict.Probability(logitOf(t, net, pix))
			if math.Abs(ours-theirs) > floatTolerance || math.Abs(want-theirs) > floatTolerance {
				t.Errorf("%s, image %d: ours %.8f, ONNX Runtime %.8f, PyTorch %.8f", name, k, ours, theirs, want)
			}
		}
	}
}
