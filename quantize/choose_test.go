package quantize

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/quantize/report"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
)

// Ranges that are three times too small clip many activations and shift the mean of every layer. No
// ReLU follows the last layer, so bias correction must remove the shift of the logit completely on
// the images that it was measured on.
func TestCorrectRemovesTheMeanError(t *testing.T) {
	small, mobile := bundletest.Graph(), graph.Mobile(32, 2)
	for i := range mobile.Layers {
		if mobile.Layers[i].Activation == graph.ReLU6 {
			mobile.Layers[i].Activation = graph.ReLU // ReLU6 has a range that cannot be too small
		}
	}
	mobile.Layers[len(mobile.Layers)-1].Top = 64 // a mean over all scores is linear in their sums
	cells := *mobile
	cells.Layers = slices.Clone(mobile.Layers)
	last := len(cells.Layers) - 1
	cells.Layers = slices.Insert(cells.Layers, last-1, graph.Layer{Kind: graph.MeanPool, Name: "cells", Kernel: 2,
		Stride: 2, Padding: graph.Valid})
	cells.Layers[last+1].Top = 16
	for name, g := range map[string]*graph.Graph{"small": &small, "mobile": mobile, "cells": &cells} {
		t.Run(name, func(t *testing.T) { checkCorrection(t, g) })
	}
}

func checkCorrection(t *testing.T, g *graph.Graph) {
	net, err := nn.New(g, rand.New(rand.NewPCG(3, 3)))
	if err != nil {
		t.Fatal(err)
	}
	c := &checkpoint.Checkpoint{Graph: *g, Params: net.Params(), Threshold: 0.5}
	newFloat := func() calibrate.Float { return net.NewPredictor() }
	rng := rand.New(rand.NewPCG(7, 7))
	var images [][]byte
	for range 40 {
		pix := make([]byte, g.Input.Size())
		for i := range pix {
			pix[i] = byte(rng.Uint32())
		}
		images = append(images, pix)
	}
	ranges, err := calibrate.Measure(t.Context(), newFloat, names(measuredLayers(g)), images, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ranges {
		ranges[i] /= 3
	}
	m, err := convert.Convert(g, c.Params, ranges)
	if err != nil {
		t.Fatal(err)
	}
	before := &candidate{calibrate.MinMax, ranges, m}
	after, err := correct(t.Context(), c, newFloat, before, images, func(Step, int) func(int) { return nil })
	if err != nil {
		t.Fatal(err)
	}
	shift := func(k *candidate) float64 {
		r, err := report.Compare(t.Context(), newFloat, k.model, ranges, images, nil)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i := range r.Float {
			sum += (r.Int8[i] - r.Float[i]) / float64(len(images))
		}
		return sum
	}
	step := m.LogitScale * float64(max(1, g.Layers[len(g.Layers)-1].Top)) // of the last layer's sums
	was, is := shift(before), shift(after)
	if math.Abs(was) < 10*step || math.Abs(is) > 0.51*step+1e-6 {
		t.Errorf("mean error of the logit: %g before, %g after; want at most half a step, %g", was, is, step/2)
	}
}

func TestBest(t *testing.T) {
	for _, c := range []struct {
		name   string
		trials []bundle.Trial
		want   int
	}{
		{"the only one", []bundle.Trial{{Agreement: 0.5}}, 0},
		{"agreement counts first", []bundle.Trial{{Agreement: 0.99, LogitError: 0.1}, {Agreement: 1, LogitError: 0.2}}, 1},
		{"then the logit", []bundle.Trial{
			{Agreement: 1, LogitError: 0.2}, {Agreement: 1, LogitError: 0.3}, {Agreement: 1, LogitError: 0.1},
		}, 2},
		{"the first of equal trials", []bundle.Trial{{Agreement: 1, LogitError: 0.2}, {Agreement: 1, LogitError: 0.2}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := best(c.trials); got != c.want {
				t.Errorf("trial %d, want %d", got, c.want)
			}
		})
	}
}
