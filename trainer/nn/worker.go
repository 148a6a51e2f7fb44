package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"tirewatch/vision/graph"
)

// Worker computes one image at a time, forward and backward. It is not safe for concurrent use;
// make one per goroutine.
type Worker struct {
	mode   mode
	layers []layer
	lowest int // layer where the backward pass ends: those below are frozen
	grads  Gradients
	dy     [1]float32
}

// NewWorker makes a worker for the network.
func (n *Net) NewWorker() *Worker {
	w := new(Worker)
	w.layers = n.build(&w.mode, &w.grads)
	for w.lowest < len(w.layers) && !trains(w.layers[w.lowest]) {
		w.lowest++
	}
	if w.lowest == 0 {
		stream(w.layers)
	}
	return w
}

// Result is the result of one image.
type Result struct {
	Loss  float64 // binary cross-entropy, nats, times the image's weight
	Logit float64
}

// Step runs one image forward and backward and adds its gradient to grads. x holds the live part of
// the image, values 0 to 1 (see Net.LiveInput). label is 1 for a crack and 0 for a sound tire. rng
// draws the dropout.
func (w *Worker) Step(x []float32, label float64, rng *rand.Rand, grads Gradients) Result {
	return w.StepWeighted(x, label, 1, rng, grads)
}

// StepWeighted is Step with a weight: the loss and the gradient of the image are multiplied by it.
func (w *Worker) StepWeighted(x []float32, label, weight float64, rng *rand.Rand, grads Gradients) Result {
	w.mode, w.grads = mode{training: true, rng: rng}, grads
	logit := w.forward(x)
	loss, slope := CrossEntropy(logit, label)
	w.dy[0] = float32(weight * slope)
	dy := w.dy[:]
	for i := len(w.layers) - 1; i >= w.lowest && dy != nil; i-- {
		dy = w.layers[i].backward(dy)
	}
	return Result{weight * loss, logit}
}

func (w *Worker) forward(x []float32) float64 {
	for _, l := range w.layers {
		x = l.forward(x)
	}
	return float64(x[0])
}

// CrossEntropy returns the binary cross-entropy of a logit and a label of 0 or 1, in nats, and its
// derivative by the logit. It starts from the logit, because a probability could round to 0 or 1:
// max(z, 0) - z*label + log(1 + exp(-|z|)).
func CrossEntropy(logit, label float64) (loss, slope float64) {
	loss = max(logit, 0) - logit*label + math.Log1p(math.Exp(-math.Abs(logit)))
	return loss, 1/(1+math.Exp(-logit)) - label
}

// LiveInput returns the shape of the part of the image that the network reads, starting at its top
// left corner. A worker's input has this shape.
func (n *Net) LiveInput() graph.Shape { return n.steps[0].LiveIn }

// Predictor is a network that only predicts. It is not safe for concurrent use; make one per
// goroutine.
type Predictor struct {
	net    *Net
	mode   mode
	layers []layer
	x      []float32
}

// NewPredictor makes a predictor. It also uses later changes of the network's parameters.
func (n *Net) NewPredictor() *Predictor {
	p := &Predictor{net: n, x: make([]float32, n.LiveInput().Size())}
	p.layers = n.build(&p.mode, nil)
	return p
}

// Logit returns the network's output before the sigmoid for the preprocessed bytes of one image.
// observe, if not nil, receives the values after the activation of each layer with weights, counted
// from 0, in the live region that the result depends on. If a pool follows, they are the values
// after the pool, where the int8 network requantises them. The slice is valid only during the call.
func (p *Predictor) Logit(pix []byte, observe func(layer int, values []float32)) (float64, error) {
	if len(pix) != p.net.InputSize() {
		return 0, fmt.Errorf("the image has %d bytes, the network takes %d", len(pix), p.net.InputSize())
	}
	in, live := p.net.steps[0].In, p.net.LiveInput()
	row := live.W * live.C
	for y := range live.H {
		src := pix[y*in.W*in.C:][:row]
		dst := p.x[y*row:][:row]
		for i, v := range src {
			dst[i] = float32(v) * (1.0 / 255)
		}
	}
	x, trained, at := p.x, 0, -1
	for i, l := range p.layers {
		x = l.forward(x)
		switch l.(type) {
		case *conv, *pointwise:
			at = p.poolAfter(i)
		case *convPool, *depthwise, *dense:
			at = i
		}
		if i == at {
			if observe != nil {
				observe(trained, x)
			}
			trained++
		}
	}
	return float64(x[0]), nil
}

// poolAfter returns the index of the pool after layer i, or i when none follows. It skips dropout,
// which does nothing here.
func (p *Predictor) poolAfter(i int) int {
	k := i + 1
	for k < len(p.layers) {
		if _, idle := p.layers[k].(*dropout); !idle {
			break
		}
		k++
	}
	if k < len(p.layers) {
		if _, pool := p.layers[k].(*maxPool); pool {
			return k
		}
	}
	return i
}
