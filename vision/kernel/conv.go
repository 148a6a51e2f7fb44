package kernel

// Conv is a convolution with the pool behind it, ready to run: weights packed, scratch memory at hand. It is not for
// concurrent use.
//
// It works through the pool's output row by row and keeps the convolution's rows that a pool window covers, as sums, in
// a ring. Each row is computed once even where windows overlap:
//
//	x --patches--> (OutW, kernel*kernel*In.C) --Matrix.Mul--> ring of sums --maximum--> best --Requantize--> dst
type Conv struct {
	shape ConvShape
	pool  Window
	w     *Matrix
	mult  []float32

	tile    int     // positions whose patches are gathered at a time
	patches []uint8 // (tile, kernel, kernel, In.C)
	ring    []int32 // (pool.Kernel, Conv.OutW, Padded)
	best    []int32 // (Padded) the maximum of one window
}

// patchBytes bounds the patches gathered at a time, so that they stay in the first-level cache beside the weights.
const patchBytes = 16 << 10

func (s *ConvShape) depth() int { return s.Conv.Kernel * s.Conv.Kernel * s.In.C }

func (s *ConvShape) tile() int { return min(max(1, patchBytes/s.depth()), s.Conv.OutW) }

func (s *ConvShape) ringRows() int { return min(s.pool().Kernel, s.Conv.OutH) }

// Memory is what a Conv of this shape takes, in bytes.
func (s *ConvShape) Memory() int64 {
	sums := int64(padded(s.OutC)) * int64(s.ringRows()*s.Conv.OutW+1)
	return PackedSize(s.OutC, s.depth()) + int64(s.tile()*s.depth()) + 4*sums
}

// NewConv packs the weights w (OutC, kernel, kernel, In.C), with bias (OutC) and mult (OutC), and allocates all memory
// that Run needs.
func NewConv(s ConvShape, w []int8, bias []int32, mult []float32) *Conv {
	c := &Conv{shape: s, pool: s.pool(), w: Pack(w, bias), mult: mult, tile: s.tile()}
	c.patches = make([]uint8, c.tile*s.depth())
	c.ring = make([]int32, s.ringRows()*s.Conv.OutW*c.w.Padded())
	c.best = make([]int32, c.w.Padded())
	return c
}

// Run computes one image: x (In.H, In.W, In.C) with rows In.Row apart, dst (OutH, OutW, OutC).
func (c *Conv) Run(dst, x []uint8) {
	done := 0 // rows of the convolution that are computed
	for oy := range c.pool.OutH {
		y0, y1 := c.pool.span(oy, c.pool.PadTop, c.shape.Conv.OutH)
		for done = max(done, y0); done < y1; done++ {
			c.sumRow(c.ringRow(done), x, done)
		}
		for ox := range c.pool.OutW {
			c.poolOne(y0, y1, ox)
			Requantize(dst[(oy*c.pool.OutW+ox)*c.shape.OutC:], c.best, c.mult)
		}
	}
}

// ringRow is the place of the convolution's row y: (Conv.OutW, Padded).
func (c *Conv) ringRow(y int) []int32 {
	n := c.shape.Conv.OutW * c.w.Padded()
	return c.ring[y%c.shape.ringRows()*n:][:n]
}

// sumRow computes the convolution's row y, a tile of positions at a time.
func (c *Conv) sumRow(dst []int32, x []uint8, y int) {
	for at := 0; at < c.shape.Conv.OutW; at += c.tile {
		n := min(c.tile, c.shape.Conv.OutW-at)
		p := c.patches[:n*c.shape.depth()]
		gather(p, x, &c.shape, y, at)
		c.w.Mul(dst[at*c.w.Padded():], p)
	}
}

// gather lays the windows of row y, from position at on, one behind the other: dst (positions, kernel, kernel, In.C),
// with zeros for what lies outside the input.
func gather(dst, x []uint8, s *ConvShape, y, at int) {
	k, ch := s.Conv.Kernel, s.In.C
	for ; len(dst) > 0; at++ {
		left := at*s.Conv.Stride - s.Conv.PadLeft
		x0, x1 := s.Conv.span(at, s.Conv.PadLeft, s.In.W)
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
			copy(row[(x0-left)*ch:], x[iy*s.In.Row+x0*ch:iy*s.In.Row+x1*ch])
		}
		dst = dst[k*k*ch:]
	}
}

// poolOne takes the maximum of the sums in window ox of the convolution's rows y0 up to y1.
func (c *Conv) poolOne(y0, y1, ox int) {
	x0, x1 := c.pool.span(ox, c.pool.PadLeft, c.shape.Conv.OutW)
	n := c.w.Padded()
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
