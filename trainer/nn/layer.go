package nn

import (
	"math/rand/v2"

	"tirewatch/trainer/nn/f32"
	"tirewatch/vision/graph"
)

// layer is one operation with the memory for one image. The layer owns the slice that forward
// returns, until its next forward. backward follows the forward of the same image.
type layer interface {
	// forward computes the live part of the output from the live part of the input.
	forward(x []float32) []float32
	// backward adds the gradient of the parameters and returns the gradient of the input. It
	// returns nil when that is not needed or the layers below already have it.
	backward(dy []float32) []float32
}

// mode is shared by the layers of a worker: whether it trains, and the image's random numbers.
type mode struct {
	training bool
	rng      *rand.Rand
}

// build makes the layers of one worker. grads receives the parameter gradients; nil makes a network
// that only predicts.
func (n *Net) build(m *mode, grads *Gradients) []layer {
	var layers []layer
	trained := 0
	for i := 0; i < len(n.steps); i++ {
		s := n.steps[i]
		var params *params
		if s.HasWeights() {
			params = newParams(&n.trained[trained], grads, trained)
			trained++
		}
		switch s.Kind {
		case graph.Conv2D:
			if i+1 < len(n.steps) && fusable(s, n.steps[i+1]) {
				layers = append(layers, newConvPool(s, n.steps[i+1], params, i == 0))
				i++
			} else if isPointwise(s) {
				layers = append(layers, newPointwise(s, params, i == 0))
			} else {
				layers = append(layers, newConv(s, params, i == 0))
			}
		case graph.Depthwise2D:
			layers = append(layers, newDepthwise(s, params, i == 0))
		case graph.MaxPool2D:
			layers = append(layers, newMaxPool(s))
		case graph.MeanPool:
			layers = append(layers, newMeanPool(s))
		case graph.TopMean:
			layers = append(layers, newTopMean(s))
		case graph.Dense:
			layers = append(layers, newDense(s, params))
		case graph.Dropout:
			layers = append(layers, newDropout(s, m))
		case graph.Flatten:
			// (H, W, C) is flat already.
		}
	}
	return layers
}

// fusable reports whether a convolution and the following pool can run as one.
func fusable(conv, pool graph.Step) bool {
	return conv.Activation == graph.ReLU &&
		pool.Kind == graph.MaxPool2D && pool.Kernel == 2 && pool.Stride == 2 && pool.Padding == graph.Valid
}

// params are the parameters of one layer with the gradients of one worker.
type params struct {
	*trainedLayer
	grads *Gradients
	index int // position of the weights in the gradients
}

func newParams(l *trainedLayer, grads *Gradients, trained int) *params {
	return &params{trainedLayer: l, grads: grads, index: 2 * trained}
}

// gradients returns the slices that this worker adds to: weights (outC, K) and biases (outC).
func (p *params) gradients() (dw, db []float32) {
	return p.grads.data[p.index], p.grads.data[p.index+1]
}

// activate applies an activation in place. The sigmoid of the last layer is part of the loss.
func activate(a graph.Activation, y []float32) {
	switch a {
	case graph.ReLU:
		for i, v := range y {
			if !(v > 0) {
				y[i] = 0
			}
		}
	case graph.ReLU6:
		f32.ReLU6(y)
	}
}

// passGradient clears the gradient where ReLU or ReLU6 stopped the value.
func passGradient(a graph.Activation, dy, y []float32) {
	if a == graph.ReLU || a == graph.ReLU6 {
		for i, v := range y {
			if !(v > 0) || a == graph.ReLU6 && v >= graph.MaxReLU6 {
				dy[i] = 0
			}
		}
	}
}
