package onnx_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"tirewatch/quantize/onnx"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/verdict"
)

// torchOptions holds, for each network of torch_export.py, what its file does not say.
var torchOptions = map[string]onnx.Options{
	"plain":      {},
	"logits":     {Logits: true},
	"functional": {Crack: onnx.Second},
	"padded":     {},
	"squeezed":   {Largest: 255},
}

// torchImage returns the same image as image(k) in torch_export.py.
func torchImage(k int, s graph.Shape) []byte {
	pix := make([]byte, s.Size())
	for i := range pix {
		pix[i] = byte(i*i*7 + i*13 + k*101)
	}
	return pix
}

// The probabilities of imported PyTorch files equal those that PyTorch computed.
func TestPyTorchFiles(t *testing.T) {
	var probabilities map[string][]float64
	text, err := os.ReadFile("testdata/torch.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &probabilities); err != nil {
		t.Fatal(err)
	}
	if len(probabilities) != len(torchOptions) {
		t.Fatalf("%d networks in torch.json, %d in the test", len(probabilities), len(torchOptions))
	}
	for name, want := range probabilities {
		data, err := os.ReadFile(filepath.Join("testdata", "torch_"+name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		n := importBytes(t, data, torchOptions[name])
		net, err := nn.FromParams(&n.Graph, n.Params)
		if err != nil {
			t.Fatal(err)
		}
		p := net.NewPredictor()
		for k, want := range want {
			logit, err := p.Logit(torchImage(k, n.Graph.Input), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := verdict.Probability(logit); math.Abs(got-want) > 1e-5 {
				t.Errorf("%s, image %d: probability %.8f, PyTorch %.8f", name, k, got, want)
			}
		}
	}
}

// A dropout layer in the file is kept, for later training.
func TestDropoutIsKept(t *testing.T) {
	data, err := os.ReadFile("testdata/torch_logits.onnx")
	if err != nil {
		t.Fatal(err)
	}
	n := importBytes(t, data, torchOptions["logits"])
	want := graph.Layer{Kind: graph.Dropout, Name: "dropout1", Rate: 0.2}
	if got := n.Graph.Layers[4]; got != want {
		t.Errorf("layer %+v, want %+v", got, want)
	}
}

// A network that is not a chain of supported layers is an error that names the operator and the
// node.
func TestPyTorchRefused(t *testing.T) {
	for name, want := range map[string]onnx.OperatorError{
		"residual": {},
		"leaky":    {Op: "LeakyRelu", Node: "/1/LeakyRelu"},
	} {
		data, err := os.ReadFile(filepath.Join("testdata", "torch_"+name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = onnx.Import(decode(t, data), onnx.Options{})
		var op *onnx.OperatorError
		switch {
		case want.Op != "" && (!errors.As(err, &op) || *op != want):
			t.Errorf("%s: error %v, want %v", name, err, &want)
		case want.Op == "" && !errors.Is(err, onnx.ErrCannotHold):
			t.Errorf("%s: error %v, want ErrCannotHold", name, err)
		}
		t.Log(err)
	}
}
