package kernel

import "unsafe"

// avx2 multiplies pairs of 16-bit values with VPMADDWD. Activations and weights are widened,
// because VPMADDUBSW, the 8-bit multiplication of AVX2, saturates the sum of a pair at 16 bits, and
// 255*127*2 does not fit.
var avx2 = &Body{
	name:        "avx2",
	block:       16,
	group:       2,
	pack:        packAVX2,
	weightBytes: 2,
	scratch:     scratchAVX2,
	requantize: func(dst []uint8, sums []int32, mult []float32) {
		dst = dst[:len(sums)]
		requantizeAVX2(&dst[0], &sums[0], &mult[0], len(mult), len(sums)/len(mult))
	},
	pool: func(dst []uint8, top, bottom []int32, n int, mult []float32) {
		if n > 0 {
			poolAVX2(&dst[0], &top[0], &bottom[0], n, &mult[0], len(mult))
		}
	},
	packFirst:  packFirstAVX2,
	firstBlock: 8,
	firstBytes: int(unsafe.Sizeof(firstRecord8{})) / 8,
	firstSlack: firstSlackAVX2,

	packShared:    packSharedAVX2,
	sharedBlock:   32,
	sharedGroup:   16,
	sharedLeast:   3,
	sharedBytes:   2 * slots,
	sharedScratch: sharedScratchAVX2,

	packPlain:  packPlainAVX2,
	plainLeast: depthwiseBlock,
	plainBytes: 2 * int(unsafe.Sizeof(plainRecord{})) / depthwiseBlock,

	packDepthwise:  packDepthwiseAVX2,
	depthwiseLeast: depthwiseBlock,
	depthwiseBytes: 2 * int(unsafe.Sizeof(depthwiseRecord{})) / depthwiseBlock,
}

// tileAVX2 is the number of positions that rows6x16AVX2 computes together.
const tileAVX2 = 6

//go:noescape
func widenAVX2(dst *byte, src *uint8, n int)

//go:noescape
func rows6x16AVX2(dst *int32, dstStep int, x *byte, xStep, runs, pairs, runStride int, w *int16, bias *int32)

//go:noescape
func poolAVX2(dst *uint8, top, bottom *int32, n int, mult *float32, channels int)

//go:noescape
func requantizeAVX2(dst *uint8, sums *int32, mult *float32, channels, n int)

// rowsAVX2 holds the weights of a layer for rows: blocks of 16 channels, with two consecutive
// values of each channel side by side.
//
//	w[block][depth/2][16][2]
type rowsAVX2 struct {
	w    []int16
	bias []int32
}

func packAVX2(w []int8, bias []int32) rower {
	p := &rowsAVX2{w: make([]int16, len(w)), bias: bias}
	depth := len(w) / len(bias)
	for c := range bias {
		for i, v := range w[c*depth : (c+1)*depth] {
			p.w[c/16*16*depth+i/2*32+c%16*2+i%2] = int16(v)
		}
	}
	return p
}

// span returns the number of values that a run of n positions covers.
func (v Windows) span(n int) int { return (n-1)*v.Step + v.RunLen }

// scratchAVX2 returns the bytes for the widened windows of a tile.
func scratchAVX2(v Windows) int { return 2 * v.Runs * v.span(tileAVX2) }

func (p *rowsAVX2) rows(dst []int32, x []uint8, n int, v Windows, scratch []byte) {
	channels, depth := len(p.bias), v.depth()
	tile, step, dstStep := tileAVX2, v.Step, 4*channels
	if n < tile {
		tile, step, dstStep = 1, 0, 0 // the same position six times
	}
	span := v.span(tile)
	_ = dst[n*channels-1]
	for at := 0; at < n; at += tile {
		at = min(at, n-tile) // the last tile overlaps the one before it and computes the same sums again
		for r := range v.Runs {
			run := x[at*v.Step+r*v.RunStride:][:span]
			widenAVX2(&scratch[2*r*span : 2*(r+1)*span][0], &run[0], span)
		}
		for c := 0; c < channels; c += 16 {
			rows6x16AVX2(&dst[at*channels+c], dstStep, &scratch[0], 2*step, v.Runs, v.RunLen/2, 2*span,
				&p.w[c*depth], &p.bias[c])
		}
	}
}
