package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The function that a body has for a first layer without a pool, used by Conv, with every buffer
// between guard pages: numbers of channels below, at and above a block, widths down to one window,
// every padding and stride. It must not read any byte after the image.
func TestPlain(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		if b.packPlain == nil {
			t.Skip("has no function for a first layer without a pool")
		}
		for i, d := range extremes {
			rng := rand.New(rand.NewPCG(uint64(i), 61))
			for _, channels := range []int{16, 17, 24, 31, 32, 48, 100} {
				for _, width := range []int{1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 18, 33, 34, 49} {
					w := Window{Kernel: 3, Stride: 1 + rng.IntN(3), PadTop: rng.IntN(3), PadLeft: rng.IntN(3)}
					if width+2*w.PadLeft < 3 {
						continue
					}
					w.OutH, w.OutW = (2+2*w.PadTop)/w.Stride+1, (width+2*w.PadLeft-3)/w.Stride+1
					checkPlain(t, b, d, rng, ConvShape{
						In: Area{H: 5, W: width, C: 1, Row: width + rng.IntN(3)}, OutC: channels, Conv: w})
				}
			}
		}
	})
}

func checkPlain(t *testing.T, b *Body, d data, rng *rand.Rand, s ConvShape) {
	t.Helper()
	x, w := d.x(rng, (s.In.H-1)*s.In.Row+s.In.W), d.w(rng, 9*s.OutC)
	bias, mult := randomSums(rng, s.OutC, 100_000), make([]float32, s.OutC)
	for c := range mult {
		mult[c] = float32(rng.Float64() / 300)
		if s.OutC%2 == 1 && rng.IntN(30) == 0 { // too large to round in place
			mult[c] = math.MaxFloat32
		}
	}
	want := make([]uint8, s.OutSize())
	ConvGeneric(want, x, s, w, bias, mult)
	c := NewConv(b, s, w, bias, mult)
	if c.plain == nil {
		t.Fatal("Conv does not use the body's plain")
	}
	packed := c.plain
	for _, upper := range []bool{true, false} {
		free, g := guards(t)
		got := guarded(g, make([]uint8, len(want)), upper)
		c.plain = guardLayer(g, packed, upper).(plainer)
		c.Run(got, guarded(g, x, upper))
		if i := mismatch(got, want); i >= 0 {
			t.Fatalf("%s, %+v: byte %d is %d, want %d", d.name, s, i, got[i], want[i])
		}
		free()
	}
}
