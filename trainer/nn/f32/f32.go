// Package f32 holds the float32 kernels of training: the loops that need nearly all of its time.
//
// Each kernel has a plain Go implementation in f32_generic.go or product_generic.go, which is its
// specification, and assembly implementations for amd64 with AVX2+FMA and with AVX-512. In both,
// every output is one chain of fused multiply-adds in the same order, so the two agree exactly. The
// generic one rounds products and sums separately.
//
// Start with [Rows], the convolution of one row of positions, and [Gather], its sparse backward
// pass. [Product] is a 1x1 convolution, forward and backward. [Depthwise] is a convolution of each
// channel by its own filter.
package f32

import "fmt"

// Windows describes where the windows of one row of positions are in an activation stored as (H, W,
// C). Position p has its first value at x[p*Step]. Its window is Runs runs of RunLen contiguous
// values, RunStride apart.
//
//	3x3 windows over C channels, stride 2, rows of w positions:
//	  Step 2*C, Runs 3, RunLen 3*C, RunStride w*C
type Windows struct {
	Step, Runs, RunLen, RunStride int // in values
}

// K returns the number of values of one window.
func (v Windows) K() int { return v.Runs * v.RunLen }

// reach returns the number of values that n positions read, counted from the first.
func (v Windows) reach(n int) int { return (n-1)*v.Step + (v.Runs-1)*v.RunStride + v.RunLen }

// Block is the number of channels that the assembly handles together. Rows also takes half a block
// at the end. Other channel counts run in Go.
const Block = 16

// Rows computes a row of n positions: dst (n, F) = bias (F) + windows of x * w, where w is (K, F).
func Rows(dst, x []float32, n int, v Windows, w, bias []float32) {
	f := len(bias)
	check(len(dst) >= n*f && len(x) >= v.reach(n) && len(w) == v.K()*f, "Rows")
	rows(dst, x, n, v, w, bias)
}

// Dead is the winner that PoolReLU reports when no value of the window is positive. Then no
// gradient passes.
const Dead = 4

// PoolReLU takes the maximum of 2 x 2 windows with stride 2 and then ReLU. top and bottom are two
// rows of 2*n positions with f channels. dst (n, f) receives the result, and winner (n, f) the
// position of the first largest value: 0 and 1 in the top row, 2 and 3 in the bottom row, or Dead.
func PoolReLU(dst []float32, winner []uint8, top, bottom []float32, n, f int) {
	check(len(dst) >= n*f && len(winner) >= n*f && len(top) >= 2*n*f && len(bottom) >= 2*n*f, "PoolReLU")
	poolReLU(dst, winner, top, bottom, n, f)
}

// FirstForward computes a row of n pooled positions of a first layer in one pass: 3x3 windows with
// stride 2 over one channel, ReLU and a 2 x 2 pool. The result equals that of Rows and PoolReLU
// exactly. x starts at the first window and its rows are rowStride values apart; w is (9, F); dst
// and winner are (n, F). Where no such kernel exists, it returns false and does nothing.
func FirstForward(dst []float32, winner []uint8, x []float32, rowStride int, w, bias []float32, n int) bool {
	f := len(bias)
	check(len(dst) >= n*f && len(winner) >= n*f && len(x) >= 4*rowStride+(n-1)*4+5 && len(w) == 9*f, "FirstForward")
	return firstForward(dst, winner, x, rowStride, w, bias, n)
}

// FirstScratch returns the size of FirstBackward's scratch for n pooled positions, in values.
func FirstScratch(n int) int { return 4 * 9 * n }

// FirstBackward adds the weight gradient of the first layer (3x3 windows with stride 2 over one
// channel under a 2 x 2 pool) for a row of n pooled positions. dw is (10, f): nine taps and the
// bias. g and winner are (n, f). x starts at the first window and its rows are rowStride values
// apart. A window has only nine values, too few for Gather, so all channels are added side by side,
// each with the pixels of the winning place.
func FirstBackward(dw, g []float32, winner []uint8, x []float32, rowStride, n, f int, scratch []float32) {
	check(len(dw) == 10*f && len(g) >= n*f && len(winner) >= n*f && len(x) >= 4*rowStride+(n-1)*4+5 &&
		len(scratch) >= FirstScratch(n), "FirstBackward")
	firstBackward(dw, g, winner, x, rowStride, n, f, scratch)
}

func check(ok bool, kernel string) {
	if !ok {
		panic(fmt.Sprintf("internal error: f32.%s: slices do not fit the shape", kernel))
	}
}
