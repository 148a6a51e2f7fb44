package nn

import (
	"tirewatch/trainer/nn/f32"
	"tirewatch/vision/graph"
)

// padded copies an activation into a frame of zeros when the layer has padding, so that every
// window is inside.
type padded struct {
	in, frame graph.Shape // of the live input, and of what the windows read
	top, left int
	x         []float32 // the last input, framed if padded
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

// set stores the input of one image.
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

// gradient returns the cleared gradient of the framed input, nil when it is not needed.
func (p *padded) gradient(unneeded bool) []float32 {
	if unneeded {
		return nil
	}
	if p.d == nil {
		p.d = make([]float32, p.frame.Size())
	}
	clear(p.d)
	return p.d
}

// unframe cuts the gradient of the input out of the framed one, in place. This works because rows
// only move towards the start.
func (p *padded) unframe() []float32 {
	if p.own == nil || p.d == nil {
		return p.d
	}
	row := p.in.W * p.in.C
	for y := range p.in.H {
		copy(p.d[y*row:][:row], p.d[((p.top+y)*p.frame.W+p.left)*p.frame.C:][:row])
	}
	return p.d[:p.in.H*row]
}

// windows returns the geometry of one row of positions.
func windows(s graph.Step, frame graph.Shape) f32.Windows {
	return f32.Windows{
		Step: s.Stride * frame.C, Runs: s.Kernel,
		RunLen: s.Kernel * frame.C, RunStride: frame.W * frame.C,
	}
}

// conv is a convolution without a fused pool: any kernel, stride, padding and activation.
type conv struct {
	graph.Step
	*params
	padded
	v     f32.Windows
	first bool      // first layer: the gradient of its input is not needed
	y     []float32 // (live H, live W, F)
	row   sparse
}

func newConv(s graph.Step, p *params, first bool) *conv {
	c := &conv{Step: s, params: p, padded: newPadded(s), first: first, y: make([]float32, s.LiveOut.Size())}
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
	dx := c.gradient(c.first)
	passGradient(c.Activation, dy, c.y)
	n := c.LiveOut.W
	if c.row.windows == nil {
		c.row = newSparse(n, c.Filters, c.v)
	}
	for y := range c.LiveOut.H {
		c.row.clear()
		for x := range n {
			c.row.place(x, y*c.Stride*c.v.RunStride+x*c.v.Step)
			for f, g := range dy[(y*n+x)*c.Filters:][:c.Filters] {
				if g != 0 {
					db[f] += g
					c.row.add(x, f, g)
				}
			}
		}
		c.row.backward(c.x, dx, c.weights, dw)
	}
	return c.unframe()
}

// convPool is a convolution with ReLU and the following 2 x 2 max pool, as one. Two rows of
// positions are computed into scratch and pooled. Only the pooled values and the place of each
// winner are kept.
type convPool struct {
	graph.Step             // the convolution
	pooled     graph.Shape // live output of the pool
	*params
	padded
	v      f32.Windows
	first  bool      // first layer: the gradient of its input is not needed
	rows   []float32 // (2, 2*pooled.W, F) scratch
	y      []float32 // (pooled.H, pooled.W, F)
	winner []uint8   // as y: which of the four positions won
	row    sparse    // four windows per pooled position
	firstGradient

	// the layer that this one requests rows from and passes gradients to, row by row; or nil (see
	// stream)
	below *convPool
	above bool // this layer is another layer's below
	done  int  // finished rows of y, when above is set
}

func newConvPool(s, pool graph.Step, p *params, first bool) *convPool {
	c := &convPool{Step: s, pooled: pool.LiveOut, params: p, padded: newPadded(s), first: first}
	c.v = windows(s, c.frame)
	c.rows = make([]float32, 2*2*c.pooled.W*c.Filters)
	c.y = make([]float32, c.pooled.Size())
	c.winner = make([]uint8, c.pooled.Size())
	return c
}

// stream lets the two lowest layers work row by row on the activation between them, which is by far
// the largest, and on its gradient. Both then stay in the nearest caches and in a few rows of
// memory. The results are exactly the same.
func stream(layers []layer) {
	if len(layers) < 2 {
		return
	}
	below, ok := layers[0].(*convPool)
	c, ok2 := layers[1].(*convPool)
	if ok && ok2 && below.first && below.firstShape() && c.own == nil {
		c.below, below.above = below, true
	}
}

// reach returns the number of input rows that a row of pooled positions reads. The next row starts
// step rows further down.
func (c *convPool) reach() (rows, step int) { return c.Stride + c.Kernel, 2 * c.Stride }

func (c *convPool) forward(x []float32) []float32 {
	c.set(x)
	c.done = 0
	if !c.above {
		c.rowsUntil(c.pooled.H)
	}
	return c.y
}

// rowsUntil computes the missing rows of y, up to row end.
func (c *convPool) rowsUntil(end int) {
	rows, step := c.reach()
	for ; c.done < end; c.done++ {
		if c.below != nil {
			c.below.rowsUntil(c.done*step + rows)
		}
		c.forwardRow(c.done)
	}
}

func (c *convPool) forwardRow(y int) {
	row := c.pooled.W * c.Filters
	out, winner := c.y[y*row:][:row], c.winner[y*row:][:row]
	x := c.x[2*y*c.Stride*c.v.RunStride:]
	if c.firstShape() && f32.FirstForward(out, winner, x, c.v.RunStride, c.packed, c.bias, c.pooled.W) {
		return
	}
	top, bottom := c.rows[:2*row], c.rows[2*row:]
	f32.Rows(top, x, 2*c.pooled.W, c.v, c.packed, c.bias)
	f32.Rows(bottom, x[c.Stride*c.v.RunStride:], 2*c.pooled.W, c.v, c.packed, c.bias)
	f32.PoolReLU(out, winner, top, bottom, c.pooled.W, c.Filters)
}

func (c *convPool) backward(dy []float32) []float32 {
	if c.first && c.firstShape() {
		c.beginFirst()
		c.firstRows(dy, 0)
		c.endFirst()
		return nil
	}
	if c.row.windows == nil {
		c.prepare()
	}
	if c.below != nil {
		c.backwardInto(c.below, dy)
		return nil
	}
	dx := c.gradient(c.first)
	for y := range c.pooled.H {
		at := 2 * y * c.Stride * c.v.RunStride
		if dx == nil {
			c.backwardRow(y, dy, c.x[at:], nil)
		} else {
			c.backwardRow(y, dy, c.x[at:], dx[at:])
		}
	}
	return c.unframe()
}

// prepare allocates the gradient of a row. The four windows of a pooled position are next to each
// other.
func (c *convPool) prepare() {
	c.row = newSparse(f32.Dead*c.pooled.W, c.Filters, c.v)
	down := c.Stride * c.v.RunStride // from a position to the one below
	for x := range c.pooled.W {
		at := 2 * x * c.v.Step
		for place, step := range [f32.Dead]int{0, c.v.Step, down, down + c.v.Step} {
			c.row.place(f32.Dead*x+place, at+step)
		}
	}
}

// backwardRow adds the contribution of row y of the pooled positions. x and dx start at its first
// window.
func (c *convPool) backwardRow(y int, dy, x, dx []float32) {
	dw, db := c.gradients()
	c.row.clear()
	for p := range c.pooled.W {
		i := (y*c.pooled.W + p) * c.Filters
		winner := c.winner[i:][:c.Filters]
		for f, g := range dy[i:][:c.Filters] {
			if w := int(winner[f]); w < f32.Dead && g != 0 {
				db[f] += g
				c.row.add(f32.Dead*p+w, f, g)
			}
		}
	}
	c.row.backward(x, dx, c.weights, dw)
}

// backwardInto passes the gradient of the input to the layer below as soon as a row of it is
// complete. Only the rows under one row of pooled positions are stored; the last of them is the
// first of the next.
func (c *convPool) backwardInto(below *convPool, dy []float32) {
	rows, step := c.reach()
	if c.d == nil {
		c.d = make([]float32, rows*c.v.RunStride)
	}
	clear(c.d)
	below.beginFirst()
	for y := range c.pooled.H {
		c.backwardRow(y, dy, c.x[y*step*c.v.RunStride:], c.d)
		complete := step
		if y == c.pooled.H-1 {
			complete = rows
		}
		below.firstRows(c.d[:complete*c.v.RunStride], y*step)
		kept := copy(c.d, c.d[complete*c.v.RunStride:])
		clear(c.d[kept:])
	}
	below.endFirst()
}

// firstGradient is the unfinished gradient of a first layer with 3x3 windows and stride 2 over one
// channel.
type firstGradient struct {
	taps   []float32 // (10, F): nine taps and the bias
	pixels []float32 // f32.FirstScratch
}

// firstShape reports whether f32's kernels for a first layer fit.
func (c *convPool) firstShape() bool { return c.Kernel == 3 && c.Stride == 2 && c.frame.C == 1 }

func (c *convPool) beginFirst() {
	if c.taps == nil {
		c.taps, c.pixels = make([]float32, 10*c.Filters), make([]float32, f32.FirstScratch(c.pooled.W))
	}
	clear(c.taps)
}

// firstRows adds the gradient of whole rows of the output, starting at row y.
func (c *convPool) firstRows(dy []float32, y int) {
	row := c.pooled.W * c.Filters
	for ; len(dy) > 0; dy, y = dy[row:], y+1 {
		f32.FirstBackward(c.taps, dy[:row], c.winner[y*row:][:row], c.x[4*y*c.v.RunStride:],
			c.v.RunStride, c.pooled.W, c.Filters, c.pixels)
	}
}

func (c *convPool) endFirst() {
	dw, db := c.gradients()
	for f := range c.Filters {
		for k := range 9 {
			dw[9*f+k] += c.taps[k*c.Filters+f]
		}
		db[f] += c.taps[9*c.Filters+f]
	}
}
