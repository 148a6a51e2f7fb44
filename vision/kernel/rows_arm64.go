package kernel

import "unsafe"

//go:noescape
func sdotTiles4(dst unsafe.Pointer, dstStep int, x *int8, xStep, below, next, tiles, runs, runLen, runStride int,
	w *int8, bias *int32, mult *float32)

//go:noescape
func sdotTile2(dst *int32, dstStep int, x *int8, xStep, runs, runLen, runStride int, w *int8, bias *int32)

//go:noescape
func neonTiles4(dst unsafe.Pointer, dstStep int, x *int8, xStep, below, next, tiles, runs, runLen, runStride int,
	w *int8, bias *int32, mult *float32)

//go:noescape
func neonTile2(dst *int32, dstStep int, x *int8, xStep, runs, runLen, runStride int, w *int8, bias *int32)

//go:noescape
func neonSigned(dst *int8, dstRow int, x *uint8, row, rows, n int)

// armRows holds the weights and biases of a layer for the arm64 bodies. The channels are split into
// tiles that are computed together. The weights are in the order in which the kernels load them, 64
// bytes at a time:
//
//	SDOT  w[tile of 16 channels][depth/4][4 x 4 channels][4 values]
//	NEON  w[tile of 4 channels][depth/16][4 channels][16 values]
type armRows struct {
	dot  bool // for SDOT
	w    []int8
	bias []int32 // includes 128 * sum of the channel's weights
}

const (
	sdotChannels = 16 // channels of a tile for SDOT
	neonChannels = 4  // and for NEON
)

func packSDOT(w []int8, bias []int32) rower {
	r := &armRows{dot: true, w: make([]int8, 0, len(w)), bias: signedBias(w, bias)}
	depth := len(w) / len(bias)
	for c := 0; c < len(bias); c += sdotChannels {
		for i := 0; i < depth; i += 4 {
			for k := range sdotChannels {
				r.w = append(r.w, w[(c+k)*depth+i:][:4]...)
			}
		}
	}
	return r
}

func packNEON(w []int8, bias []int32) rower {
	r := &armRows{w: make([]int8, 0, len(w)), bias: signedBias(w, bias)}
	depth := len(w) / len(bias)
	for c := 0; c < len(bias); c += neonChannels {
		for i := 0; i < depth; i += 16 {
			for k := range neonChannels {
				r.w = append(r.w, w[(c+k)*depth+i:][:16]...)
			}
		}
	}
	return r
}

// signedBias adds to each bias what the sum loses when x-128 replaces x. The bias may wrap around;
// the final sum is correct again.
func signedBias(w []int8, bias []int32) []int32 {
	depth := len(w) / len(bias)
	out := make([]int32, len(bias))
	for c := range bias {
		out[c] = bias[c]
		for _, v := range w[c*depth : (c+1)*depth] {
			out[c] += 128 * int32(v)
		}
	}
	return out
}

// signedLimit limits the signed copy of x, in bytes, if it has more than a few positions.
const signedLimit = 96 << 10

// signedPositions returns the number of positions whose windows are copied together. It is even.
func signedPositions(v Windows) int {
	n := 64
	for n > 4 && v.Runs*signedRow(v, n) > signedLimit {
		n /= 2
	}
	return n
}

// signedRow returns the length of a run of n positions in the signed copy.
func signedRow(v Windows, n int) int { return padTo((n-1)*v.Step+v.RunLen, armGroup) }

func signedBytes(v Windows) int { return v.Runs * signedRow(v, signedPositions(v)) }

// signed copies the runs of n positions to scratch, as x-128, and returns the copy and the distance
// between two runs. If x or scratch is too short, it panics before any assembly runs.
func signed(scratch []byte, x []uint8, n int, v Windows) (*int8, int) {
	row := signedRow(v, n)
	x = x[:v.reach(n)]
	copied := (*int8)(unsafe.Pointer(&scratch[:v.Runs*row][0]))
	neonSigned(copied, row, &x[0], v.RunStride, v.Runs, (n-1)*v.Step+v.RunLen)
	return copied, row
}

func (r *armRows) rows(dst []int32, x []uint8, n int, v Windows, scratch []byte) {
	most := signedPositions(v)
	for ; n > most; n -= most {
		r.someRows(dst, x, most, v, scratch)
		dst, x = dst[most*len(r.bias):], x[most*v.Step:]
	}
	r.someRows(dst, x, n, v, scratch)
}

// someRows computes n positions in tiles of four, and the rest in tiles of two. The last tile may
// overlap the one before it, and a single position is computed twice. Both compute the same sums
// again.
func (r *armRows) someRows(dst []int32, x []uint8, n int, v Windows, scratch []byte) {
	s, row := signed(scratch, x, n, v)
	channels, depth := len(r.bias), v.depth()
	dst = dst[:n*channels]
	dstStep, xStep := 4*channels, v.Step
	if n == 1 {
		dstStep, xStep = 0, 0
	}
	fours := n / 4
	for c := 0; c < channels; c += r.tile() {
		w, bias := &r.w[c*depth], &r.bias[c]
		if fours > 0 {
			to := unsafe.Pointer(&dst[c])
			if r.dot {
				sdotTiles4(to, dstStep, s, xStep, 2*xStep, 4*xStep, fours, v.Runs, v.RunLen, row, w, bias, nil)
			} else {
				neonTiles4(to, dstStep, s, xStep, 2*xStep, 4*xStep, fours, v.Runs, v.RunLen, row, w, bias, nil)
			}
		}
		for p := 4 * fours; p < n; p += 2 {
			at := max(0, min(p, n-2))
			from := (*int8)(unsafe.Add(unsafe.Pointer(s), at*v.Step))
			if r.dot {
				sdotTile2(&dst[at*channels+c], dstStep, from, xStep, v.Runs, v.RunLen, row, w, bias)
			} else {
				neonTile2(&dst[at*channels+c], dstStep, from, xStep, v.Runs, v.RunLen, row, w, bias)
			}
		}
	}
}

func (r *armRows) pooled(dst, x []uint8, n int, v Windows, down int, mult []float32, scratch []byte) {
	most := signedPositions(v.and(down)) / 2
	for ; n > most; n -= most {
		r.somePooled(dst, x, most, v, down, mult, scratch)
		dst, x = dst[most*len(mult):], x[2*most*v.Step:]
	}
	r.somePooled(dst, x, n, v, down, mult, scratch)
}

// somePooled computes n pooled outputs. A tile is the pool window of one output.
func (r *armRows) somePooled(dst, x []uint8, n int, v Windows, down int, mult []float32, scratch []byte) {
	s, row := signed(scratch, x, 2*n, v.and(down))
	channels, depth := len(r.bias), v.depth()
	dst, mult = dst[:n*channels], mult[:channels]
	for c := 0; c < channels; c += r.tile() {
		w, bias, m, to := &r.w[c*depth], &r.bias[c], &mult[c], unsafe.Pointer(&dst[c])
		if r.dot {
			sdotTiles4(to, channels, s, v.Step, down*row, 2*v.Step, n, v.Runs, v.RunLen, row, w, bias, m)
		} else {
			neonTiles4(to, channels, s, v.Step, down*row, 2*v.Step, n, v.Runs, v.RunLen, row, w, bias, m)
		}
	}
}

// tile returns the number of channels of a tile.
func (r *armRows) tile() int {
	if r.dot {
		return sdotChannels
	}
	return neonChannels
}
