package kernel

import "unsafe"

// avx512vnni multiplies four unsigned values with four signed weights and adds the products to an
// int32 in one instruction, VPDPBUSD, for sixteen channels at a time. It does not saturate: the
// sums are exact.
var avx512vnni = &Body{
	name:        "avx512vnni",
	block:       16,
	group:       4,
	pack:        packVNNI,
	weightBytes: 1,
	requantize: func(dst []uint8, sums []int32, mult []float32) {
		dst = dst[:len(sums)]
		requantizeVNNI(&dst[0], &sums[0], &mult[0], len(mult), len(sums)/len(mult))
	},
	pool: func(dst []uint8, top, bottom []int32, n int, mult []float32) {
		if n > 0 {
			poolVNNI(&dst[0], &top[0], &bottom[0], n, &mult[0], len(mult))
		}
	},
	packFirst:  packFirstVNNI,
	firstBlock: 16,
	firstBytes: int(unsafe.Sizeof(firstRecord{})) / 16,
	firstSlack: 1,

	packPlain:  packPlainVNNI,
	plainLeast: depthwiseBlock,
	plainBytes: 4 * int(unsafe.Sizeof(firstRecord{})) / depthwiseBlock,

	packNarrow:  packNarrowVNNI,
	narrowGroup: 4,
	narrowLeast: narrowTile,
	narrowBytes: int(unsafe.Sizeof(narrowRecord{})) / 16, // a block of 16 channels has a whole record

	packDepthwise:  packDepthwiseVNNI,
	depthwiseLeast: depthwiseBlock,
	depthwiseBytes: 4 * int(unsafe.Sizeof(firstRecord{})) / depthwiseBlock,
}

//go:noescape
func rows14x32VNNI(dst *int32, dstStep int, x *uint8, xStep, runs, runLen, runStride int,
	w *int8, wStep int, bias *int32)

//go:noescape
func rows14x16VNNI(dst *int32, dstStep int, x *uint8, xStep, runs, runLen, runStride int, w *int8, bias *int32)

//go:noescape
func rows4x64VNNI(dst *int32, dstStep int, x *uint8, xStep, runs, runLen, runStride int,
	w *int8, wStep int, bias *int32)

//go:noescape
func rows4x16VNNI(dst *int32, dstStep int, x *uint8, xStep, runs, runLen, runStride int, w *int8, bias *int32)

//go:noescape
func poolVNNI(dst *uint8, top, bottom *int32, n int, mult *float32, channels int)

//go:noescape
func requantizeVNNI(dst *uint8, sums *int32, mult *float32, channels, n int)

//go:noescape
func firstVNNI(dst, x *uint8, row, n int, records *firstRecord, channels int)

// rowsVNNI holds the weights of a layer for rows: blocks of 16 channels, with four consecutive
// values of each channel side by side.
//
//	w[block][depth/4][16][4]
type rowsVNNI struct {
	w    []int8
	bias []int32
}

func packVNNI(w []int8, bias []int32) rower {
	p := &rowsVNNI{w: make([]int8, len(w)), bias: bias}
	depth := len(w) / len(bias)
	for c := range bias {
		for i, v := range w[c*depth : (c+1)*depth] {
			p.w[c/16*16*depth+i/4*64+c%16*4+i%4] = v
		}
	}
	return p
}

func (p *rowsVNNI) rows(dst []int32, x []uint8, n int, v Windows, _ []byte) {
	channels, wStep := len(p.bias), 16*v.depth()
	last := v.reach(n) - 1
	_, _ = x[last], dst[n*channels-1]
	tile, step, dstStep := 14, v.Step, 4*channels
	switch {
	case n < 4:
		// Too short for any tile: the tile of four positions computes one position four times.
		tile, step, dstStep = 1, 0, 0
	case n < tile:
		tile = 4
	}
	for at := 0; at < n; at += tile {
		at = min(at, n-tile) // the last tile overlaps the one before it and computes the same sums again
		x := &x[at*v.Step]
		c := 0
		for c < channels {
			d, w, b := &dst[at*channels+c], &p.w[c/16*wStep], &p.bias[c]
			switch {
			case tile == 14 && c+32 <= channels:
				rows14x32VNNI(d, dstStep, x, step, v.Runs, v.RunLen, v.RunStride, w, wStep, b)
				c += 32
			case tile == 14:
				rows14x16VNNI(d, dstStep, x, step, v.Runs, v.RunLen, v.RunStride, w, b)
				c += 16
			case c+64 <= channels:
				rows4x64VNNI(d, dstStep, x, step, v.Runs, v.RunLen, v.RunStride, w, wStep, b)
				c += 64
			default:
				rows4x16VNNI(d, dstStep, x, step, v.Runs, v.RunLen, v.RunStride, w, b)
				c += 16
			}
		}
	}
}

// firstRecord holds the parameters of sixteen channels of a first layer, in the order of use. The
// weights of each row of the window are four bytes per channel, the last of them 0.
type firstRecord struct {
	w    [3][16][4]int8
	bias [16]int32
	mult [16]float32
}

// firstVNNILayer holds the weights of a first layer. The results of four records are packed to 64
// bytes with instructions that work on quarters of a register. So, in a group of four records,
// element e of record j is channel 16*(e/4) + 4*j + e%4. The remaining records, fewer than four,
// have their sixteen channels in order.
type firstVNNILayer struct {
	records  []firstRecord
	channels int
}

func packFirstVNNI(w []int8, bias []int32, mult []float32) firster {
	p := &firstVNNILayer{records: make([]firstRecord, len(bias)/16), channels: len(bias)}
	whole := len(bias) / 64 * 64
	for c := range bias {
		j, e := c/16, c%16
		if c < whole {
			j, e = c/64*4+c%16/4, c%64/16*4+c%4
		}
		r := &p.records[j]
		for i, v := range w[9*c : 9*c+9] {
			r.w[i/3][e][i%3] = v
		}
		r.bias[e], r.mult[e] = bias[c], mult[c]
	}
	return p
}

func (p *firstVNNILayer) first(dst, x []uint8, row, n int) {
	_, _ = dst[n*p.channels-1], x[4*row+4*n+1]
	firstVNNI(&dst[0], &x[0], row, n, &p.records[0], p.channels)
}
