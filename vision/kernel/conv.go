package kernel

// Conv is a convolution and the pool after it, ready to run: its weights are packed and its memory
// is allocated. It is not safe for concurrent use; Clone makes another one with the same weights.
//
// It computes one row of the pool's output at a time. A ring holds the sums of the convolution's
// rows that a pool window covers. Each row is computed once, even if windows overlap, and
// everything between x and dst stays in the first two levels of cache:
//
//	x --rows--> ring of sums (pool.Kernel, Conv.OutW, channels) --pool, requantize--> dst
//
// Windows that extend over the border, or whose runs are not whole groups, are first copied into
// patches. A 1x1 window needs no copy. For layers like those of the thesis network, a body may have
// faster functions that go directly from x to dst.
type Conv struct {
	shape ConvShape
	poolW Window // the pool, or single
	body  *Body

	// Immutable and shared between clones.
	first  firster  // if this is a first layer and the body has a function for it, otherwise nil
	shared sharer   // if the body has a shared function for this layer, otherwise nil
	plain  plainer  // for windows inside x, if the body has a function for this layer, otherwise nil
	narrow narrower // if the body has a function for this layer, otherwise nil
	w      rower    // for all other layers
	pool   pooler   // w if the body also pools this layer, otherwise nil
	mult   []float32

	direct bool // the runs of x can be read as whole groups: patches only at the border
	depth  int  // values of a patch

	// Owned by the goroutine that calls Row.
	done    int     // the ring holds the convolution's rows before this one
	tile    int     // number of positions whose patches are gathered together
	patches []uint8 // (tile, depth)
	ring    []int32 // (pool.Kernel, Conv.OutW, channels)
	best    []int32 // (channels) the maximum of one window
	tail    []uint8 // (channels) one output, if OutC is not a whole block
	edge    []uint8 // (5, ...) pixels at the end of x, for first
	scratch []byte  // for the body
}

// patchBytes limits the patches that are gathered together, so that they stay in the first-level
// cache with the weights.
const patchBytes = 8 << 10

// NewConv packs the weights w (OutC, kernel, kernel, In.C), with bias (OutC) and mult (OutC), and
// allocates all memory that Row needs. No sum of the layer may overflow int32; infer.Model.Validate
// checks this.
func NewConv(b *Body, s ConvShape, w []int8, bias []int32, mult []float32) *Conv {
	c := &Conv{shape: s, poolW: s.pool(), body: b}
	if s.isFirst(b) {
		c.first = b.packFirst(w, bias, mult)
		return c.Clone()
	}
	if s.isShared(b) {
		c.shared = b.packShared(w, bias, mult, s.In.C)
		return c.Clone()
	}
	if s.isNarrow(b) && len(mult) > 0 {
		if c.narrow = b.packNarrow(w, bias, mult); c.narrow != nil {
			return c.Clone()
		}
	}
	if s.isPlain(b) && len(mult) > 0 {
		c.plain = b.packPlain(w, bias, mult)
	}
	c.mult = b.scales(mult)
	runLen := s.Conv.Kernel * s.In.C
	whole := runLen%b.group == 0
	// A 1x1 window is one run. The values after it are those of the next position, and the padding
	// of the weights multiplies them with 0.
	c.direct = whole || s.Conv.Kernel == 1
	if !c.direct {
		runLen *= s.Conv.Kernel
	}
	c.w = b.packed(w, bias, runLen)
	c.depth = padTo(s.depth(), b.group)
	if whole && s.OutC%b.block == 0 && s.poolsWhole() {
		c.pool, _ = c.w.(pooler)
	}
	return c.Clone()
}

// poolsWhole reports whether a 2x2 pool with stride 2 follows and every window of both is complete.
func (s *ConvShape) poolsWhole() bool {
	p := s.pool()
	return s.Conv.PadTop == 0 && s.Conv.PadLeft == 0 &&
		p.Kernel == 2 && p.Stride == 2 && p.PadTop == 0 && p.PadLeft == 0 &&
		2*p.OutH <= s.Conv.OutH && 2*p.OutW <= s.Conv.OutW &&
		(2*p.OutH-1)*s.Conv.Stride+s.Conv.Kernel <= s.In.H && (2*p.OutW-1)*s.Conv.Stride+s.Conv.Kernel <= s.In.W
}

