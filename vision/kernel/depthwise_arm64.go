package kernel

// depthwiseRecord holds sixteen channels of a depthwise convolution: the nine taps row by row, each
// with a weight for every channel.
type depthwiseRecord struct {
	w    [9][16]int8
	bias [16]int32 // includes 128 * sum of the channel's weights
	scaledSums
}

// depthwiseNEON holds the weights of a depthwise convolution.
type depthwiseNEON struct {
	records  []depthwiseRecord
	fast     bool // sums are rounded in place in all records
	channels int
}

//go:noescape
func neonDepthwise(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, xStep, n int, w *depthwiseRecord)

//go:noescape
func neonDepthwise1(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int, w *depthwiseRecord,
	zeros *uint8, left, right int)

//go:noescape
func neonDepthwise2(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int, w *depthwiseRecord)

func packDepthwiseNEON(w []int8, bias []int32, mult []float32) depthwiser {
	p := &depthwiseNEON{records: make([]depthwiseRecord, depthwiseBlocks(len(bias))), channels: len(bias)}
	w, bias, mult = settled(w, bias, mult)
	p.fast = roundsInPlace(w, bias, mult)
	signed := signedBias(w, bias)
	for i := range p.records {
		r, at := &p.records[i], depthwiseAt(i, len(bias))
		for c := range depthwiseBlock {
			for k, v := range w[9*(at+c):][:9] {
				r.w[k][c] = v
			}
		}
		copy(r.bias[:], signed[at:])
		end := at + depthwiseBlock
		r.scaledSums = newScaledSums(w[9*at:9*end], bias[at:end], mult[at:end])
	}
	return p
}

func (p *depthwiseNEON) depthwise(dst []uint8, rows [][]uint8, x, stride, n int) {
	c := p.channels
	left, right := 0, 0
	if p.borders(stride) {
		left, right = beyond(rows, x, n, c)
	}
	row0, row1, row2 := sharedRows(dst, rows, x+left, (n-1)*stride+3-left-right, n, c)
	for i := range p.records {
		at, r := depthwiseAt(i, c), &p.records[i]
		switch {
		case p.fast && stride == 1:
			neonDepthwise1(&dst[at], c, &row0[at], &row1[at], &row2[at], c, n, r, &zeroColumn[0], left, right)
		case p.fast && stride == 2:
			neonDepthwise2(&dst[at], c, &row0[at], &row1[at], &row2[at], c, n, r)
		default:
			neonDepthwise(&dst[at], c, &row0[at], &row1[at], &row2[at], c, stride*c, n, r)
		}
	}
}

func (p *depthwiseNEON) borders(stride int) bool { return p.fast && stride == 1 }
