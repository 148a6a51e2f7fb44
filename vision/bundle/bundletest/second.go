package bundletest

import (
	"tirewatch/vision/anomaly"
	"tirewatch/vision/bundle"
	"tirewatch/vision/graph"
)

// Second returns a bundle with a second opinion: the score of a picture is how far its brightest
// parts are from grey 128, and limit is the score from which it is unlike the others.
func Second(serial uint64, limit int32) *bundle.Bundle {
	g := graph.Graph{Input: graph.Shape{H: 10, W: 12, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv", Filters: 2, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.ReLU6},
		{Kind: graph.Conv2D, Name: "score", Filters: 1, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.Linear},
		{Kind: graph.TopMean, Name: "top", Top: 12, Activation: graph.Sigmoid},
	}}
	b := Bundle(g, serial)
	conv := &b.Model.Layers[0]
	conv.W, conv.Bias, conv.Mult = []byte{127, 127}, []int32{0, 0}, []float32{1. / 127, 1. / 127}
	b.Anomaly = &anomaly.Model{Layer: "conv", Cell: 2, W: []byte{127, 0, 0, 127}, Bias: []int32{-128 * 127, -128 * 127},
		Mult: []float32{anomaly.Unit / 127. / 16, anomaly.Unit / 127. / 16}, Worst: 3, Limit: limit,
		Result: anomaly.Result{Sound: 12, Groups: 12, Between: 0.05}}
	if err := b.SetGolden(); err != nil {
		panic(err)
	}
	return b
}