// isFirst and isShared report whether the body has its own function for this layer: 3x3 windows
// with stride 2 and a 2x2 pool, over one channel or over more.
func (s *ConvShape) isFirst(b *Body) bool {
	return b.packFirst != nil && s.Conv.Kernel == 3 && s.Conv.Stride == 2 && s.poolsWhole() &&
		s.In.C == 1 && s.OutC%b.firstBlock == 0
}

// isPlain reports the same for 3x3 windows over one channel and no pool.
func (s *ConvShape) isPlain(b *Body) bool {
	return b.packPlain != nil && s.Conv.Kernel == 3 && s.Pool.Kernel == 0 && s.In.C == 1 && s.OutC >= b.plainLeast
}

// isNarrow reports the same for 1x1 windows without padding and no pool.
func (s *ConvShape) isNarrow(b *Body) bool {
	return b.packNarrow != nil && s.Conv.Kernel == 1 && s.Conv.PadTop == 0 && s.Conv.PadLeft == 0 && s.Pool.Kernel == 0 &&
		s.Conv.OutW >= b.narrowLeast && s.OutC%b.block == 0 && s.In.C%b.narrowGroup == 0
}

func (s *ConvShape) isShared(b *Body) bool {
	return b.packShared != nil && s.Conv.Kernel == 3 && s.Conv.Stride == 2 && s.poolsWhole() &&
		s.In.C%b.sharedGroup == 0 && s.OutC%b.sharedBlock == 0 && s.pool().OutW >= b.sharedLeast
}

// Clone returns another Conv with the same weights, for another goroutine.
func (c *Conv) Clone() *Conv {
	n := *c
	n.done = 0
	if c.first != nil {
		n.edge = make([]uint8, 5*n.edgeRow())
		return &n
	}
	if c.shared != nil {
		n.scratch = make([]byte, c.body.sharedScratch(c.shape.In.C))
		return &n
	}
	if c.narrow != nil {
		n.scratch = c.body.scratchFor(c.shape.windows())
		return &n
	}
	if c.pool != nil {
		n.scratch = c.body.scratchFor(c.windows().and(c.shape.Conv.Stride))
		return &n
	}
	channels := c.body.channels(c.shape.OutC)
	n.tile = min(max(1, patchBytes/c.depth), c.shape.Conv.OutW)
	n.patches = make([]uint8, n.tile*c.depth)
	n.ring = make([]int32, c.shape.ringRows()*c.shape.Conv.OutW*channels)
	n.best = make([]int32, channels)
	n.tail = make([]uint8, channels)
	n.scratch = c.body.scratchFor(c.patchWindows())
	if s := c.body.scratchFor(c.windows()); c.direct && len(s) > len(n.scratch) {
		n.scratch = s
	}
	return &n
}

// Scratch returns the memory of a Conv without its weights, in bytes.
func (c *Conv) Scratch() int {
	return len(c.patches) + 4*len(c.ring) + 4*len(c.best) + len(c.tail) + len(c.edge) + len(c.scratch)
}

// Memory returns an upper limit for the memory of a Conv of this shape with its weights, in bytes.
// It is called before anything is allocated.
func (s *ConvShape) Memory(b *Body) int64 {
	channels := int64(b.channels(s.OutC))
	depth := int64(padTo(s.depth(), b.group))
	sum := channels*(depth*int64(b.weightBytes)+int64(b.firstBytes)) + patchBytes + depth
	sum += 4 * channels * int64(s.ringRows()*s.Conv.OutW+4)
	if s.isPlain(b) {
		sum += channels * int64(b.plainBytes)
	}
	if s.isNarrow(b) {
		sum += channels * int64(b.narrowBytes)
	}
	if s.isShared(b) {
		sum += channels*int64(s.In.C*b.sharedBytes) + int64(b.sharedScratch(s.In.C))
	}
	if b.scratch != nil {
		sum += int64(b.scratch(s.windows().and(s.Conv.Stride)))
		sum += int64(b.scratch(Windows{int(depth), 1, int(depth), 0}))
	}
	return sum
}

