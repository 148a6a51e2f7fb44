package kernel

// depthwiseVNNI holds the weights of a depthwise convolution. A record of the first layer has the
// same layout: three rows of three taps and a 0, with four taps of each channel side by side.
type depthwiseVNNI struct {
	records  []firstRecord
	channels int
}

//go:noescape
func depthwise16VNNI(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, xStep, n int, w *firstRecord)

func packDepthwiseVNNI(w []int8, bias []int32, mult []float32) depthwiser {
	p := &depthwiseVNNI{records: make([]firstRecord, depthwiseBlocks(len(bias))), channels: len(bias)}
	for i := range p.records {
		r, at := &p.records[i], depthwiseAt(i, len(bias))
		for c := range depthwiseBlock {
			for k, v := range w[9*(at+c):][:9] {
				r.w[k/3][c][k%3] = v
			}
		}
		copy(r.bias[:], bias[at:])
		copy(r.mult[:], mult[at:])
	}
	return p
}

func (p *depthwiseVNNI) depthwise(dst []uint8, rows [][]uint8, x, stride, n int) {
	c := p.channels
	row0, row1, row2 := depthwiseRows(dst, rows, x, stride, n, c)
	for i := range p.records {
		at := depthwiseAt(i, c)
		depthwise16VNNI(&dst[at], c, &row0[at], &row1[at], &row2[at], c, stride*c, n, &p.records[i])
	}
}

// depthwiseRecord holds sixteen channels of a depthwise convolution for AVX2. The nine taps, row by
// row, are five pairs, the last with a 0. A pair has two 16-bit weights of each channel side by
// side.
type depthwiseRecord struct {
	w    [5][16][2]int16
	bias [16]int32
	mult [16]float32
}

type depthwiseAVX2 struct {
	records  []depthwiseRecord
	channels int
}

//go:noescape
func depthwise16AVX2(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, xStep, n int, w *depthwiseRecord)

func packDepthwiseAVX2(w []int8, bias []int32, mult []float32) depthwiser {
	p := &depthwiseAVX2{records: make([]depthwiseRecord, depthwiseBlocks(len(bias))), channels: len(bias)}
	for i := range p.records {
		r, at := &p.records[i], depthwiseAt(i, len(bias))
		for c := range depthwiseBlock {
			for k, v := range w[9*(at+c):][:9] {
				r.w[k/2][c][k%2] = int16(v)
			}
		}
		copy(r.bias[:], bias[at:])
		copy(r.mult[:], mult[at:])
	}
	return p
}

func (p *depthwiseAVX2) depthwise(dst []uint8, rows [][]uint8, x, stride, n int) {
	c := p.channels
	row0, row1, row2 := depthwiseRows(dst, rows, x, stride, n, c)
	for i := range p.records {
		at := depthwiseAt(i, c)
		depthwise16AVX2(&dst[at], c, &row0[at], &row1[at], &row2[at], c, stride*c, n, &p.records[i])
	}
}
