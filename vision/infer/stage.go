package infer

import (
	"slices"
	"time"

	"tirewatch/vision/graph"
	"tirewatch/vision/kernel"
)

// rower computes an activation row by row, in increasing order after Start.
type rower interface {
	// Needs returns the input rows, from y0 up to but not including y1, from which output row oy is
	// computed.
	Needs(oy int) (y0, y1 int)
	// Row computes output row oy from x, which holds input rows from row top on.
	Row(dst, x []uint8, top, oy int)
}

// stage is one layer of a chain with the rows of its output that are still needed.
//
// Only the newest rows of an activation are kept. A stage computes a row when the next stage needs
// it, so each layer reads the output of the one before from the second-level cache. The first
// activation of the thesis network, 925 kB, never exists as a whole. Rows must have a constant
// distance, because a window is read as runs at that distance. So, when the buffer is full, the
// rows that are still needed move to its front.
type stage struct {
	name   string
	op     rower
	start  func() // discards what op keeps between rows; nil if it keeps nothing
	height int    // rows of the whole output
	row    int    // bytes of a row
	size   int    // scratch memory of the op, in bytes

	macs   int // multiply-accumulates of the whole output
	pooled int // values read for the whole output, for a pool that is a stage

	// Owned by the goroutine that runs the chain.
	buf      []uint8 // (rows, row)
	top, end int     // the rows of the output that buf holds
	spent    time.Duration
}

// bytes reports whether the output is an activation. Scores are not.
func (s *stage) bytes() bool {
	_, scores := s.op.(*kernel.Scores)
	return !scores
}

func convShape(s graph.Step, pool *graph.Step, row int) kernel.ConvShape {
	shape := kernel.ConvShape{In: area(s.LiveIn, row), OutC: s.Filters, Conv: window(s)}
	if pool != nil {
		shape.Pool = window(*pool)
	}
	return shape
}

func newConvStage(b *kernel.Body, s graph.Step, pool *graph.Step, row int, l *Layer) *stage {
	out, name := s.LiveOut, s.Name
	if pool != nil {
		out, name = pool.LiveOut, s.Name+"+"+pool.Name
	}
	shape := convShape(s, pool, row)
	c := kernel.NewConv(b, shape, l.Weights(), l.Bias, slices.Clone(l.Mult))
	_, macs := s.MACs()
	return &stage{name: name, op: c, start: c.Start, height: out.H, row: out.W * out.C, size: c.Scratch(), macs: macs}
}

// newScoreStage makes the stage of the last layer before a TopMean. Its rows are scores.
func newScoreStage(b *kernel.Body, s graph.Step, row int, l *Layer) *stage {
	op := kernel.NewScores(b, convShape(s, nil, row), l.Weights(), l.Bias)
	_, macs := s.MACs()
	return &stage{name: s.Name, op: op, height: s.LiveOut.H, row: s.LiveOut.W * kernel.ScoreBytes,
		size: op.Scratch(), macs: macs}
}

func depthwiseShape(s graph.Step, row int) kernel.DepthwiseShape {
	return kernel.DepthwiseShape{In: area(s.LiveIn, row), Conv: window(s)}
}

func newDepthwiseStage(b *kernel.Body, s graph.Step, row int, l *Layer) *stage {
	op := kernel.NewDepthwise(b, depthwiseShape(s, row), l.Weights(), slices.Clone(l.Bias), slices.Clone(l.Mult))
	_, macs := s.MACs()
	return &stage{name: s.Name, op: op, height: s.LiveOut.H, row: s.LiveOut.W * s.LiveOut.C,
		size: op.Scratch(), macs: macs}
}

func newMeanStage(s graph.Step, row int) *stage {
	m := kernel.Mean{In: area(s.LiveIn, row), H: s.Kernel, W: s.Kernel, Stride: s.Stride, OutW: s.LiveOut.W}
	if s.Kernel == 0 {
		m.H, m.W = s.In.H, s.In.W
	}
	op := m.Clone()
	return &stage{name: s.Name, op: op, height: s.LiveOut.H, row: s.LiveOut.W * s.LiveOut.C,
		size: op.Scratch(), pooled: s.LiveOut.Size() * m.H * m.W}
}

func newPoolStage(s graph.Step, row int) *stage {
	return &stage{name: s.Name, op: &kernel.Pool{In: area(s.LiveIn, row), W: window(s)},
		height: s.LiveOut.H, row: s.LiveOut.W * s.LiveOut.C, pooled: s.LiveOut.Size() * s.Kernel * s.Kernel}
}

// adds returns the stage's mean if it can add rows of its input one by one, otherwise nil.
func (s *stage) adds() *kernel.Mean {
	if m, ok := s.op.(*kernel.Mean); ok && m.Apart() {
		return m
	}
	return nil
}

