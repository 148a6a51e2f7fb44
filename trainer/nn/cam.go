package nn

import (
	"errors"
	"fmt"

	"tirewatch/vision/graph"
)

// ErrNoMap marks a network without a convolution, which has no heat map.
var ErrNoMap = errors.New("the network has no convolution to make a heat map of")

// Explainer shows where in an image the network sees a crack, by Grad-CAM (Selvaraju et al. 2017).
// It adds the channels of a convolution's output, each weighted by the mean gradient of the logit
// over the channel. Negative values mean a sound tire and become 0. It is not safe for concurrent
// use; make one per goroutine.
//
// The paper uses the last convolution. Here that is a 1 x 1 map after all the pools, without any
// position left. So the Explainer uses the deepest map with at least minMap positions each way: 21
// x 21, after conv2, in the thesis network.
type Explainer struct {
	predict *Predictor // shares its layers with worker
	worker  *Worker
	at      int // index of the layer whose output is used
	place   place
}

// minMap is the smallest number of positions, each way, of a map that can show a place.
const minMap = 7

// Heat is a heat map of one image. Position (x, y) covers a window of the image around pixel
// (FirstX + x*Step, FirstY + y*Step).
type Heat struct {
	Layer  string  // name of the convolution
	Logit  float64 // the network's output
	W, H   int
	Values []float32 // (H, W), at least 0; all 0 when nothing looks like a crack

	FirstX, FirstY, Step float64 // px
}

// place names a map and says which pixels its positions cover.
type place struct {
	name         string
	shape        graph.Shape // live
	x, y, stride float64     // centre of the first window and the distance to the next, px
}

// through adds one more layer of windows to the place.
func (p *place) through(kernel, stride, padTop, padLeft int) {
	p.x += p.stride * (float64(kernel-1)/2 - float64(padLeft))
	p.y += p.stride * (float64(kernel-1)/2 - float64(padTop))
	p.stride *= float64(stride)
}

// NewExplainer makes an explainer. It also uses later changes of the network's parameters. The
// error is ErrNoMap.
func (n *Net) NewExplainer() (*Explainer, error) {
	// The backward pass needs memory for the parameters' gradients, which nothing reads.
	w := &Worker{grads: n.NewGradients()}
	w.layers = n.build(&w.mode, &w.grads)
	e := &Explainer{worker: w, at: -1}
	e.predict = &Predictor{net: n, layers: w.layers, x: make([]float32, n.LiveInput().Size())}
	p := place{stride: 1}
	for i, l := range w.layers {
		switch l := l.(type) {
		case *conv:
			p.through(l.Kernel, l.Stride, l.PadTop, l.PadLeft)
			p.name, p.shape = l.Name, l.LiveOut
		case *pointwise:
			p.name, p.shape = l.Name, l.LiveOut
		case *convPool:
			p.through(l.Kernel, l.Stride, l.PadTop, l.PadLeft)
			p.through(2, 2, 0, 0)
			p.name, p.shape = l.Name, l.pooled
		case *maxPool:
			p.through(l.Kernel, l.Stride, l.PadTop, l.PadLeft)
			continue
		case *depthwise:
			p.through(l.Kernel, l.Stride, l.PadTop, l.PadLeft)
			continue
		case *meanPool:
			p.through(l.w, l.Stride, 0, 0)
			continue
		default:
			continue
		}
		if e.at < 0 || min(p.shape.H, p.shape.W) >= minMap {
			e.at, e.place = i, p
		}
	}
	if e.at < 0 {
		return nil, ErrNoMap
	}
	return e, nil
}

// CAM makes the heat map for the preprocessed bytes of one image.
func (e *Explainer) CAM(pix []byte) (Heat, error) {
	w, p := e.worker, e.place
	logit, err := e.predict.Logit(pix, nil)
	if err != nil {
		return Heat{}, fmt.Errorf("heat map: %w", err)
	}
	var features []float32 // (H, W, C)
	switch l := w.layers[e.at].(type) {
	case *conv:
		features = l.y
	case *pointwise:
		features = l.y
	case *convPool:
		features = l.y
	}
	w.dy[0] = 1 // gradient of the logit itself, not of a loss
	dy := w.dy[:]
	for i := len(w.layers) - 1; i > e.at; i-- {
		dy = w.layers[i].backward(dy)
	}

	h := Heat{Layer: p.name, Logit: logit, W: p.shape.W, H: p.shape.H, FirstX: p.x, FirstY: p.y, Step: p.stride}
	h.Values = make([]float32, h.W*h.H)
	weights := make([]float32, p.shape.C)
	for i, d := range dy {
		weights[i%len(weights)] += d / float32(len(h.Values))
	}
	for i := range h.Values {
		sum := float32(0)
		for c, f := range features[i*len(weights):][:len(weights)] {
			sum += weights[c] * f
		}
		h.Values[i] = max(sum, 0)
	}
	return h, nil
}
