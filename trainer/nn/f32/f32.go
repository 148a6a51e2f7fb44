// Package f32 holds the float32 kernels of training: the loops that take all of its time.
//
// Each kernel has a plain Go body in f32_generic.go, which is its specification, and assembly bodies for amd64 with AVX2+FMA
// and with AVX-512. Every output is one chain of fused multiply-adds in the same order in both, so the two
// assembly bodies agree to the last bit; the generic body rounds products and sums separately.
//
// Newcomers start at Rows, the convolution of one row of positions, and Scatter, its sparse backward pass.
package f32

import "fmt"

// Windows says where the windows of one row of positions lie in an activation stored as (H, W, C): position p has its
// first value at x[p*Step], and its window is Runs runs of RunLen contiguous values, RunStride apart.
//
//	3x3 windows over C channels, stride 2, rows of w positions:  Step 2*C, Runs 3, RunLen 3*C, RunStride w*C
type Windows struct {
	Step, Runs, RunLen, RunStride int // in values
}

// K is the number of values of one window.
func (v Windows) K() int { return v.Runs * v.RunLen }

// reach is the number of values that n positions read, from the first.
func (v Windows) reach(n int) int { return (n-1)*v.Step + (v.Runs-1)*v.RunStride + v.RunLen }

// Block is the number of channels that assembly bodies handle together; other channel counts run in Go.
const Block = 16

// Rows computes a row of n positions: dst (n, F) = bias (F) + windows of x * w, with w as (K, F).
func Rows(dst, x []float32, n int, v Windows, w, bias []float32) {
	f := len(bias)
	check(len(dst) >= n*f && len(x) >= v.reach(n) && len(w) == v.K()*f, "Rows")
	rows(dst, x, n, v, w, bias)
}

// Dead is the winner that PoolReLU reports when no value of the window is positive: no gradient passes.
const Dead = 4

// PoolReLU takes the maximum of 2 x 2 windows with stride 2 and then ReLU: top and bottom are two rows of 2*n positions
// with f channels, dst (n, f) receives the result, winner (n, f) the position of the first largest value: 0 and 1 in the
// top row, 2 and 3 in the bottom row, or Dead.
func PoolReLU(dst []float32, winner []uint8, top, bottom []float32, n, f int) {
	check(len(dst) >= n*f && len(winner) >= n*f && len(top) >= 2*n*f && len(bottom) >= 2*n*f, "PoolReLU")
	poolReLU(dst, winner, top, bottom, n, f)
}

// Entry is one output value that received a gradient.
type Entry struct {
	G float32 // the gradient
	X int32   // where its window starts in x and dx, in bytes
	W int32   // where its channel starts in w and dw, in bytes
}

// NewEntry makes an entry from offsets in values.
func NewEntry(g float32, x, w int) Entry { return Entry{G: g, X: int32(4 * x), W: int32(4 * w)} }

// Scatter runs a convolution backwards for single outputs: for each entry, dw of its channel grows by G * window of x, and
// the window of dx grows by G * w of its channel. w and dw are (F, K). Four neighbours with one window and rising channels
// are faster.
func Scatter(entries []Entry, x, dx, w, dw []float32, v Windows) {
	check(len(x) == len(dx) && len(w) == len(dw), "Scatter")
	for _, e := range entries {
		check(e.X >= 0 && int(e.X)/4+v.reach(1) <= len(x) && e.W >= 0 && int(e.W)/4+v.K() <= len(w), "Scatter")
	}
	scatter(entries, x, dx, w, dw, v)
}

// FirstBackward is the weight gradient of the first layer, 3x3 windows with stride 2 over one channel under a 2 x 2 pool, for
// a row of n pooled positions: dw is (10, f), nine taps and the bias. g and winner are (n, f); x starts at the first
// window and its rows are rowStride values apart. A dense sum over the four places of each window, masked by the
// winner, beats the sparse one here, because a window has only nine values.
func FirstBackward(dw, g []float32, winner []uint8, x []float32, rowStride, n, f int) {
	check(len(dw) == 10*f && len(g) >= n*f && len(winner) >= n*f && len(x) >= 4*rowStride+(n-1)*4+5, "FirstBackward")
	firstBackward(dw, g, winner, x, rowStride, n, f)
}

func check(ok bool, kernel string) {
	if !ok {
		panic(fmt.Sprintf("internal error: f32.%s: slices do not fit the shape", kernel))
	}
}
