package augment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/vision/isa/isatest"
)

// Every kernel, and the fast middle of a row in Go, equals border exactly, for any position of the
// image.
func TestSamplingEqualsBorder(t *testing.T) {
	isatest.EachSet(t, &set, func(t *testing.T) {
		for _, size := range [][2]int{{41, 33}, {64, 16}, {7, 9}, {1, 5}, {3, 1}, {379, 21}} {
			w, h := size[0], size[1]
			rng := rand.New(rand.NewPCG(1, 1))
			pix := isatest.Guarded(t, w*h, true) // reading past the image ends the test
			for i := range pix {
				pix[i] = uint8(rng.Uint32())
			}
			ranges := Ranges{Rotation: 360, WidthShift: 1, HeightShift: 1, Shear: 45, Zoom: 0.9, HorizontalFlip: true, VerticalFlip: true, BrightnessLow: 0.5, BrightnessHigh: 2}
			round := func(v float64) int { return int(math.Round(v)) }
			for n := range 500 {
				tr := ranges.Draw(rng, w, h)
				if n < 4 { // along the axes, where one step is zero
					tr = Ranges{HorizontalFlip: true, VerticalFlip: true}.Draw(rng, w, h)
				}
				outW, outH := 1+rng.IntN(w), 1+rng.IntN(h)
				got, want := make([]float32, outW*outH), make([]float32, outW*outH)
				tr.Apply(got, outW, outH, pix)
				scale := float32(tr.brightness / (255 * frac * frac))
				for y := range outH {
					px, py := tr.rowStart(y)
					tr.border(want[y*outW:][:outW], pix, px, py, round(tr.a[0]*fixed), round(tr.a[3]*fixed), scale)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("picture %d of %d x %d px differs", n, w, h)
				}
			}
		}
	})
}
