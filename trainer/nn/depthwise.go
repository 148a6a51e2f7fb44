package nn

import "tirewatch/vision/graph"

// depthwise is a convolution of each channel by its own filter: any kernel, stride, padding and
// activation. Channels vary fastest in the input, the output and the packed weights, so each tap of
// a window is one multiply-add over all channels.
type depthwise struct {
	graph.Step
	*params
	padded
	first bool      // first layer: the gradient of its input is not needed
	y     []float32 // (live H, live W, C)
	taps  []float32 // gradient of the weights, (kernel, kernel, C) as packed
}

func newDepthwise(s graph.Step, p *params, first bool) *depthwise {
	return &depthwise{Step: s, params: p, padded: newPadded(s), first: first, y: make([]float32, s.LiveOut.Size())}
}

// tap returns the place in the framed input of tap k of the window at position (y, x).
func (d *depthwise) tap(y, x, k int) int {
	return ((y*d.Stride+k/d.Kernel)*d.frame.W + x*d.Stride + k%d.Kernel) * d.frame.C
}

func (d *depthwise) forward(x []float32) []float32 {
	d.set(x)
	for p := range d.LiveOut.H * d.LiveOut.W {
		out := d.y[p*d.Filters:][:d.Filters]
		copy(out, d.bias)
		for k := range d.Kernel * d.Kernel {
			multiplyAdd(out, d.x[d.tap(p/d.LiveOut.W, p%d.LiveOut.W, k):], d.packed[k*d.Filters:])
		}
	}
	activate(d.Activation, d.y)
	return d.y
}

func (d *depthwise) backward(dy []float32) []float32 {
	dw, db := d.gradients()
	dx := d.gradient(d.first)
	passGradient(d.Activation, dy, d.y)
	if d.taps == nil {
		d.taps = make([]float32, len(d.packed))
	}
	clear(d.taps)
	for p := range d.LiveOut.H * d.LiveOut.W {
		g := dy[p*d.Filters:][:d.Filters]
		for c, v := range g {
			db[c] += v
		}
		for k := range d.Kernel * d.Kernel {
			at := d.tap(p/d.LiveOut.W, p%d.LiveOut.W, k)
			multiplyAdd(d.taps[k*d.Filters:][:d.Filters], d.x[at:], g)
			if dx != nil {
				multiplyAdd(dx[at:][:d.Filters], d.packed[k*d.Filters:], g)
			}
		}
	}
	for i, v := range d.taps {
		dw[i%d.Filters*d.Kernel*d.Kernel+i/d.Filters] += v
	}
	return d.unframe()
}

// multiplyAdd adds the products of a and b to the sums.
func multiplyAdd(sums, a, b []float32) {
	a, b = a[:len(sums)], b[:len(sums)]
	for c := range sums {
		sums[c] += a[c] * b[c]
	}
}
