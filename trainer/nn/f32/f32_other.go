//go:build !amd64

package f32

// Kernel names the bodies in use.
func Kernel() string { return "generic" }

func rows(dst, x []float32, n int, v Windows, w, bias []float32) { rowsGeneric(dst, x, n, v, w, bias) }

func poolReLU(dst []float32, winner []uint8, top, bottom []float32, n, f int) {
	poolReLUGeneric(dst, winner, top, bottom, n, f)
}

func scatter(entries []Entry, x, dx, w, dw []float32, v Windows) {
	scatterGeneric(entries, x, dx, w, dw, v)
}

func firstBackward(dw, g []float32, winner []uint8, x []float32, rowStride, n, f int) {
	firstBackwardGeneric(dw, g, winner, x, rowStride, n, f)
}
