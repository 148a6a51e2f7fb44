package quantize_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"tirewatch/quantize"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// Rounded weights become the same integers again, and other weights than before.
func TestRounded(t *testing.T) {
	g := graph.Mobile(64, 3)
	net, err := nn.New(g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range net.Params() {
		for i := range p.Data {
			p.Data[i] += float32(i%5) / 100
		}
	}
	c := &checkpoint.Checkpoint{Graph: *g, Params: net.Params(), Threshold: 0.5,
		Spec: preprocess.Spec{Width: 64, Height: 64, Filter: preprocess.FilterTriangle}}
	m, err := quantize.Int8(t.Context(), c, quantize.Images{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rounded := quantize.Rounded(c, m)
	if reflect.DeepEqual(rounded.Params[0].Data, c.Params[0].Data) {
		t.Error("the weights are not rounded")
	}
	again, err := quantize.Int8(t.Context(), rounded, quantize.Images{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range m.Layers {
		if !bytes.Equal(l.W, again.Layers[i].W) || !reflect.DeepEqual(l.Bias, again.Layers[i].Bias) {
			t.Errorf("layer %s has other integers", l.Name)
		}
	}
}
