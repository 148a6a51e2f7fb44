package kernel

// sdotRecord holds sixteen channels of a depthwise convolution as SDOT multiplies them.
type sdotRecord struct {
	w [3][16][4]int8 // (column, channel, row); row 3 is 0
	scaledSums
	plain [16]int32 // bias without 0x4B000000
}

// scaledSums holds what the sums of sixteen channels start with, and what turns them into bytes.
type scaledSums struct {
	mult  [16]float32
	bias  [16]int32   // includes 128 * sum of the channel's weights, and 0x4B000000
	round [16]float32 // -2^23 * mult
}

// newScaledSums prepares sixteen channels with weights w (16, depth), for sums that are rounded in
// place.
func newScaledSums(w []int8, bias []int32, mult []float32) (s scaledSums) {
	copy(s.bias[:], signedBias(w, bias))
	for c, m := range mult {
		s.mult[c], s.round[c] = m, -(1<<23)*m
		s.bias[c] += 0x4B000000
	}
	return s
}

// roundsInPlace reports whether ROUNDED is exact: every sum fits 23 bits, and no scale overflows.
func roundsInPlace(w []int8, bias []int32, mult []float32) bool {
	depth := len(w) / len(bias)
	for c := range bias {
		low, high := reach(w[c*depth:(c+1)*depth], bias[c])
		if low <= -1<<23 || high >= 1<<23 || mult[c] >= 1<<100 {
			return false
		}
	}
	return true
}

// depthwiseSDOT holds the weights of a depthwise convolution.
type depthwiseSDOT struct {
	records  []sdotRecord
	fast     bool // sums are rounded in place in all records
	channels int
}

// sdotPlaces are the places of four channels in three registers of sixteen: the operands of TBL.
var sdotPlaces = func() (p [4][4][4]uint8) {
	for group := range p {
		for c := range 4 {
			for row := range uint8(3) {
				p[group][c][row] = 16*row + uint8(4*group+c)
			}
			p[group][c][3] = 255 // 0
		}
	}
	return p
}()

//go:noescape
func sdotDepthwise1(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int, w *sdotRecord,
	places, zeros *uint8, left, right int)

//go:noescape
func sdotDepthwise2(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int, w *sdotRecord, places *uint8)

//go:noescape
func sdotDepthwiseAny(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int, w *sdotRecord,
	places *uint8, xStep int)

func packDepthwiseSDOT(w []int8, bias []int32, mult []float32) depthwiser {
	p := &depthwiseSDOT{records: make([]sdotRecord, depthwiseBlocks(len(bias))), channels: len(bias)}
	w, bias, mult = settled(w, bias, mult)
	p.fast = roundsInPlace(w, bias, mult)
	for i := range p.records {
		r, at := &p.records[i], depthwiseAt(i, len(bias))
		for c := range depthwiseBlock {
			for k, v := range w[9*(at+c):][:9] {
				r.w[k%3][c][k/3] = v
			}
		}
		end := at + depthwiseBlock
		r.scaledSums = newScaledSums(w[9*at:9*end], bias[at:end], mult[at:end])
		copy(r.plain[:], signedBias(w[9*at:9*end], bias[at:end]))
	}
	return p
}

func (p *depthwiseSDOT) depthwise(dst []uint8, rows [][]uint8, x, stride, n int) {
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
			sdotDepthwise1(&dst[at], c, &row0[at], &row1[at], &row2[at], c, n, r,
				&sdotPlaces[0][0][0], &zeroColumn[0], left, right)
		case p.fast && stride == 2:
			sdotDepthwise2(&dst[at], c, &row0[at], &row1[at], &row2[at], c, n, r, &sdotPlaces[0][0][0])
		default:
			sdotDepthwiseAny(&dst[at], c, &row0[at], &row1[at], &row2[at], c, n, r, &sdotPlaces[0][0][0], stride*c)
		}
	}
}

func (p *depthwiseSDOT) borders(stride int) bool { return p.fast && stride == 1 }
