package transfer

import (
	"math"
	"math/rand/v2"
)

// view is one random look at a square image: turned by quarters, mirrored, shifted, brighter or
// darker. A shifted image repeats the pixels of its border. Every pixel of the view is a pixel of
// the image, because interpolation would blur the thin cracks.
type view struct {
	turns  int  // quarters, clockwise
	mirror bool // left-right, before the turn
	dx, dy int  // px, of the result
	gain   float64
	offset float64 // grey values, added after the gain
}

// plainView returns view k of Views: 0 to 3 are quarter turns, 4 to 7 those of the mirrored image.
func plainView(k int) view { return view{turns: k & 3, mirror: k >= 4, gain: 1} }

// Ranges of brightness, as an exposure that differs by a quarter and a black level that differs.
const (
	gainRange   = 0.25
	offsetRange = 10 // grey values
)

// drawView draws a view with shifts of up to shift px.
func drawView(rng *rand.Rand, shift int) view {
	return view{
		turns: rng.IntN(4), mirror: rng.IntN(2) == 1,
		dx: rng.IntN(2*shift+1) - shift, dy: rng.IntN(2*shift+1) - shift,
		gain:   1 + gainRange*(2*rng.Float64()-1),
		offset: offsetRange * (2*rng.Float64() - 1),
	}
}

// apply writes the view of pix into dst, both side x side bytes.
func (v view) apply(dst, pix []byte, side int) {
	var grey [256]byte
	for i := range grey {
		grey[i] = byte(math.Round(min(max(v.gain*float64(i)+v.offset, 0), 255)))
	}
	origin, right, down := v.steps(side)
	dx := min(max(v.dx, 1-side), side-1)
	from, to := max(dx, 0), side+min(dx, 0) // where x - dx is inside
	for y := range side {
		out := dst[y*side:][:side]
		at := origin + min(max(y-v.dy, 0), side-1)*down + (from-dx)*right
		for x := from; x < to; x++ {
			out[x] = grey[pix[at]]
			at += right
		}
		for x := range from {
			out[x] = out[from]
		}
		for x := to; x < side; x++ {
			out[x] = out[to-1]
		}
	}
}

// steps returns which pixel is the first of the view, and the distances in pix from a pixel of the
// view to its right and lower neighbours.
func (v view) steps(side int) (origin, right, down int) {
	origin, right, down = 0, 1, side
	if v.mirror {
		origin, right = side-1, -1
	}
	for range v.turns { // the lower left corner becomes the upper left one
		origin, right, down = origin+(side-1)*down, -down, right
	}
	return origin, right, down
}
