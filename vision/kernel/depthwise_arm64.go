package kernel

// depthwiseRecord holds sixteen channels of a depthwise convolution: the nine taps row by row, each
// with a weight for every channel.
type depthwiseRecord struct {
	w    [9][16]int8
	bias [16]int32 // includes 128 * sum of the channel's weights
	mult [16]float32
}

// depthwiseNEON holds the weights of a depthwise convolution for both arm64 bodies.
type depthwiseNEON struct {
	records  []depthwiseRecord
	channels int
}

//go:noescape
func neonDepthwise(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, xStep, n int, w *depthwiseRecord)

func packDepthwiseNEON(w []int8, bias []int32, mult []float32) depthwiser {
	p := &depthwiseNEON{records: make([]depthwiseRecord, depthwiseBlocks(len(bias))), channels: len(bias)}
	signed := signedBias(w, bias)
	for i := range p.records {
		r, at := &p.records[i], depthwiseAt(i, len(bias))
		for c := range depthwiseBlock {
			for k, v := range w[9*(at+c):][:9] {
				r.w[k][c] = v
			}
		}
		copy(r.bias[:], signed[at:])
		copy(r.mult[:], mult[at:])
	}
	return p
}

func (p *depthwiseNEON) depthwise(dst []uint8, rows [][]uint8, x, stride, n int) {
	c := p.channels
	row0, row1, row2 := depthwiseRows(dst, rows, x, stride, n, c)
	for i := range p.records {
		at := depthwiseAt(i, c)
		neonDepthwise(&dst[at], c, &row0[at], &row1[at], &row2[at], c, stride*c, n, &p.records[i])
	}
}

// plainNEON holds the weights of a first layer without a pool: 3x3 windows over one channel.
type plainNEON struct{ depthwiseNEON }

//go:noescape
func neonPlain(dst *uint8, dstStep int, x *uint8, row, xStep, n int, w *depthwiseRecord)

func packPlainNEON(w []int8, bias []int32, mult []float32) plainer {
	return &plainNEON{*packDepthwiseNEON(w, bias, mult).(*depthwiseNEON)}
}

func (p *plainNEON) plain(dst, x []uint8, row, stride, n int) {
	_, _ = dst[n*p.channels-1], x[plainReach(row, stride, n)-1]
	for i := range p.records {
		neonPlain(&dst[depthwiseAt(i, p.channels)], p.channels, &x[0], row, stride, n, &p.records[i])
	}
}
