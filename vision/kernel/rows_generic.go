package kernel

// RowsGeneric is the specification of rows in every body: the sums of a row of n positions.
//
//	x    windows as described by v
//	w    (channels, v.Runs, v.RunLen)
//	bias (channels)
//	dst  (n, channels)
func RowsGeneric(dst []int32, x []uint8, n int, v Windows, w []int8, bias []int32) {
	for p := range n {
		for c := range bias {
			sum := bias[c]
			for r := range v.Runs {
				for i := range v.RunLen {
					sum += int32(x[p*v.Step+r*v.RunStride+i]) * int32(w[(c*v.Runs+r)*v.RunLen+i])
				}
			}
			dst[p*len(bias)+c] = sum
		}
	}
}
