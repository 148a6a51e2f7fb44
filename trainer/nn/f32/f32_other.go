//go:build !amd64

package f32

// Kernel returns the name of the implementation in use.
func Kernel() string { return "generic" }

func rows(dst, x []float32, n int, v Windows, w, bias []float32) { rowsGeneric(dst, x, n, v, w, bias) }

func poolReLU(dst []float32, winner []uint8, top, bottom []float32, n, f int) {
	poolReLUGeneric(dst, winner, top, bottom, n, f)
}

func gather(dst []float32, dstStride int, src []float32, srcStride int, sums []Sum, terms []Term, runs, runLen int) {
	gatherGeneric(dst, dstStride, src, srcStride, sums, terms, runs, runLen)
}

func firstForward([]float32, []uint8, []float32, int, []float32, []float32, int) bool { return false }

func firstBackward(dw, g []float32, winner []uint8, x []float32, rowStride, n, f int, _ []float32) {
	firstBackwardGeneric(dw, g, winner, x, rowStride, n, f)
}

func product(dst []float32, a Matrix, b, bias []float32, m, k, n int, relu6 bool, _ []float32) {
	productGeneric(dst, a, b, bias, m, k, n, relu6)
}

func relu6(y []float32) { limit(y) }

func anyValue(x []float32) bool { return anyValueGeneric(x) }

func relu6Gradient(dy, y, sums []float32, n int) { relu6GradientGeneric(dy, y, sums, n) }

func depthwise(dst, x []float32, n, step, rowStride int, w, bias []float32, relu6 bool) {
	depthwiseGeneric(dst, x, n, step, rowStride, w, bias, relu6)
}

func depthwiseInput(dx, g []float32, n, step, rowStride int, w []float32) {
	depthwiseInputGeneric(dx, g, n, step, rowStride, w)
}

func depthwiseWeights(dw, g, x []float32, n, step, rowStride int) {
	depthwiseWeightsGeneric(dw, g, x, n, step, rowStride)
}

func scores(dst []float32, x []byte, v []float32, base float32) { scoresGeneric(dst, x, v, base) }
