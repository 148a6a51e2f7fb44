package nn

import (
	"tirewatch/trainer/nn/f32"
	"tirewatch/vision/graph"
)

// depthwise is a convolution of each channel by its own filter: any kernel, stride, padding and
// activation. Channels vary fastest in the input, the output and the packed weights, so each tap of
// a window is one multiply-add over all channels. f32 has kernels for 3x3 windows.
type depthwise struct {
	graph.Step
	*params
	padded
	first bool      // first layer: the gradient of its input is not needed
	y     []float32 // (live H, live W, C)
	taps  []float32 // gradient of the weights, (kernel, kernel, C) as packed
	live  []int32   // positions of a row that have a gradient
}

func newDepthwise(s graph.Step, p *params, first bool) *depthwise {
	return &depthwise{Step: s, params: p, padded: newPadded(s), first: first, y: make([]float32, s.LiveOut.Size())}
}

// row returns where row y of the output begins, and where its first window begins in the framed
// input.
func (d *depthwise) row(y int) (out, window int) {
	return y * d.LiveOut.W * d.Filters, y * d.Stride * d.stride()
}

// step and stride are the distances in the framed input of two positions and of two rows.
func (d *depthwise) step() int   { return d.Stride * d.Filters }
func (d *depthwise) stride() int { return d.frame.W * d.Filters }

func (d *depthwise) forward(x []float32) []float32 {
	d.set(x)
	n := d.LiveOut.W
	for y := range d.LiveOut.H {
		out, window := d.row(y)
		if d.Kernel == 3 {
			f32.Depthwise(d.y[out:], d.x[window:], n, d.step(), d.stride(), d.packed, d.bias, d.Activation == graph.ReLU6)
		} else {
			d.forwardRow(d.y[out:][:n*d.Filters], d.x[window:])
		}
	}
	if d.Kernel != 3 || d.Activation != graph.ReLU6 {
		activate(d.Activation, d.y)
	}
	return d.y
}

// tap returns the place of tap k of window p in a row.
func (d *depthwise) tap(p, k int) int {
	return p*d.step() + k/d.Kernel*d.stride() + k%d.Kernel*d.Filters
}

// forwardRow is f32.Depthwise for any window.
func (d *depthwise) forwardRow(y, x []float32) {
	for p := range d.LiveOut.W {
		out := y[p*d.Filters:][:d.Filters]
		copy(out, d.bias)
		for k := range d.Kernel * d.Kernel {
			multiplyAdd(out, x[d.tap(p, k):], d.packed[k*d.Filters:])
		}
	}
}

func (d *depthwise) backward(dy []float32) []float32 {
	dw, db := d.gradients()
	dx := d.gradient(d.first)
	if d.taps == nil {
		d.taps, d.live = make([]float32, len(d.packed)), make([]int32, 0, d.LiveOut.W)
	}
	clear(d.taps)
	n := d.LiveOut.W
	for y := range d.LiveOut.H {
		out, window := d.row(y)
		d.live = f32.LiveRows(d.live[:0], dy[out:], n, d.Filters)
		if len(d.live) == 0 {
			continue
		}
		// From the first to the last position with a gradient: see pointwise.
		first := int(d.live[0])
		reach := int(d.live[len(d.live)-1]) + 1 - first
		out, window = out+first*d.Filters, window+first*d.step()
		g := dy[out:][:reach*d.Filters]
		biasGradient(d.Activation, g, d.y[out:][:len(g)], db)
		if d.Kernel != 3 {
			d.backwardRow(g, window, dx)
			continue
		}
		f32.DepthwiseWeights(d.taps, g, d.x[window:], reach, d.step(), d.stride())
		if dx != nil {
			f32.DepthwiseInput(dx[window:], g, reach, d.step(), d.stride(), d.packed)
		}
	}
	for i, v := range d.taps {
		dw[i%d.Filters*d.Kernel*d.Kernel+i/d.Filters] += v
	}
	return d.unframe()
}

// backwardRow is f32.DepthwiseWeights and f32.DepthwiseInput for any window.
func (d *depthwise) backwardRow(dy []float32, window int, dx []float32) {
	for p := range len(dy) / d.Filters {
		g := dy[p*d.Filters:][:d.Filters]
		for k := range d.Kernel * d.Kernel {
			at := window + d.tap(p, k)
			multiplyAdd(d.taps[k*d.Filters:][:d.Filters], d.x[at:], g)
			if dx != nil {
				multiplyAdd(dx[at:][:d.Filters], d.packed[k*d.Filters:], g)
			}
		}
	}
}

// multiplyAdd adds the products of a and b to the sums.
func multiplyAdd(sums, a, b []float32) {
	a, b = a[:len(sums)], b[:len(sums)]
	for c := range sums {
		sums[c] += a[c] * b[c]
	}
}
