package f32

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"tirewatch/vision/isa/isatest"
)

// guarded returns a copy of s directly before or after a page that faults on any access.
func guarded(t *testing.T, s []float32, atEnd bool) []float32 {
	b := isatest.Guarded(t, 4*len(s), atEnd)
	out := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(s))
	copy(out, s)
	return out
}

// No kernel reads or writes outside its slices, even with the shortest last tile.
func TestBodiesStayInside(t *testing.T) {
	const f = 16
	for _, atEnd := range []bool{false, true} {
		for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 11} {
			for _, l := range []int{levelAVX2, levelAVX512} {
				t.Run(levelNames[l], func(t *testing.T) {
					withLevel(t, l, func() {
						rng := rand.New(rand.NewPCG(1, uint64(n)))
						float := func(n int) []float32 { return guarded(t, random(rng, n), atEnd) }

						stride := 4*n + 1 // pixels in a row under n pooled positions
						x, w, bias := float(5*stride), float(9*f), float(f)
						y, winner := float(n*f), isatest.Guarded(t, n*f, atEnd)
						FirstForward(y, winner, x, stride, w, bias, n)
						FirstBackward(float(10*f), y, winner, x, stride, n, f, float(FirstScratch(n)))

						rows := float(2 * 2 * n * f)
						Rows(rows[:2*n*f], x, 2*n, Windows{Step: 2, Runs: 3, RunLen: 3, RunStride: stride}, w, bias)
						PoolReLU(y, winner, rows[:2*n*f], rows[2*n*f:], n, f)

						productsStayInside(float)
						for _, runLen := range []int{16, 64, 80, 128, 208} {
							a, b := float(2*runLen), float(3*runLen)
							sums := []Sum{{At: At(0), Count: 2}}
							terms := []Term{{G: 1, At: At(0)}, {G: 2, At: At(runLen)}}
							want := slices.Clone(a)
							gatherGeneric(want, runLen, b, runLen, sums, terms, 2, runLen)
							Gather(a, runLen, b, runLen, sums, terms, 2, runLen)
							closeTo(t, "sum", a, want)
						}
					})
				})
			}
		}
	}
}

// productsStayInside multiplies with every tile, and runs the depthwise kernels of 16 and 8
// channels.
func productsStayInside(float func(n int) []float32) {
	for _, m := range []int{1, 6, 8, 15} {
		for _, n := range []int{16, 48, 64} {
			const k = 5
			a, b, y := float(m*k), float(k*n), float(m*n)
			Product(y, Matrix{a, k, 1}, b, float(n), m, k, n, true, float(ProductScratch))
			Product(y, Matrix{a, 1, m}, b, nil, m, k, n, false, float(ProductScratch))
			ReLU6Gradient(y, y, float(n), m)
			ReLU6(y[1:])
			LiveRows(nil, y, m, n)
		}
	}
	for _, n := range []int{1, 3} {
		const c = 24
		rowStride := (2*n + 1) * c
		v := Windows{Step: 2, Runs: 3, RunLen: 3, RunStride: 2*n + 1}
		Rows(float(n*c), float(3*v.RunStride), n, v, float(9*c), float(c))
		x, w, y := float(3*rowStride), float(9*c), float(n*c)
		Depthwise(y, x, n, 2*c, rowStride, w, float(c), true)
		DepthwiseInput(x, y, n, 2*c, rowStride, w)
		DepthwiseWeights(w, y, x, n, 2*c, rowStride)
	}
}
