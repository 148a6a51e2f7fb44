package nn

import (
	"tirewatch/trainer/nn/f32"
	"tirewatch/vision/graph"
)

// padded copies an activation into a frame of zeros when the layer's padding asks for one, so that every window lies inside.
type padded struct {
	in, frame graph.Shape // of the live input, and of what the windows read
	top, left int
	x         []float32 // the last input, framed if need be
	own       []float32 // memory of the frame; nil without padding
	d         []float32 // gradient of the framed input
}

// newPadded sizes the frame for a live output of out.
func newPadded(s graph.Step) padded {
	p := padded{in: s.LiveIn, top: s.PadTop, left: s.PadLeft}
	p.frame = graph.Shape{
		H: max((s.LiveOut.H-1)*s.Stride+s.Kernel, p.top+p.in.H),
		W: max((s.LiveOut.W-1)*s.Stride+s.Kernel, p.left+p.in.W),
		C: p.in.C,
	}
	if p.frame != p.in {
		p.own = make([]float32, p.frame.Size())
	}
	return p
}

// set takes the input of one image.
func (p *padded) set(x []float32) {
	p.x = x
	if p.own == nil {
		return
	}
	row := p.in.W * p.in.C
	for y := range p.in.H {
		copy(p.own[((p.top+y)*p.frame.W+p.left)*p.frame.C:][:row], x[y*row:])
	}
	p.x = p.own
}

// gradient gives the cleared gradient of the framed input.
func (p *padded) gradient() []float32 {
	if p.d == nil {
		p.d = make([]float32, p.frame.Size())
	}
	clear(p.d)
	return p.d
}

// unframe cuts the gradient of the input out of the framed one, in place: rows only move towards the start.
func (p *padded) unframe() []float32 {
	if p.own == nil {
		return p.d
	}
	row := p.in.W * p.in.C
	for y := range p.in.H {
		copy(p.d[y*row:][:row], p.d[((p.top+y)*p.frame.W+p.left)*p.frame.C:][:row])
	}
	return p.d[:p.in.H*row]
}

// windows gives the geometry of one row of positions.
func windows(s graph.Step, frame graph.Shape) f32.Windows {
	return f32.Windows{Step: s.Stride * frame.C, Runs: s.Kernel, RunLen: s.Kernel * frame.C, RunStride: frame.W * frame.C}
}

// conv is a convolution on its own: any kernel, stride, padding and activation.
type conv struct {
	graph.Step
	*params
	padded
	v       f32.Windows
	y       []float32 // (live H, live W, F)
	entries []f32.Entry
}

func newConv(s graph.Step, p *params) *conv {
	c := &conv{Step: s, params: p, padded: newPadded(s), y: make([]float32, s.LiveOut.Size())}
	c.v = windows(s, c.frame)
	return c
}

func (c *conv) forward(x []float32) []float32 {
	c.set(x)
	row := c.LiveOut.W * c.Filters
	for y := range c.LiveOut.H {
		f32.Rows(c.y[y*row:][:row], c.x[y*c.Stride*c.v.RunStride:], c.LiveOut.W, c.v, c.packed, c.bias)
	}
	activate(c.Activation, c.y)
	return c.y
}

func (c *conv) backward(dy []float32) []float32 {
	dw, db := c.gradients()
	dx := c.gradient()
	passGradient(c.Activation, dy, c.y)
	k := c.v.K()
	for y := range c.LiveOut.H {
		c.entries = c.entries[:0]
		for x := range c.LiveOut.W {
			for f, g := range dy[(y*c.LiveOut.W+x)*c.Filters:][:c.Filters] {
				if g != 0 {
					db[f] += g
					c.entries = append(c.entries, f32.NewEntry(g, y*c.Stride*c.v.RunStride+x*c.v.Step, f*k))
				}
			}
		}
		f32.Scatter(c.entries, c.x, dx, c.weights, dw, c.v)
	}
	return c.unframe()
}

