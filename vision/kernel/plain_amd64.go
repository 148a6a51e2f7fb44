package kernel

// Functions for a first layer without a pool: 3x3 windows over one channel. As in a depthwise
// convolution, sixteen channels are computed together, and the last block may overlap the one
// before it.

// plainVNNI holds the weights of such a layer, in the records of a first layer with a pool.
type plainVNNI struct{ depthwiseVNNI }

//go:noescape
func plain16VNNI(dst *uint8, dstStep int, x *uint8, row, xStep, n int, w *firstRecord)

func packPlainVNNI(w []int8, bias []int32, mult []float32) plainer {
	return &plainVNNI{*packDepthwiseVNNI(w, bias, mult).(*depthwiseVNNI)}
}

func (p *plainVNNI) plain(dst, x []uint8, row, stride, n int) {
	_, _ = dst[n*p.channels-1], x[plainReach(row, stride, n)-1]
	for i := range p.records {
		plain16VNNI(&dst[depthwiseAt(i, p.channels)], p.channels, &x[0], row, stride, n, &p.records[i])
	}
}

// plainRecord holds sixteen channels of such a layer for AVX2. Each row of the window is two pairs
// of taps, the second with a 0. A pair has two 16-bit weights of each channel side by side.
type plainRecord struct {
	w    [6][16][2]int16
	bias [16]int32
	mult [16]float32
}

type plainAVX2 struct {
	records  []plainRecord
	channels int
}

//go:noescape
func plain16AVX2(dst *uint8, dstStep int, x *uint8, row, xStep, n int, w *plainRecord)

func packPlainAVX2(w []int8, bias []int32, mult []float32) plainer {
	p := &plainAVX2{records: make([]plainRecord, depthwiseBlocks(len(bias))), channels: len(bias)}
	for i := range p.records {
		r, at := &p.records[i], depthwiseAt(i, len(bias))
		for c := range depthwiseBlock {
			for k, v := range w[9*(at+c):][:9] {
				r.w[k/3*2+k%3/2][c][k%3%2] = int16(v)
			}
		}
		copy(r.bias[:], bias[at:])
		copy(r.mult[:], mult[at:])
	}
	return p
}

func (p *plainAVX2) plain(dst, x []uint8, row, stride, n int) {
	_, _ = dst[n*p.channels-1], x[plainReach(row, stride, n)-1]
	for i := range p.records {
		plain16AVX2(&dst[depthwiseAt(i, p.channels)], p.channels, &x[0], row, stride, n, &p.records[i])
	}
}
