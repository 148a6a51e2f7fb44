package f32

// Depthwise computes a row of n positions of a depthwise 3x3 convolution: dst (n, c) = bias (c) +
// the sum over nine taps of x * w (9, c). x starts at the first window; positions are step values
// apart, rows of the window rowStride. With relu6, the result is limited to 0..6.
func Depthwise(dst, x []float32, n, step, rowStride int, w, bias []float32, relu6 bool) {
	c := len(bias)
	check(len(dst) >= n*c && len(w) >= 9*c && len(x) >= depthwiseReach(n, step, rowStride, c), "Depthwise")
	if n > 0 && c > 0 {
		depthwise(dst, x, n, step, rowStride, w, bias, relu6)
	}
}

// DepthwiseInput adds the gradient of the input of such a row to dx, which lies like x: g (n, c)
// times w (9, c).
func DepthwiseInput(dx, g []float32, n, step, rowStride int, w []float32) {
	c := len(w) / 9
	check(len(g) >= n*c && len(w) == 9*c && len(dx) >= depthwiseReach(n, step, rowStride, c), "DepthwiseInput")
	if n > 0 && c > 0 {
		depthwiseInput(dx, g, n, step, rowStride, w)
	}
}

// DepthwiseWeights adds the gradient of the weights of such a row to dw (9, c): g (n, c) times x.
func DepthwiseWeights(dw, g, x []float32, n, step, rowStride int) {
	c := len(dw) / 9
	check(len(g) >= n*c && len(dw) == 9*c && len(x) >= depthwiseReach(n, step, rowStride, c), "DepthwiseWeights")
	if n > 0 && c > 0 {
		depthwiseWeights(dw, g, x, n, step, rowStride)
	}
}

// depthwiseReach returns the number of values that the windows of n positions cover.
func depthwiseReach(n, step, rowStride, c int) int { return (n-1)*step + 2*rowStride + 3*c }
