package kernel

// Depthwise is a depthwise convolution, ready to run: its weights are packed and its memory is
// allocated. It is not safe for concurrent use; Clone makes another one with the same weights.
//
// It computes one row of the output at a time from the rows of the input under it. Channels vary
// fastest in x, in the weights and in dst, so a tap of the window is a run of all channels:
//
//	sums[c] += x[row][column][c] * taps[row][column][c]
//
// A row above or below the input is a row of zeros. Windows that extend over the left or right
// border are first copied into a patch. A body may have a function for 3x3 windows.
type Depthwise struct {
	shape DepthwiseShape

	// Immutable and shared between clones.
	packed depthwiser // if the body has a function for this layer, otherwise nil
	taps   []int8     // (kernel, kernel, In.C)
	bias   []int32
	mult   []float32
	zeros  []uint8 // (In.W, In.C)

	// Owned by the goroutine that calls Row.
	rows  [][]uint8 // (kernel) the rows of x under a row of windows
	patch []uint8   // (kernel, kernel, In.C)
	edge  [][]uint8 // (kernel) the rows of patch
	sums  []int32   // (In.C)
}

// NewDepthwise packs the weights w (In.C, kernel, kernel), with bias (In.C) and mult (In.C), and
// allocates all memory that Row needs. No sum of the layer may overflow int32.
func NewDepthwise(b *Body, s DepthwiseShape, w []int8, bias []int32, mult []float32) *Depthwise {
	d := &Depthwise{shape: s, taps: make([]int8, len(w)), bias: bias, mult: mult, zeros: make([]uint8, s.In.W*s.In.C)}
	for c := range s.In.C {
		for tap := range s.area() {
			d.taps[tap*s.In.C+c] = w[c*s.area()+tap]
		}
	}
	if s.isPacked(b) {
		d.packed = b.packDepthwise(w, bias, mult)
	}
	return d.Clone()
}

// isPacked reports whether the body has a function for this layer.
func (s *DepthwiseShape) isPacked(b *Body) bool {
	return b.packDepthwise != nil && s.Conv.Kernel == 3 && s.In.C >= b.depthwiseLeast
}

// area returns the number of taps of a window.
func (s *DepthwiseShape) area() int { return s.Conv.Kernel * s.Conv.Kernel }

// Clone returns another Depthwise with the same weights, for another goroutine.
func (d *Depthwise) Clone() *Depthwise {
	n, k := *d, d.shape.Conv.Kernel
	n.rows, n.edge = make([][]uint8, k), make([][]uint8, k)
	n.patch = make([]uint8, d.shape.area()*d.shape.In.C)
	for ky := range n.edge {
		n.edge[ky] = n.patch[ky*k*d.shape.In.C:][:k*d.shape.In.C]
	}
	n.sums = make([]int32, d.shape.In.C)
	return &n
}

// Scratch returns the memory of a Depthwise without its weights, in bytes.
func (d *Depthwise) Scratch() int { return len(d.zeros) + len(d.patch) + 4*len(d.sums) }

// Memory returns an upper limit for the memory of a Depthwise of this shape with its weights, in
// bytes. It is called before anything is allocated.
func (s *DepthwiseShape) Memory(b *Body) int64 {
	return int64(s.In.C) * int64(s.In.W+2*s.area()+12+b.depthwiseBytes)
}

// Needs returns the rows of x, from y0 up to but not including y1, from which output row oy is
// computed.
func (d *Depthwise) Needs(oy int) (y0, y1 int) {
	w := &d.shape.Conv
	return w.span(oy, w.PadTop, d.shape.In.H)
}

// Row computes output row oy, dst (OutW, In.C). x holds rows of the input from row top on, at a
// distance of In.Row, at least those that Needs returns.
func (d *Depthwise) Row(dst, x []uint8, top, oy int) {
	s, w := &d.shape, &d.shape.Conv
	for ky := range d.rows {
		d.rows[ky] = d.zeros
		if iy := oy*w.Stride - w.PadTop + ky; iy >= 0 && iy < s.In.H {
			d.rows[ky] = x[(iy-top)*s.In.Row:][:s.In.W*s.In.C]
		}
	}
	// the windows from at to before end are inside the input
	at := min(w.OutW, (w.PadLeft+w.Stride-1)/w.Stride)
	end := max(at, min(w.OutW, (s.In.W-w.Kernel+w.PadLeft+w.Stride)/w.Stride))
	if b, ok := d.packed.(borderer); ok && w.PadLeft <= 1 && w.OutW <= s.In.W-2+2*w.PadLeft && s.In.W > 1 && b.borders(w.Stride) {
		at, end = 0, w.OutW
	}
	for ox := range w.OutW {
		if ox < at || ox >= end {
			d.gather(ox)
			d.windows(dst[ox*s.In.C:], d.edge, 0, 1)
		}
	}
	if at < end {
		d.windows(dst[at*s.In.C:], d.rows, at*w.Stride-w.PadLeft, end-at)
	}
}

// gather copies the window at column ox of the output to patch, with zeros outside the input.
func (d *Depthwise) gather(ox int) {
	w, ch := &d.shape.Conv, d.shape.In.C
	x0, x1 := w.span(ox, w.PadLeft, d.shape.In.W)
	left := ox*w.Stride - w.PadLeft
	clear(d.patch)
	for ky, row := range d.rows {
		if x0 < x1 {
			copy(d.edge[ky][(x0-left)*ch:], row[x0*ch:x1*ch])
		}
	}
}

// windows computes n outputs, dst (n, In.C). The first window starts at column x of the rows.
func (d *Depthwise) windows(dst []uint8, rows [][]uint8, x, n int) {
	if d.packed != nil {
		d.packed.depthwise(dst, rows, x, d.shape.Conv.Stride, n)
		return
	}
	k, ch := d.shape.Conv.Kernel, d.shape.In.C
	for p := range n {
		copy(d.sums, d.bias)
		for ky, row := range rows {
			for kx := range k {
				multiplyAdd(d.sums, row[(x+p*d.shape.Conv.Stride+kx)*ch:], d.taps[(ky*k+kx)*ch:])
			}
		}
		requantizeWords(dst[p*ch:], d.sums, d.mult)
	}
}

// multiplyAdd adds the products of x and w to the sums.
func multiplyAdd(sums []int32, x []uint8, w []int8) {
	x, w = x[:len(sums)], w[:len(sums)]
	for c := range sums {
		sums[c] += int32(x[c]) * int32(w[c])
	}
}
