package kernel

import (
	"math/rand/v2"
	"testing"
)

// With weights of 0 the sum of a channel is its bias. So the rounding in first can be tested with
// every case of the specification: ties, the ends of the range and scales for which a body must not
// use its fast path.
func TestFirstRounding(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		if b.packFirst == nil {
			t.Skip("has no function for the first layer")
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
		// each case alone, so that no other case prevents the fast path
		for _, c := range requantizeCases {
			bias, mult := make([]int32, b.firstBlock), make([]float32, b.firstBlock)
			for i := range bias {
				bias[i], mult[i] = c.sum, c.mult
			}
			t.Run(c.name, func(*testing.T) { check(bias, mult) })
		}
		rng := rand.New(rand.NewPCG(13, 14))
		for range 3000 {
			bias, mult := make([]int32, b.firstBlock), make([]float32, b.firstBlock)
			reach := rng.IntN(24) // bits of the sums, below and above the limit of the fast path
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

// Rows longer than a body lays out at a time: one output less than a multiple of 96, exactly that,
// and one more.
func TestFirstWide(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		if b.packFirst == nil {
			t.Skip("has no function for the first layer")
		}
		rng := rand.New(rand.NewPCG(21, 22))
		for _, n := range []int{95, 96, 97, 192, 193} {
			s := ConvShape{In: Area{H: 5, W: 4*n + 1, C: 1, Row: 4*n + 1}, OutC: 2 * b.firstBlock,
				Conv: Window{Kernel: 3, Stride: 2, OutH: 2, OutW: 2 * n},
				Pool: Window{Kernel: 2, Stride: 2, OutH: 1, OutW: n}}
			x, w, mult := randomBytes(rng, 5*s.In.Row), randomWeights(rng, s.OutC*9), make([]float32, s.OutC)
			for i := range mult {
				mult[i] = float32(rng.Float64() / 300)
			}
			bias := randomSums(rng, s.OutC, 100_000)
			got, want := make([]uint8, s.OutSize()), make([]uint8, s.OutSize())
			NewConv(b, s, w, bias, mult).Run(got, x)
			ConvGeneric(want, x, s, w, bias, mult)
			if i := mismatch(got, want); i >= 0 {
				t.Fatalf("%d outputs: byte %d is %d, want %d", n, i, got[i], want[i])
			}
		}
	})
}
