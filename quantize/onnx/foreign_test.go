package onnx_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tirewatch/quantize/onnx"
	"tirewatch/quantize/onnx/onnxtest"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/verdict"
)

// foreignFiles returns the files that other tools would write for a network, in the styles of
// tf2onnx and PyTorch.
func foreignFiles(g *graph.Graph, params []nn.Param) map[string]*onnx.Model {
	files := map[string]*onnx.Model{}
	for _, o := range []onnxtest.Choices{
		{Version: 15}, {Version: 9, Reshapes: true, AutoPad: true}, {Version: 12, Apart: true},
		{Version: 13, Softmax: true}, {Version: 11, Softmax: true},
	} {
		files[fmt.Sprintf("Keras %+v", o)] = onnxtest.Keras(g, params, o)
		files[fmt.Sprintf("PyTorch %+v", o)] = onnxtest.PyTorch(g, params, o)
	}
	return files
}

// Files in the style of Keras and PyTorch have the probabilities of the network. Without a head of
// two classes the weights are equal too.
func TestForeignFiles(t *testing.T) {
	for name, g := range allNetworks() {
		if name == "dense without flatten" || name == "a mean without flatten" {
			continue // no tool writes that
		}
		g := grey(g)
		rng := rand.New(rand.NewPCG(1, 9))
		net := randomNet(t, &g, rng)
		for file, m := range foreignFiles(&g, net.Params()) {
			softmax := strings.Contains(file, "Softmax:true")
			if softmax && g.Layers[len(g.Layers)-1].Kind == graph.TopMean {
				continue // there is no second class
			}
			n := importBytes(t, m.Encode(), onnx.Options{Crack: map[bool]onnx.Class{true: onnx.First}[softmax]})
			if !softmax {
				for k, p := range net.Params() {
					if !slices.Equal(p.Data, n.Params[k].Data) || !slices.Equal(p.Shape, n.Params[k].Shape) {
						t.Errorf("%s, %s: tensor %s differs", name, file, p.Name)
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
					t.Errorf("%s, %s: probability %g, want %g",
						name, file, verdict.Probability(b), verdict.Probability(a))
				}
			}
		}
	}
}
