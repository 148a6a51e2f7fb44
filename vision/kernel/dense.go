package kernel

// Dense is a dense layer, ready to run: its weights are packed and its memory is allocated. It is
// not safe for concurrent use.
type Dense struct {
	body    *Body
	units   int
	w       rower
	v       Windows
	mult    []float32 // empty for the last layer
	x       []uint8   // the input padded to whole groups; nil if it needs no padding
	sums    []int32
	bytes   []uint8
	scratch []byte
}

// NewDense packs the weights w (units, n), with bias (units) and mult (units). mult is empty for a
// layer whose sums are the result.
func NewDense(b *Body, w []int8, bias []int32, mult []float32) *Dense {
	n := len(w) / len(bias)
	depth := padTo(n, b.group)
	d := &Dense{body: b, units: len(bias), w: b.packed(w, bias, n), v: Windows{Step: depth, Runs: 1, RunLen: depth}}
	if depth != n {
		d.x = make([]uint8, depth)
	}
	d.sums = make([]int32, b.channels(len(bias)))
	if len(mult) > 0 {
		d.mult = b.scales(mult)
		d.bytes = make([]uint8, len(d.sums))
	}
	d.scratch = b.scratchFor(d.v)
	return d
}

// Scratch returns the memory of a Dense without its weights, in bytes.
func (d *Dense) Scratch() int { return len(d.x) + 4*len(d.sums) + len(d.bytes) + len(d.scratch) }

// DenseMemory returns an upper limit for the memory of a Dense of this shape with its weights, in
// bytes. It is called before anything is allocated.
func DenseMemory(b *Body, units, n int) int64 {
	depth, channels := int64(padTo(n, b.group)), int64(b.channels(units))
	sum := channels*depth*int64(b.weightBytes) + depth + 5*channels
	if b.scratch != nil {
		sum += int64(b.scratch(Windows{int(depth), 1, int(depth), 0}))
	}
	return sum
}

// Sums computes the layer's sums (units) for x (n). The result is valid until the next call.
func (d *Dense) Sums(x []uint8) []int32 {
	if d.x != nil {
		copy(d.x, x)
		x = d.x
	}
	d.w.rows(d.sums, x, 1, d.v, d.scratch)
	return d.sums[:d.units]
}

// Run computes the layer's activations (units) for x (n). The result is valid until the next call.
func (d *Dense) Run(x []uint8) []uint8 {
	d.Sums(x)
	d.body.requantize(d.bytes, d.sums, d.mult)
	return d.bytes[:d.units]
}
