package synth_test

import (
	"math"
	"testing"

	"tirewatch/trainer/synth"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
)

// TestWallIsFound looks for both circles of drawn side walls, of empty tires and of such with a wheel in them. Most are right to one per cent of
// the diameter; heavy shadows and the lips of wheels draw some off. Black wheels are not found.
func TestWallIsFound(t *testing.T) {
	const tires, size = 60, 600
	round, rings := locate.NewRound(locate.RoundOptions{}), locate.NewRings()
	found, precise, worst := 0, 0, 0.0
	for i := range tires {
		img, want := synth.DrawHairline(size, 11, i, 0, false)
		f := frame.FromImage(img)
		outlines := round.Find(f)
		if len(outlines) != 1 {
			continue
		}
		ring, ok := rings.Find(f, outlines[0])
		if !ok {
			continue
		}
		found++
		off := func(got locate.Circle, x, y, radius float64) float64 {
			return max(math.Hypot(got.Centre.X-x, got.Centre.Y-y), math.Abs(got.Radius-radius)) / (2 * want.Outer)
		}
		worse := max(off(ring.Outer, want.X, want.Y, want.Outer), off(ring.Inner, want.RimX, want.RimY, want.Rim))
		if worse <= 0.01 {
			precise++
		} else {
			t.Logf("tire %d is off by %.1f %% of its diameter", i, 100*worse)
		}
		worst = max(worst, worse)
	}
	t.Logf("%d of %d found, %d to one per cent of the diameter; the worst is off by %.1f %%", found, tires, precise, 100*worst)
	if found < 54 || precise < 46 || worst > 0.035 {
		t.Error("want 54 found, 46 of them to one per cent, none off by more than 3.5")
	}
}
