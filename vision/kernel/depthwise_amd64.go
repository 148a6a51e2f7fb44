package kernel

// depthwiseVNNI holds the weights of a depthwise convolution. A record of the first layer has the
// same layout: three rows of three taps and a 0, with four taps of each channel side by side. In
// columns, each is a column of the window instead of a row.
type depthwiseVNNI struct {
	records  []firstRecord
	columns  []firstRecord // nil if a scaled sum may reach 2^31
	channels int
}

//go:noescape
func depthwise16VNNI(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, xStep, n int, w *firstRecord)

//go:noescape
func depthwise16Slide1VNNI(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int, w *firstRecord,
	zeros *uint8, left, right int)

//go:noescape
func depthwise16Slide2VNNI(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int, w *firstRecord)

func packDepthwiseVNNI(w []int8, bias []int32, mult []float32) depthwiser {
	p := &depthwiseVNNI{records: make([]firstRecord, depthwiseBlocks(len(bias))), channels: len(bias)}
	w, bias, mult = settled(w, bias, mult)
	if scalesFit(w, bias, mult) {
		p.columns = make([]firstRecord, len(p.records))
	}
	for i := range p.records {
		r, at := &p.records[i], depthwiseAt(i, len(bias))
		copy(r.bias[:], bias[at:])
		copy(r.mult[:], mult[at:])
		if p.columns != nil {
			p.columns[i] = *r
		}
		for c := range depthwiseBlock {
			for k, v := range w[9*(at+c):][:9] {
				r.w[k/3][c][k%3] = v
				if p.columns != nil {
					p.columns[i].w[k%3][c][k/3] = v
				}
			}
		}
	}
	return p
}

func (p *depthwiseVNNI) depthwise(dst []uint8, rows [][]uint8, x, stride, n int) {
	c := p.channels
	left, right := 0, 0
	if p.borders(stride) {
		left, right = beyond(rows, x, n, c)
	}
	row0, row1, row2 := sharedRows(dst, rows, x+left, (n-1)*stride+3-left-right, n, c)
	for i := range p.records {
		at := depthwiseAt(i, c)
		to, r0, r1, r2 := &dst[at], &row0[at], &row1[at], &row2[at]
		switch {
		case p.columns != nil && stride == 1:
			depthwise16Slide1VNNI(to, c, r0, r1, r2, c, n, &p.columns[i], &zeroColumn[0], left, right)
		case p.columns != nil && stride == 2:
			depthwise16Slide2VNNI(to, c, r0, r1, r2, c, n, &p.columns[i])
		default:
			depthwise16VNNI(to, c, r0, r1, r2, c, stride*c, n, &p.records[i])
		}
	}
}

func (p *depthwiseVNNI) borders(stride int) bool { return p.columns != nil && stride == 1 }

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
