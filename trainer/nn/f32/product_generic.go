package f32

// The plain implementations of Product and of the depthwise convolution: the specification of the
// assembly.

func productGeneric(dst []float32, a Matrix, b, bias []float32, m, k, n int, relu6 bool) {
	for i := range m {
		out := dst[i*n:][:n]
		if bias != nil {
			copy(out, bias)
		}
		for t := range k {
			multiplyAdd(out, a.Data[i*a.Row+t*a.Term], b[t*n:])
		}
		if relu6 {
			limit(out)
		}
	}
}

// multiplyAdd adds a times b to the sums.
func multiplyAdd(sums []float32, a float32, b []float32) {
	for j, v := range b[:len(sums)] {
		sums[j] += a * v
	}
}

// limit is ReLU6. NaN becomes 0.
func limit(y []float32) {
	for i, v := range y {
		if !(v > 0) {
			v = 0
		}
		y[i] = min(v, 6)
	}
}

func relu6GradientGeneric(dy, y, sums []float32, n int) {
	c := len(sums)
	for i := range n * c {
		if !(y[i] > 0 && y[i] < 6) {
			dy[i] = 0
		}
		sums[i%c] += dy[i]
	}
}

func depthwiseGeneric(dst, x []float32, n, step, rowStride int, w, bias []float32, relu6 bool) {
	c := len(bias)
	for p := range n {
		out := dst[p*c:][:c]
		copy(out, bias)
		for k := range 9 {
			at := p*step + k/3*rowStride + k%3*c
			for i := range out {
				out[i] += x[at+i] * w[k*c+i]
			}
		}
		if relu6 {
			limit(out)
		}
	}
}

func depthwiseInputGeneric(dx, g []float32, n, step, rowStride int, w []float32) {
	c := len(w) / 9
	for p := range n {
		for k := range 9 {
			at := p*step + k/3*rowStride + k%3*c
			for i, v := range g[p*c:][:c] {
				dx[at+i] += v * w[k*c+i]
			}
		}
	}
}

func depthwiseWeightsGeneric(dw, g, x []float32, n, step, rowStride int) {
	c := len(dw) / 9
	for p := range n {
		for k := range 9 {
			at := p*step + k/3*rowStride + k%3*c
			for i, v := range g[p*c:][:c] {
				dw[k*c+i] += v * x[at+i]
			}
		}
	}
}

func anyValueGeneric(x []float32) bool {
	for _, v := range x {
		if v != 0 {
			return true
		}
	}
	return false
}
