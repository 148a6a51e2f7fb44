package kernel

import "math"

// Requantize turns sums into the next layer's activations, one multiplier a channel. It writes len(mult) bytes and reads
// as many sums.
func Requantize(dst []uint8, sums []int32, mult []float32) {
	dst, sums = dst[:len(mult)], sums[:len(mult)]
	for c, m := range mult {
		s := sums[c] &^ (sums[c] >> 31) // negative sums to 0 without a branch: their signs cannot be predicted
		v := float32(float32(s) * m)    // converted, so that it is not fused with the addition below
		if v >= 255 {
			dst[c] = 255
			continue
		}
		// At 2^23 the last bit of a float32 is worth 1: adding it rounds to nearest even and leaves the integer in the
		// low bits.
		dst[c] = uint8(math.Float32bits(v + 1<<23))
	}
}
