package augment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The fast middle of a row equals the careful way to the bit, wherever the picture was moved to.
func TestMiddleEqualsBorder(t *testing.T) {
	const w, h = 41, 33
	rng := rand.New(rand.NewPCG(1, 1))
	pix := make([]byte, w*h)
	for i := range pix {
		pix[i] = uint8(rng.Uint32())
	}
	ranges := Ranges{Rotation: 360, WidthShift: 1, HeightShift: 1, Shear: 45, Zoom: 0.9, HorizontalFlip: true, VerticalFlip: true, BrightnessLow: 0.5, BrightnessHigh: 2}
	round := func(v float64) int { return int(math.Round(v)) }
	got, want := make([]float32, w*h), make([]float32, w*h)
	for n := range 2000 {
		tr := ranges.Draw(rng, w, h)
		if n < 4 { // along the axes, where a step is zero
			tr = Ranges{HorizontalFlip: true, VerticalFlip: true}.Draw(rng, w, h)
		}
		tr.Apply(got, w, h, pix)
		scale := float32(tr.brightness / (255 * frac * frac))
		for y := range h {
			at := func(a, b float64) int { return round((a*float64(y) + b) * fixed) }
			tr.border(want[y*w:][:w], pix, at(tr.a[1], tr.a[2]), at(tr.a[4], tr.a[5]), round(tr.a[0]*fixed), round(tr.a[3]*fixed), scale)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("picture %d differs", n)
		}
	}
}

func TestInside(t *testing.T) {
	for p := -12; p <= 12; p++ {
		for d := -5; d <= 5; d++ {
			for limit := range 8 {
				x0, x1 := inside(p, d, limit, 1, 9)
				for x := 1; x < 9; x++ {
					v := p + x*d
					if in := x >= x0 && x < x1; in != (v >= 0 && v < limit) {
						t.Fatalf("inside(%d, %d, %d) is %d to %d; at %d stands %d", p, d, limit, x0, x1, x, v)
					}
				}
				if x0 > x1 || x0 < 1 || x1 > 9 {
					t.Fatalf("inside(%d, %d, %d) is %d to %d, beyond 1 to 9", p, d, limit, x0, x1)
				}
			}
		}
	}
}
