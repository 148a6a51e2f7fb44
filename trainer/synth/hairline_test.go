package synth

import (
	"math"
	"testing"
)

// The crack is the only difference of a cracked tire, and it is where Wall says.
func TestHairlineIsWhereItSays(t *testing.T) {
	const size = 500
	for i := range 6 {
		sound, none := DrawHairline(size, 4, i, 0.0015, false)
		cracked, w := DrawHairline(size, 4, i, 0.0015, true)
		changed, x, y := 0.0, 0.0, 0.0
		for p := range size * size {
			if a, b := sound.Pix[4*p], cracked.Pix[4*p]; a > b+5 || b > a+5 {
				changed, x, y = changed+1, x+float64(p%size), y+float64(p/size)
			}
		}
		x, y = x/changed, y/changed
		if changed < 10 || math.Hypot(x-w.CrackX, y-w.CrackY) > w.Length/3 {
			t.Errorf("tire %d: %.0f pixels around %.0f, %.0f differ; %+v", i, changed, x, y, w)
		}
		// Seen from the middle of the tire, clockwise from the top.
		r := math.Hypot(x-w.X, y-w.Y)
		sin, cos := math.Sincos(w.CrackAngle * math.Pi / 180)
		if off := math.Hypot(w.X+r*sin-x, w.Y-r*cos-y); off > w.Length/3 {
			t.Errorf("tire %d: the crack is not at %.0f degrees", i, w.CrackAngle)
		}
		if r < w.Rim || r > w.Outer || w.Rim < 0.45*w.Outer || none.Outer != w.Outer || none.Length != 0 {
			t.Errorf("tire %d: a crack %.0f px from the middle; %+v; sound %+v", i, r, w, none)
		}
	}
}
