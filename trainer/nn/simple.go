package nn

import (
	"math"

	"tirewatch/vision/graph"
)

// maxPool is a pool that is not fused with a convolution: any kernel, stride and padding. Windows
// that reach over the border use only the values inside.
type maxPool struct {
	graph.Step
	y      []float32
	winner []int32 // index into the input
	dx     []float32
}

func newMaxPool(s graph.Step) *maxPool {
	return &maxPool{Step: s, y: make([]float32, s.LiveOut.Size()), winner: make([]int32, s.LiveOut.Size())}
}

func (m *maxPool) forward(x []float32) []float32 {
	i := 0
	for oy := range m.LiveOut.H {
		for ox := range m.LiveOut.W {
			y0, x0 := oy*m.Stride-m.PadTop, ox*m.Stride-m.PadLeft
			y1, x1 := min(y0+m.Kernel, m.LiveIn.H), min(x0+m.Kernel, m.LiveIn.W)
			for c := range m.LiveOut.C {
				best, at := float32(math.Inf(-1)), int32(0)
				for iy := max(y0, 0); iy < y1; iy++ {
					for ix := max(x0, 0); ix < x1; ix++ {
						k := (iy*m.LiveIn.W+ix)*m.LiveIn.C + c
						if x[k] > best {
							best, at = x[k], int32(k)
						}
					}
				}
				m.y[i], m.winner[i] = best, at
				i++
			}
		}
	}
	return m.y
}

func (m *maxPool) backward(dy []float32) []float32 {
	if m.dx == nil {
		m.dx = make([]float32, m.LiveIn.Size())
	}
	clear(m.dx)
	for i, g := range dy {
		m.dx[m.winner[i]] += g
	}
	return m.dx
}

// dense is a fully connected layer.
type dense struct {
	graph.Step
	*params
	x, y, dx []float32
}

func newDense(s graph.Step, p *params) *dense {
	return &dense{Step: s, params: p, y: make([]float32, s.Filters), dx: make([]float32, s.In.C)}
}

func (d *dense) forward(x []float32) []float32 {
	d.x = x
	copy(d.y, d.bias)
	for k, v := range x {
		if v != 0 {
			for c, w := range d.packed[k*d.Filters:][:d.Filters] {
				d.y[c] += v * w
			}
		}
	}
	activate(d.Activation, d.y)
	return d.y
}

func (d *dense) backward(dy []float32) []float32 {
	dw, db := d.gradients()
	passGradient(d.Activation, dy, d.y)
	clear(d.dx)
	w := d.weights
	for c, g := range dy {
		if g == 0 {
			continue
		}
		db[c] += g
		wc, dwc := w[c*d.In.C:][:d.In.C], dw[c*d.In.C:][:d.In.C]
		for k, v := range d.x {
			dwc[k] += g * v
			d.dx[k] += g * wc[k]
		}
	}
	return d.dx
}

// dropout sets a random share of its input to zero in training and enlarges the rest, so that the
// expected sum is the same (inverted dropout, as in Keras). In prediction it does nothing.
type dropout struct {
	graph.Step
	mode  *mode
	y     []float32
	scale []float32 // per unit: 0 or 1/(1-rate)
}

func newDropout(s graph.Step, m *mode) *dropout {
	return &dropout{Step: s, mode: m, y: make([]float32, s.LiveOut.Size()), scale: make([]float32, s.LiveOut.Size())}
}

func (d *dropout) forward(x []float32) []float32 {
	if !d.mode.training {
		return x
	}
	keep := float32(1 / (1 - d.Rate))
	for i, v := range x {
		d.scale[i] = keep
		if d.mode.rng.Float64() < d.Rate {
			d.scale[i] = 0
		}
		d.y[i] = v * d.scale[i]
	}
	return d.y
}

func (d *dropout) backward(dy []float32) []float32 {
	if !d.mode.training {
		return dy
	}
	for i := range dy {
		dy[i] *= d.scale[i]
	}
	return dy
}
