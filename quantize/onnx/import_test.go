package onnx_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tirewatch/quantize/onnx"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
)

// grey sets one channel, because Import supports grey images only.
func grey(g graph.Graph) graph.Graph {
	g.Input.C = 1
	return g
}

func importBytes(t testing.TB, data []byte, o onnx.Options) *onnx.Network {
	t.Helper()
	m, err := onnx.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	n, err := onnx.Import(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A round trip keeps the graph with dropout and names, and the weights to the bit.
func TestRoundTrip(t *testing.T) {
	all := map[string]graph.Graph{"thesis": *graph.Thesis()}
	for name, g := range allNetworks() {
		all[name] = grey(g)
	}
	for name, g := range all {
		t.Run(name, func(t *testing.T) {
			net := randomNet(t, &g, rand.New(rand.NewPCG(6, 6)))
			e, err := onnx.Float(&g, net.Params())
			if err != nil {
				t.Fatal(err)
			}
			e.Metadata = append(e.Metadata, onnx.Entry{Key: onnx.MetaThreshold, Value: "0.375"})
			n := importBytes(t, e.Encode(), onnx.Options{})
			if diff := cmp.Diff(g, n.Graph); diff != "" {
				t.Errorf("graph (-out +in):\n%s", diff)
			}
			sameParams(t, net.Params(), n.Params)
			if n.Threshold != 0.375 {
				t.Errorf("threshold %g", n.Threshold)
			}
		})
	}
}

func sameParams(t *testing.T, want, got []nn.Param) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d tensors, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Name != w.Name || !slices.Equal(g.Shape, w.Shape) {
			t.Errorf("tensor %d is %s %v, want %s %v", i, g.Name, g.Shape, w.Name, w.Shape)
		}
		for k := range w.Data {
			if math.Float32bits(g.Data[k]) != math.Float32bits(w.Data[k]) {
				t.Fatalf("%s[%d] is %g, want %g", w.Name, k, g.Data[k], w.Data[k])
			}
		}
	}
}

// Another tool may save the file without metadata. Then the thesis network is recognised by what it
// computes.
func TestThesisIsRecognised(t *testing.T) {
	g := graph.Thesis()
	net := randomNet(t, g, rand.New(rand.NewPCG(7, 7)))
	e, err := onnx.Float(g, net.Params())
	if err != nil {
		t.Fatal(err)
	}
	e.Metadata = nil
	n := importBytes(t, e.Encode(), onnx.Options{})
	if diff := cmp.Diff(*g, n.Graph); diff != "" {
		t.Errorf("graph (-out +in):\n%s", diff)
	}
	sameParams(t, net.Params(), n.Params)
}

// Metadata that describe another network than the nodes are ignored.
func TestMetadataCannotLie(t *testing.T) {
	g := bundletest.Graph()
	net := randomNet(t, &g, rand.New(rand.NewPCG(8, 8)))
	e, err := onnx.Float(&g, net.Params())
	if err != nil {
		t.Fatal(err)
	}
	for i, entry := range e.Metadata {
		e.Metadata[i].Value = strings.ReplaceAll(entry.Value, `"stride":2`, `"stride":1`)
	}
	n := importBytes(t, e.Encode(), onnx.Options{})
	if got := n.Graph.Layers[0]; got.Stride != 2 || got.Name != "conv1" {
		t.Errorf("first layer %+v", got)
	}
	if n.Threshold != 0 {
		t.Errorf("threshold %g is from another network", n.Threshold)
	}
}

func TestQuantizedIsRecognised(t *testing.T) {
	m := bundletest.Model(bundletest.Graph(), 4)
	for name, export := range exports {
		e, err := export(&m)
		if err != nil {
			t.Fatal(err)
		}
		_, err = onnx.Import(decode(t, e.Encode()), onnx.Options{})
		var op *onnx.OperatorError
		if !errors.Is(err, onnx.ErrQuantized) || !errors.As(err, &op) || op.Node == "" {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
