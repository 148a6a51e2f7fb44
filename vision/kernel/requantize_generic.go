package kernel

import "math"

// RequantizeGeneric is the specification of Requantize for one sum: clamp(round(float32(sum) *
// mult), 0, 255), rounded to nearest with ties to even. mult is positive and finite; the product
// may overflow to infinity, which clamps to 255.
func RequantizeGeneric(sum int32, mult float32) uint8 {
	// The conversion keeps the compiler from fusing the product with whatever follows, which would
	// round differently.
	v := float32(float32(sum) * mult)
	return uint8(min(max(math.RoundToEven(float64(v)), 0), 255))
}
