package kernel

// settled returns the layer with every channel that always has the same byte in its simplest form:
// weights of 0, the byte as its bias, and the scale 1. Trained networks have such channels, whose
// biases are far larger than their sums can be; a body may then have to use a slower way of
// rounding for all. w is (channels, depth). The slices are copied if they change.
func settled(w []int8, bias []int32, mult []float32) ([]int8, []int32, []float32) {
	depth, copied := len(w)/len(bias), false
	for c := range bias {
		low, high := reach(w[c*depth:(c+1)*depth], bias[c])
		if low < -1<<31 || high >= 1<<31 {
			continue
		}
		b := RequantizeGeneric(int32(low), mult[c])
		if b != RequantizeGeneric(int32(high), mult[c]) {
			continue
		}
		if !copied {
			w, bias, mult = append([]int8(nil), w...), append([]int32(nil), bias...), append([]float32(nil), mult...)
			copied = true
		}
		clear(w[c*depth : (c+1)*depth])
		bias[c], mult[c] = int32(b), 1
	}
	return w, bias, mult
}

// reach returns the lowest and the highest sum of a channel for any bytes.
func reach(w []int8, bias int32) (low, high int64) {
	low, high = int64(bias), int64(bias)
	for _, v := range w {
		low += 255 * min(0, int64(v))
		high += 255 * max(0, int64(v))
	}
	return low, high
}
