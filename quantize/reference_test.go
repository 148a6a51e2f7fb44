package quantize

import (
	"math"
	"testing"

	"tirewatch/vision/bundle"
	"tirewatch/vision/verdict"
)

// Three images of 2 x 1 px. The second has the verdict crack.
func TestReference(t *testing.T) {
	images := Images{Pix: [][]byte{{10, 10}, {20, 40}, {30, 30}}, Crack: make([]bool, 3)}
	got := reference(images, []float64{-2, 3, -4}, 2, verdict.Policy{Threshold: 0.5})
	want := bundle.Reference{
		// of 10, 30, 30
		Brightness:  bundle.Statistic{N: 3, Mean: 70. / 3, SD: math.Sqrt(400. / 3)},
		Sharpness:   bundle.Statistic{N: 3, Mean: 10. / 3, SD: math.Sqrt(100. / 3)}, // of 0, 10, 0
		NormalLogit: bundle.Statistic{N: 2, Mean: -3, SD: math.Sqrt2},
		CrackLogit:  bundle.Statistic{N: 1, Mean: 3},
	}
	for _, c := range []struct{ got, want bundle.Statistic }{
		{got.Brightness, want.Brightness}, {got.Sharpness, want.Sharpness},
		{got.NormalLogit, want.NormalLogit}, {got.CrackLogit, want.CrackLogit},
	} {
		if c.got.N != c.want.N || math.Abs(c.got.Mean-c.want.Mean) > 1e-12 || math.Abs(c.got.SD-c.want.SD) > 1e-12 {
			t.Errorf("got %+v, want %+v", c.got, c.want)
		}
	}
}
