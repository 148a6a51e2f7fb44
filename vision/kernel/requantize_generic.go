package kernel

import "math"

// RequantizeGeneric is the specification of requantising one sum: clamp(round(float32(sum) * mult),
// 0, 255), rounded to nearest with ties to even. mult is positive and finite. The product may
// overflow to infinity, which is limited to 255.
func RequantizeGeneric(sum int32, mult float32) uint8 {
	// The conversion prevents the compiler from fusing the product with a later operation, which
	// would round differently.
	v := float32(float32(sum) * mult)
	return uint8(min(max(math.RoundToEven(float64(v)), 0), 255))
}