// windows returns the windows of a row that is completely inside x.
func (s *ConvShape) windows() Windows {
	k, ch := s.Conv.Kernel, s.In.C
	return Windows{Step: s.Conv.Stride * ch, Runs: k, RunLen: k * ch, RunStride: s.In.Row}
}

// windows returns the same, with runs padded to whole groups if that is possible.
func (c *Conv) windows() Windows {
	v := c.shape.windows()
	if c.shape.Conv.Kernel == 1 {
		v.RunLen = padTo(v.RunLen, c.body.group)
	}
	return v
}

func (c *Conv) patchWindows() Windows {
	return Windows{Step: c.depth, Runs: 1, RunLen: c.depth}
}

// Needs returns the rows of x, from y0 up to but not including y1, from which output row oy is
// computed.
func (c *Conv) Needs(oy int) (y0, y1 int) {
	s := &c.shape
	p0, p1 := c.poolW.span(oy, c.poolW.PadTop, s.Conv.OutH)
	y0, _ = s.Conv.span(p0, s.Conv.PadTop, s.In.H)
	_, y1 = s.Conv.span(p1-1, s.Conv.PadTop, s.In.H)
	return y0, y1
}

// Start discards the rows in the ring. Call it before a Row of another image, or a Row that does
// not follow the last one.
func (c *Conv) Start() { c.done = 0 }

// Row computes output row oy, dst (OutW, OutC). x holds rows of the input from row top on, at a
// distance of In.Row, at least those that Needs returns. After Start, rows must be computed in
// increasing order.
func (c *Conv) Row(dst, x []uint8, top, oy int) {
	if c.first != nil {
		c.firstRow(dst, x[(4*oy-top)*c.shape.In.Row:])
		return
	}
	if c.shared != nil {
		c.shared.shared(dst, x[(4*oy-top)*c.shape.In.Row:], c.shape.In.Row, c.poolW.OutW, c.scratch)
		return
	}
	if c.narrow != nil {
		c.narrow.narrow(dst, x[(oy*c.shape.Conv.Stride-top)*c.shape.In.Row:], c.shape.Conv.OutW, c.shape.windows(), c.scratch)
		return
	}
	if c.pool != nil {
		s := &c.shape.Conv
		x = x[(2*oy*s.Stride-top)*c.shape.In.Row:]
		c.pool.pooled(dst, x, c.poolW.OutW, c.windows(), s.Stride, c.mult, c.scratch)
		return
	}
	if c.shape.Pool.Kernel == 0 {
		c.plainRow(dst, x, top, oy)
		return
	}
	y0, y1 := c.poolW.span(oy, c.poolW.PadTop, c.shape.Conv.OutH)
	for c.done = max(c.done, y0); c.done < y1; c.done++ {
		c.sumRow(c.ringRow(c.done), x, top, c.done)
	}
	done, channels := 0, c.body.channels(c.shape.OutC)
	if p := &c.poolW; p.Kernel == 2 && p.Stride == 2 && p.PadLeft == 0 && y1-y0 == 2 && channels == c.shape.OutC {
		done = min(p.OutW, c.shape.Conv.OutW/2)
		c.body.pool(dst, c.ringRow(y0), c.ringRow(y0+1), done, c.mult)
	}
	for ox := done; ox < c.poolW.OutW; ox++ {
		out := dst[ox*c.shape.OutC:][:c.shape.OutC]
		c.poolOne(y0, y1, ox)
		if channels == c.shape.OutC {
			c.body.requantize(out, c.best, c.mult)
			continue
		}
		c.body.requantize(c.tail, c.best, c.mult)
		copy(out, c.tail)
	}
}

