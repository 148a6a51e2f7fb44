package synth_test

import (
	"math"
	"os"
	"testing"

	"tirewatch/trainer/synth"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
)

// TestWallIsFound searches for both circles of drawn side walls, of tires with and without a wheel.
// Most are accurate to one per cent of the diameter; the inner lip of a wheel and heavy shadows
// shift some. Black wheels are not found. On a belt as dark as rubber a wheel may be mistaken for
// the tire, which then has no rim. `make whole-tire` tests more of them. The seeds from 31 on were
// not used while the search was developed.
func TestWallIsFound(t *testing.T) {
	sets := []struct {
		seed        uint64
		size, tires int
	}{{11, 600, 60}, {12, 600, 80}, {13, 760, 80}, {14, 420, 80}, {15, 1080, 40}, {31, 480, 100}, {32, 700, 100}, {33, 900, 60}, {34, 1080, 40}}
	if os.Getenv(wholeTire) == "" {
		sets = sets[:1]
	}
	round, rings := locate.NewRound(locate.RoundOptions{}), locate.NewRings()
	tires, found, precise, mistaken, worst := 0, 0, 0, 0, 0.0
	for _, set := range sets {
		tires += set.tires
		for i := range set.tires {
			img, want := synth.DrawHairline(set.size, set.seed, i, 0, false)
			f := frame.FromImage(img)
			outlines := round.Find(f)
			if len(outlines) != 1 {
				continue
			}
			if outlines[0].Radius < 0.8*want.Outer {
				mistaken++
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
				t.Logf("tire %d of seed %d is off by %.1f %% of its diameter", i, set.seed, 100*worse)
			}
			worst = max(worst, worse)
		}
	}
	t.Logf("%d of %d found, %d within one per cent of the diameter; the worst is off by %.1f %%; %d outlines were of a wheel or a groove", found, tires, precise, 100*worst, mistaken)
	if found*100 < 91*tires || precise*100 < 93*found || worst > 0.032 || mistaken*100 > tires {
		t.Error("want 91 % found, 93 % of them within one per cent, none off by more than 3.2, at most 1 % wrong outlines")
	}
}