// convPool is a convolution with ReLU and a 2 x 2 max pool behind it, as one: two rows of positions are computed into scratch and
// pooled; only the pooled values and the place of each winner are kept.
type convPool struct {
	graph.Step             // the convolution
	pooled     graph.Shape // live output of the pool
	*params
	padded
	v       f32.Windows
	first   bool      // of the network: nobody needs the gradient of its input
	rows    []float32 // (2, 2*pooled.W, F) scratch
	y       []float32 // (pooled.H, pooled.W, F)
	winner  []uint8   // as y
	entries []f32.Entry
	byPlace [f32.Dead][]f32.Entry // entries of one pooled position, those of one window together
	taps    []float32             // (10, F) scratch of the first layer's gradient
}

func newConvPool(s, pool graph.Step, p *params, first bool) *convPool {
	c := &convPool{Step: s, pooled: pool.LiveOut, params: p, padded: newPadded(s), first: first}
	c.v = windows(s, c.frame)
	c.rows = make([]float32, 2*2*c.pooled.W*c.Filters)
	c.y = make([]float32, c.pooled.Size())
	c.winner = make([]uint8, c.pooled.Size())
	return c
}

func (c *convPool) forward(x []float32) []float32 {
	c.set(x)
	n, row := 2*c.pooled.W, 2*c.pooled.W*c.Filters
	for y := range c.pooled.H {
		for i := range 2 {
			f32.Rows(c.rows[i*row:][:row], c.x[(2*y+i)*c.Stride*c.v.RunStride:], n, c.v, c.packed, c.bias)
		}
		f32.PoolReLU(c.y[y*row/2:][:row/2], c.winner[y*row/2:][:row/2], c.rows[:row], c.rows[row:], c.pooled.W, c.Filters)
	}
	return c.y
}

func (c *convPool) backward(dy []float32) []float32 {
	if c.first && c.v.K() == 9 && c.Stride == 2 && c.frame.C == 1 {
		c.backwardFirst(dy)
		return nil
	}
	dw, db := c.gradients()
	dx := c.gradient()
	k := c.v.K()
	down := c.Stride * c.v.RunStride // from a position to the one below
	for y := range c.pooled.H {
		c.entries = c.entries[:0]
		for x := range c.pooled.W {
			i := (y*c.pooled.W + x) * c.Filters
			at := 2*y*down + 2*x*c.v.Step
			place := [f32.Dead]int{at, at + c.v.Step, at + down, at + down + c.v.Step}
			winner := c.winner[i:][:c.Filters]
			for f, g := range dy[i:][:c.Filters] {
				if w := winner[f]; w < f32.Dead && g != 0 {
					db[f] += g
					c.byPlace[w] = append(c.byPlace[w], f32.NewEntry(g, place[w], f*k))
				}
			}
			for w, e := range c.byPlace {
				c.entries = append(c.entries, e...)
				c.byPlace[w] = e[:0]
			}
		}
		f32.Scatter(c.entries, c.x, dx, c.weights, dw, c.v)
	}
	return c.unframe()
}

// backwardFirst adds the gradient of a first layer of 3x3 windows with stride 2 over one channel.
func (c *convPool) backwardFirst(dy []float32) {
	if c.taps == nil {
		c.taps = make([]float32, 10*c.Filters)
	}
	clear(c.taps)
	row := c.pooled.W * c.Filters
	for y := range c.pooled.H {
		f32.FirstBackward(c.taps, dy[y*row:][:row], c.winner[y*row:][:row], c.x[4*y*c.v.RunStride:], c.v.RunStride, c.pooled.W, c.Filters)
	}
	dw, db := c.gradients()
	for f := range c.Filters {
		for k := range 9 {
			dw[9*f+k] += c.taps[k*c.Filters+f]
		}
		db[f] += c.taps[9*c.Filters+f]
	}
}
