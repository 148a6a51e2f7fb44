package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// 1x1 convolutions whose sums become bytes in the tile: positions, channels and taps below, at and
// above every tile, with x, the weights and the result between guard pages.
func TestNarrow(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		if b.packNarrow == nil {
			t.Skip("has no function for 1x1 convolutions")
		}
		for i, d := range append(extremes, smallWeights...) {
			rng := rand.New(rand.NewPCG(15, 16))
			for _, taps := range []int{1, 2, 3, 4, 7, 8, 9, 12, 16, 17, 48} {
				for _, blocks := range []int{1, 2, 3, 6} {
					n := b.narrowLeast + rng.IntN(20)
					if taps == 3 {
						n += 64 // more than are copied together
					}
					checkNarrow(t, b, d, rng, taps*b.narrowGroup, blocks*b.block, n, 1+rng.IntN(2), i)
				}
			}
			for n := b.narrowLeast; n < b.narrowLeast+34; n++ {
				checkNarrow(t, b, d, rng, 3*b.narrowGroup, b.block, n, 1, i)
			}
		}
	})
}

// smallWeights are at and around the largest of which four products fit 16 bits.
var smallWeights = []data{
	{"all 255 and 63", fill[uint8](255), fill[int8](63)},
	{"all 0 and 64", fill[uint8](0), fill[int8](64)},
	{"all 0 and -64", fill[uint8](0), fill[int8](-64)},
	{"all 0 and 63 or 64", fill[uint8](0), func(rng *rand.Rand, n int) []int8 {
		w := make([]int8, n)
		for i := range w {
			w[i] = 63 + int8(rng.IntN(8)/7)
		}
		return w
	}},
	{"random small", randomBytes, func(rng *rand.Rand, n int) []int8 {
		w := make([]int8, n)
		for i := range w {
			w[i] = int8(max(-127, min(127, 40*rng.NormFloat64())))
		}
		return w
	}},
}

func checkNarrow(t *testing.T, b *Body, d data, rng *rand.Rand, inC, outC, n, stride, seed int) {
	t.Helper()
	w := (n-1)*stride + 1
	s := ConvShape{In: Area{H: 1, W: w, C: inC, Row: w * inC}, OutC: outC,
		Conv: Window{Kernel: 1, Stride: stride, OutH: 1, OutW: n}}
	x, weights := d.x(rng, w*inC), d.w(rng, outC*inC)
	bias, mult := randomSums(rng, outC, 20_000), make([]float32, outC)
	for c := range mult {
		mult[c] = float32((0.2 + rng.Float64()) / (64 * 255 * math.Sqrt(float64(inC))) * 255)
	}
	want := make([]uint8, s.OutSize())
	ConvGeneric(want, x, s, weights, bias, mult)
	c := NewConv(b, s, weights, bias, mult)
	switch {
	case c.narrow == nil && inC > 256:
		return // the sums may not fit 23 bits
	case c.narrow == nil:
		t.Fatalf("%d channels of %d: Conv does not use the body's narrow", outC, inC)
	}
	packed := c.narrow
	for _, upper := range []bool{true, false} {
		free, g := guards(t)
		got := guarded(g, make([]uint8, len(want)), upper)
		c.narrow = guardLayer(g, packed, upper).(narrower)
		c.scratch = guarded(g, make([]byte, len(c.scratch)), upper)
		c.Run(got, guarded(g, x, upper))
		if i := mismatch(got, want); i >= 0 {
			t.Fatalf("%s, %d channels of %d, %d positions, stride %d: byte %d is %d, want %d",
				d.name, outC, inC, n, stride, i, got[i], want[i])
		}
		free()
	}
}

// Sums and scales that the tile cannot round take the other way and are exact too.
func TestNarrowOfLargeSums(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		rng := rand.New(rand.NewPCG(17, 18))
		const n, inC = 20, 48
		outC := b.channels(16)
		s := ConvShape{In: Area{H: 1, W: n, C: inC, Row: n * inC}, OutC: outC, Conv: Window{Kernel: 1, Stride: 1, OutH: 1, OutW: n}}
		for _, largest := range []float32{0.001, 1, 1e6, math.MaxFloat32} {
			x, w, bias := randomBytes(rng, n*inC), randomWeights(rng, outC*inC), randomSums(rng, outC, 1<<28)
			mult := make([]float32, outC)
			for c := range mult {
				mult[c] = largest * rng.Float32()
			}
			mult[0] = largest
			got, want := make([]uint8, s.OutSize()), make([]uint8, s.OutSize())
			ConvGeneric(want, x, s, w, bias, mult)
			NewConv(b, s, w, bias, mult).Run(got, x)
			if i := mismatch(got, want); i >= 0 {
				t.Fatalf("scales to %g: byte %d is %d, want %d", largest, i, got[i], want[i])
			}
		}
	})
}
