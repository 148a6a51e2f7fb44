package dataset

import "math"

// motion is how a hand-held camera moves between two photographs of a run: a small turn and a step nearer or back.
type motion struct {
	degrees float64
	scale   float64
}

// still is no motion.
var still = motion{scale: 1}

// apply moves a thumbnail about its middle, between pixels linearly; beyond its border the border goes on. The
// arithmetic behind the two factors is in integers of 1/2^12, so that every machine finds the same near-duplicates.
func (m motion) apply(t *thumb) (moved thumb) {
	const shift, one = 12, 1 << 12
	cos := int(math.Round(m.scale * math.Cos(m.degrees*math.Pi/180) * one))
	sin := int(math.Round(m.scale * math.Sin(m.degrees*math.Pi/180) * one))
	const last = (thumbSide - 1) * one
	for y := range thumbSide {
		for x := range thumbSide {
			u, v := 2*x-(thumbSide-1), 2*y-(thumbSide-1) // half pixels from the middle
			px := min(max((cos*u-sin*v+last)/2, 0), last-1)
			py := min(max((sin*u+cos*v+last)/2, 0), last-1)
			fx, fy := px&(one-1), py&(one-1)
			p := t[py>>shift*thumbSide+px>>shift:]
			top := int(p[0])*(one-fx) + int(p[1])*fx
			bottom := int(p[thumbSide])*(one-fx) + int(p[thumbSide+1])*fx
			moved[y*thumbSide+x] = uint8((top*(one-fy) + bottom*fy + 1<<(2*shift-1)) >> (2 * shift))
		}
	}
	return moved
}
