package kernel

import (
	"math/rand/v2"
	"testing"
)

// With weights of 0 the sum of a channel is its bias, so that the rounding at the end of the first layer's own way can be held to
// every case of the law: ties, the ends of the range and scales for which a body must leave its fast path.
func TestFirstRounding(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		if b.packFirst == nil {
			t.Skip("has no way of its own for the first layer")
		}
		check := func(bias []int32, mult []float32) {
			t.Helper()
			const n = 3
			row := 4*n + 1 + b.firstSlack
			got := make([]uint8, n*len(bias))
			b.packFirst(make([]int8, 9*len(bias)), bias, mult).first(got, make([]uint8, 5*row), row, n)
			for i, g := range got {
				c := i % len(bias)
				if want := RequantizeGeneric(bias[c], mult[c]); g != want {
					t.Fatalf("output %d: %d * %g is %d, want %d", i/len(bias), bias[c], mult[c], g, want)
				}
			}
		}
		for _, c := range requantizeCases { // alone, so that no other case takes it off the fast path
			bias, mult := make([]int32, b.firstBlock), make([]float32, b.firstBlock)
			for i := range bias {
				bias[i], mult[i] = c.sum, c.mult
			}
			t.Run(c.name, func(*testing.T) { check(bias, mult) })
		}
		rng := rand.New(rand.NewPCG(13, 14))
		for range 3000 {
			bias, mult := make([]int32, b.firstBlock), make([]float32, b.firstBlock)
			reach := rng.IntN(24) // bits of the sums, up to the bound of the fast path and above
			for i := range bias {
				bias[i] = int32(rng.IntN(2<<reach) - 1<<reach)
				mult[i] = (float32(rng.IntN(260)) + 0.5) / float32(1+rng.IntN(1<<reach))
				if rng.IntN(2) == 0 { // near a tie: k + 1/2 = sum * mult
					mult[i] = (float32(rng.IntN(260)) + 0.5) / float32(max(1, bias[i]))
				}
			}
			check(bias, mult)
		}
	})
}
