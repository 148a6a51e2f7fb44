package kernel

// DenseGeneric is the specification of Matrix.Mul: the sums of one dense layer, or of one position of a convolution
// whose window is x.
//
//	x    (n)
//	w    (units, n)
//	bias (units)
//	dst  (units)
func DenseGeneric(dst []int32, x []uint8, w []int8, bias []int32) {
	for u := range bias {
		sum := bias[u]
		for i, v := range x {
			sum += int32(v) * int32(w[u*len(x)+i])
		}
		dst[u] = sum
	}
}
