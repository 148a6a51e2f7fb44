package f32

// Term is one part of a Sum: G times the window of src that starts at At.
type Term struct {
	G  float32
	At int32 // bytes
}

// Sum is one window of dst. It starts at At; terms[First:][:Count] are added to it.
type Sum struct {
	At           int32 // bytes
	First, Count int32
}

// At converts an offset in values to one in bytes, the unit of Term and Sum.
func At(values int) int32 { return int32(4 * values) }

// Gather adds to each window of dst the sum of its terms, which are windows of src. A window is
// runs times runLen contiguous values, dstStride apart in dst and srcStride apart in src.
//
// It is the backward pass of a convolution whose output has few gradients, both for the input and
// for the weights:
//
//	dx of a window  += g * w of each channel that has a gradient there     dst dx, src w
//	dw of a channel += g * window of x, wherever it has a gradient         dst dw, src x
//
// One block of each run is summed for all windows before the next block. So the part of src that a
// block reads fits into the nearest cache, and the part of dst stays in registers for all its
// terms.
func Gather(dst []float32, dstStride int, src []float32, srcStride int, sums []Sum, terms []Term, runs, runLen int) {
	lastDst, lastSrc := At(len(dst)-(runs-1)*dstStride-runLen), At(len(src)-(runs-1)*srcStride-runLen)
	check(runs > 0 && runLen > 0 && dstStride >= 0 && srcStride >= 0 && lastDst >= 0 && lastSrc >= 0, "Gather")
	for _, s := range sums {
		check(s.At >= 0 && s.At <= lastDst, "Gather")
		for _, t := range terms[s.First:][:s.Count] {
			check(t.At >= 0 && t.At <= lastSrc, "Gather")
		}
	}
	gather(dst, dstStride, src, srcStride, sums, terms, runs, runLen)
}