// clone returns a copy for another goroutine, without a buffer.
func (s *stage) clone() *stage {
	n := *s
	n.buf = nil
	switch op := s.op.(type) {
	case *kernel.Conv:
		c := op.Clone()
		n.op, n.start = c, c.Start
	case *kernel.Depthwise:
		n.op = op.Clone()
	case *kernel.Mean:
		n.op = op.Clone()
	case *kernel.Scores:
		n.op = op.Clone()
	}
	return &n
}

func window(s graph.Step) kernel.Window {
	return kernel.Window{
		Kernel: s.Kernel, Stride: s.Stride, PadTop: s.PadTop, PadLeft: s.PadLeft,
		OutH: s.LiveOut.H, OutW: s.LiveOut.W,
	}
}

func area(s graph.Shape, row int) kernel.Area { return kernel.Area{H: s.H, W: s.W, C: s.C, Row: row} }

// chain is a sequence of stages that one goroutine runs. Each reads the output of the one before
// it, the first one reads an image.
type chain struct {
	stages []*stage
	timed  bool
}

// bufferRows returns the number of rows that a stage keeps for a consumer that needs at most n at a
// time: twice as many, so that moving the rows that two windows share costs little.
func bufferRows(n, height int) int { return min(height, 2*n) }

// newChain allocates the buffer of every stage but the last, which writes to out. out holds its
// whole output.
func newChain(stages []*stage, out []uint8) *chain {
	for i, s := range stages {
		if i == len(stages)-1 {
			s.buf = out
			break
		}
		next, most := stages[i+1], 0
		for oy := range next.height {
			y0, y1 := next.op.Needs(oy)
			most = max(most, y1-y0)
		}
		if next.adds() != nil {
			most = 1
		}
		s.buf = make([]uint8, bufferRows(most, s.height)*s.row)
	}
	return &chain{stages: stages}
}

// run computes the rows from y0 to before y1 of the last stage's output for image x. Several calls
// may have ranges in any order.
func (c *chain) run(x []uint8, y0, y1 int) {
	for _, s := range c.stages {
		s.top, s.end = 0, 0
		if s.start != nil {
			s.start()
		}
	}
	last := len(c.stages) - 1
	s := c.stages[last]
	for y := y0; y < y1; y++ {
		c.compute(last, x, s.buf[y*s.row:][:s.row], y)
	}
}

// compute writes row oy of stage i to dst.
func (c *chain) compute(i int, x, dst []uint8, oy int) {
	s := c.stages[i]
	if m := s.adds(); m != nil && i > 0 {
		c.addRows(i, m, x, dst, oy)
		return
	}
	top := 0
	if i > 0 {
		y0, y1 := s.op.Needs(oy)
		c.want(i-1, x, y0, y1)
		x, top = c.stages[i-1].buf, c.stages[i-1].top
	}
	began := clock(c.timed)
	s.op.Row(dst, x, top, oy)
	s.spent += since(began)
}

// addRows computes row oy of a mean from rows that the stage before computes one after the other.
func (c *chain) addRows(i int, m *kernel.Mean, x, dst []uint8, oy int) {
	s, before := c.stages[i], c.stages[i-1]
	m.Begin()
	y0, y1 := m.Needs(oy)
	for y := y0; y < y1; y++ {
		c.want(i-1, x, y, y+1)
		began := clock(c.timed)
		m.Add(before.buf[(y-before.top)*before.row:])
		s.spent += since(began)
	}
	began := clock(c.timed)
	m.End(dst)
	s.spent += since(began)
}

// want makes stage i hold the rows from y0 to before y1 of its output. Rows before y0 are no longer
// needed.
func (c *chain) want(i int, x []uint8, y0, y1 int) {
	s := c.stages[i]
	if y0 >= s.end {
		s.top, s.end = y0, y0 // nothing to keep
	} else if (y1-s.top)*s.row > len(s.buf) {
		copy(s.buf, s.buf[(y0-s.top)*s.row:(s.end-s.top)*s.row])
		s.top = y0
	}
	for ; s.end < y1; s.end++ {
		c.compute(i, x, s.buf[(s.end-s.top)*s.row:][:s.row], s.end)
	}
}

// height returns the number of rows of the chain's whole output.
func (c *chain) height() int { return c.stages[len(c.stages)-1].height }

// scratch returns the memory of the chain, in bytes, without the last stage's output.
func (c *chain) scratch() int {
	sum := 0
	for i, s := range c.stages {
		sum += s.size
		if i < len(c.stages)-1 {
			sum += len(s.buf)
		}
	}
	return sum
}