// plainRow computes output row oy of a convolution without a pool.
func (c *Conv) plainRow(dst, x []uint8, top, oy int) {
	n, w := c.shape.OutC, &c.shape.Conv
	if c.plain == nil {
		c.sumRow(c.ringRow(oy), x, top, oy)
		c.requantizeSums(dst, oy, 0, w.OutW)
		return
	}
	at, end := c.inside(oy)
	if at < end {
		from := x[(oy*w.Stride-w.PadTop-top)*c.shape.In.Row+at*w.Stride-w.PadLeft:]
		for end > at && plainReach(c.shape.In.Row, w.Stride, end-at) > len(from) {
			end--
		}
		if at < end {
			c.plain.plain(dst[at*n:end*n], from, c.shape.In.Row, w.Stride, end-at)
		}
	}
	for _, edge := range [2][2]int{{0, at}, {end, w.OutW}} {
		c.gatherSums(c.ringRow(oy), x, top, oy, edge[0], edge[1])
		c.requantizeSums(dst, oy, edge[0], edge[1])
	}
}

// requantizeSums writes the positions from at to before end of row y from the sums in the ring.
func (c *Conv) requantizeSums(dst []uint8, y, at, end int) {
	sums, channels, n := c.ringRow(y), len(c.best), c.shape.OutC
	if channels == n && at < end {
		c.body.requantize(dst[at*n:end*n], sums[at*n:end*n], c.mult)
		return
	}
	for ox := at; ox < end; ox++ {
		c.body.requantize(c.tail, sums[ox*channels:][:channels], c.mult)
		copy(dst[ox*n:][:n], c.tail)
	}
}

// Run computes one image: x (In.H, In.W, In.C) with rows at a distance of In.Row, dst (OutH, OutW,
// OutC).
func (c *Conv) Run(dst, x []uint8) {
	c.Start()
	row := c.poolW.OutW * c.shape.OutC
	for oy := range c.poolW.OutH {
		c.Row(dst[oy*row:][:row], x, 0, oy)
	}
}

// edgeRow returns the distance of rows in edge: enough for a row's windows and the bytes that the
// body reads after them.
func (c *Conv) edgeRow() int { return 4*c.poolW.OutW + 1 + c.body.firstSlack }

// firstRow computes one output row from x, whose first row is the first row of the windows. If the
// body would read after the end of x, the last positions are computed from a copy.
func (c *Conv) firstRow(dst, x []uint8) {
	row, n := c.shape.In.Row, c.poolW.OutW
	inside := min(n, max(0, len(x)-4*row-1-c.body.firstSlack)/4)
	if inside > 0 {
		c.first.first(dst[:inside*c.shape.OutC], x, row, inside)
	}
	if inside == n {
		return
	}
	for r := range 5 {
		copy(c.edge[r*c.edgeRow():], x[r*row+4*inside:r*row+4*n+1])
	}
	c.first.first(dst[inside*c.shape.OutC:], c.edge, c.edgeRow(), n-inside)
}

// ringRow returns the part of the ring for the convolution's row y: (Conv.OutW, channels).
func (c *Conv) ringRow(y int) []int32 {
	n := c.shape.Conv.OutW * len(c.best)
	return c.ring[y%c.shape.ringRows()*n:][:n]
}

// inside returns the positions of row y whose windows are inside the input, from at to before end.
// If there are none, both are 0.
func (c *Conv) inside(y int) (at, end int) {
	w, in := &c.shape.Conv, &c.shape.In
	iy := y*w.Stride - w.PadTop
	if iy < 0 || iy+w.Kernel > in.H {
		return 0, 0
	}
	at, end = (w.PadLeft+w.Stride-1)/w.Stride, min(w.OutW, (in.W-w.Kernel+w.PadLeft+w.Stride)/w.Stride)
	if at >= end {
		return 0, 0
	}
	return at, end
}

