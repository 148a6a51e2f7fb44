package dataset

import (
	"math"
	"sync"
)

// motion is the movement of a hand-held camera between two photographs of a run: a small turn and a
// step nearer or back.
type motion struct {
	degrees float64
	scale   float64
}

// still means no motion.
var still = motion{scale: 1}

// A tap says where a pixel of a moved thumbnail is read: between the pixels at, at+1 and those
// below them, at the fractions fx and fy of 2^tapShift.
type tap struct{ at, fx, fy uint16 }

const (
	tapShift = 12
	tapOne   = 1 << tapShift
)

// taps holds *[thumbSide*thumbSide]tap by motion. The search tries a hundred motions for each of
// thousands of images.
var taps sync.Map

// apply moves a thumbnail about its middle with bilinear interpolation. Outside the border, the
// border pixels continue. The arithmetic is in integers, so that every machine finds the same
// near-duplicates.
func (m motion) apply(t *thumb) (moved thumb) {
	known, ok := taps.Load(m)
	if !ok {
		known, _ = taps.LoadOrStore(m, m.taps())
	}
	for i, p := range known.(*[thumbSide * thumbSide]tap) {
		q := t[p.at:][: thumbSide+2 : thumbSide+2]
		fx, fy := uint32(p.fx), uint32(p.fy)
		top := uint32(q[0])*(tapOne-fx) + uint32(q[1])*fx
		bottom := uint32(q[thumbSide])*(tapOne-fx) + uint32(q[thumbSide+1])*fx
		// at most 255 and a half, so below 2^32
		moved[i] = uint8((top*(tapOne-fy) + bottom*fy + 1<<(2*tapShift-1)) >> (2 * tapShift))
	}
	return moved
}

func (m motion) taps() *[thumbSide * thumbSide]tap {
	cos := int(math.Round(m.scale * math.Cos(m.degrees*math.Pi/180) * tapOne))
	sin := int(math.Round(m.scale * math.Sin(m.degrees*math.Pi/180) * tapOne))
	const last = (thumbSide - 1) * tapOne
	all := new([thumbSide * thumbSide]tap)
	for y := range thumbSide {
		for x := range thumbSide {
			u, v := 2*x-(thumbSide-1), 2*y-(thumbSide-1) // half pixels from the middle
			px := min(max((cos*u-sin*v+last)/2, 0), last-1)
			py := min(max((sin*u+cos*v+last)/2, 0), last-1)
			all[y*thumbSide+x] = tap{
				at: uint16(py>>tapShift*thumbSide + px>>tapShift),
				fx: uint16(px & (tapOne - 1)), fy: uint16(py & (tapOne - 1)),
			}
		}
	}
	return all
}