// sumRow computes the convolution's row y: directly where the windows are inside x, otherwise from
// patches.
func (c *Conv) sumRow(dst []int32, x []uint8, top, y int) {
	s, channels := &c.shape, len(c.best)
	at, end := c.inside(y)
	if end == 0 {
		c.gatherSums(dst, x, top, y, 0, s.Conv.OutW)
		return
	}
	from := x[(y*s.Conv.Stride-s.Conv.PadTop-top)*s.In.Row+(at*s.Conv.Stride-s.Conv.PadLeft)*s.In.C:]
	v := c.windows()
	for c.direct && end > at && v.reach(end-at) > len(from) {
		end-- // the padded run of the last position is not inside x
	}
	switch inside := dst[at*channels : end*channels]; {
	case at == end:
	case c.direct:
		c.w.rows(inside, from, end-at, v, c.scratch)
	default:
		c.copySums(inside, from, end-at)
	}
	c.gatherSums(dst, x, top, y, 0, at)
	c.gatherSums(dst, x, top, y, end, s.Conv.OutW)
}

// copySums computes n positions whose windows are inside x, but whose runs are not whole groups. x
// starts at the first window.
func (c *Conv) copySums(dst []int32, x []uint8, n int) {
	channels, v := len(c.best), c.shape.windows()
	for at := 0; at < n; at += c.tile {
		most := min(c.tile, n-at)
		for r := range v.Runs {
			from := x[at*v.Step+r*v.RunStride:]
			for p := range most {
				copyRun(c.patches[p*c.depth+r*v.RunLen:][:v.RunLen], from[p*v.Step:])
			}
		}
		c.w.rows(dst[at*channels:(at+most)*channels], c.patches, most, c.patchWindows(), c.scratch)
	}
}

// copyRun copies a run, which often is shorter than the overhead of copy.
func copyRun(dst, x []uint8) {
	if len(dst) > 16 {
		copy(dst, x)
		return
	}
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = x[i]
	}
}

// gatherSums computes the positions from at to before end of row y from patches, one tile at a
// time.
func (c *Conv) gatherSums(dst []int32, x []uint8, top, y, at, end int) {
	channels := len(c.best)
	for ; at < end; at += c.tile {
		n := min(c.tile, end-at)
		for i := range n {
			c.gather(c.patches[i*c.depth:][:c.shape.depth()], x, top, y, at+i)
		}
		c.w.rows(dst[at*channels:(at+n)*channels], c.patches, n, c.patchWindows(), c.scratch)
	}
}

// gather copies the window at position (y, ox) to dst (kernel, kernel, In.C), with zeros outside
// the input.
func (c *Conv) gather(dst, x []uint8, top, y, ox int) {
	s := &c.shape
	k, ch := s.Conv.Kernel, s.In.C
	left := ox*s.Conv.Stride - s.Conv.PadLeft
	x0, x1 := s.Conv.span(ox, s.Conv.PadLeft, s.In.W)
	for ky := range k {
		row := dst[ky*k*ch:][:k*ch]
		iy := y*s.Conv.Stride - s.Conv.PadTop + ky
		if iy < 0 || iy >= s.In.H {
			clear(row)
			continue
		}
		if x1-x0 < k {
			clear(row)
		}
		copy(row[(x0-left)*ch:], x[(iy-top)*s.In.Row+x0*ch:(iy-top)*s.In.Row+x1*ch])
	}
}

// poolOne sets best to the maximum of the sums in window ox of the convolution's rows from y0 to
// before y1.
func (c *Conv) poolOne(y0, y1, ox int) {
	x0, x1 := c.poolW.span(ox, c.poolW.PadLeft, c.shape.Conv.OutW)
	n := len(c.best)
	copy(c.best, c.ringRow(y0)[x0*n:])
	for y := y0; y < y1; y++ {
		row := c.ringRow(y)[x0*n : x1*n]
		for ; len(row) > 0; row = row[n:] {
			for i, v := range row[:len(c.best)] {
				c.best[i] = max(c.best[i], v)
			}
		}
	}
}
