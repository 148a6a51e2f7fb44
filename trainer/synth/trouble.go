package synth

import "math"

// trouble is a temporary problem between lamp and lens: a moving glare, or a hand with its arm.
type trouble struct {
	first, last int // frames
	hand        bool
	// px: start and end of a glare; for a hand, its wrist outside and inside the picture
	x0, y0, x1, y1 float32
	size           float32 // px: deviation of a glare, half the width of an arm
}

// Something happens about every troubleEvery seconds, for about one second.
const (
	troubleEvery = 8
	handReaches  = 4 // frames to reach in, and as many to move out
)

// troubles returns the troubles of a rough clip.
func (o ClipOptions) troubles(frames int) (all []trouble) {
	s := newStream(o.Seed, 3, forClip)
	w, h := float32(o.Width), float32(o.Height)
	for f := o.FPS; f < frames; f += int(float32(troubleEvery*o.FPS) * s.between(0.5, 1.5)) {
		t := trouble{first: f, hand: s.chance(0.4)}
		if t.hand {
			t.last = f + 2*handReaches + s.count(0, 3)
			t.x0, t.y0 = s.between(0.1, 0.9)*w, -0.3*h
			t.x1, t.y1 = t.x0+s.around(0, 0.1)*w, s.between(0.1, 0.35)*h
			t.size = s.between(0.05, 0.07) * h
		} else {
			t.last = f + int(float32(o.FPS)*s.between(0.5, 1.5))
			t.x0, t.y0 = s.between(0, 1)*w, s.between(0, 1)*h
			t.x1, t.y1 = t.x0+s.around(0, 0.3)*w, t.y0+s.around(0, 0.3)*h
			t.size = s.between(0.05, 0.1) * h
		}
		all = append(all, t)
	}
	return all
}

// disturb draws the troubles of frame f over belt and tires.
func (sc *scene) disturb(f int) {
	for _, t := range sc.trouble {
		if f < t.first || f > t.last {
			continue
		}
		if t.hand {
			in := min(1, float32(min(f-t.first, t.last-f)+1)/handReaches)
			sc.reach(t.x0+(t.x1-t.x0)*in, t.y0+(t.y1-t.y0)*in, t.x0, t.size)
			continue
		}
		way := float32(f-t.first) / float32(max(1, t.last-t.first))
		sc.glare(t.x0+(t.x1-t.x0)*way, t.y0+(t.y1-t.y0)*way, t.size)
	}
}

// torn is the share of a rough clip's frames that are torn: a camera on a busy bus loses packets,
// and their rows keep the previous content of the buffer, which is the frame before.
const torn = 0.1

// tear replaces some rows of frame f by those of the previous frame, and keeps frame f for the next
// call.
func (sc *scene) tear(f int) {
	s := newStream(sc.o.Seed, uint64(f), forTear)
	if f > 0 && s.chance(torn) {
		first := s.count(0, sc.o.Height*3/4) &^ 1
		last := min(sc.o.Height, first+s.count(sc.o.Height/16, sc.o.Height/2)) &^ 1
		now, w := sc.img, sc.img.CStride
		copy(now.Y[first*now.YStride:last*now.YStride], sc.before.Y[first*now.YStride:])
		copy(now.Cb[first/2*w:last/2*w], sc.before.Cb[first/2*w:])
		copy(now.Cr[first/2*w:last/2*w], sc.before.Cr[first/2*w:])
	}
	copy(sc.before.Y, sc.img.Y)
	copy(sc.before.Cb, sc.img.Cb)
	copy(sc.before.Cr, sc.img.Cr)
}

// glare adds light that is white in its middle.
func (sc *scene) glare(cx, cy, size float32) {
	for y := max(0, int(cy-3*size)); y < min(sc.o.Height, int(cy+3*size)); y++ {
		row := sc.img.Y[y*sc.img.YStride:][:sc.o.Width]
		for x := max(0, int(cx-3*size)); x < min(sc.o.Width, int(cx+3*size)); x++ {
			d := ((float32(x)-cx)*(float32(x)-cx) + (float32(y)-cy)*(float32(y)-cy)) / (size * size)
			row[x] = grey(float32(row[x]) + 260*float32(math.Exp(-float64(d))))
		}
	}
}

// reach draws a fist at (x, y) on an arm that enters from above the picture at x0.
func (sc *scene) reach(x, y, x0, half float32) {
	const luma, cb, cr = 150, 112, 148 // skin
	top := float32(-half)
	for py := 0; py < min(sc.o.Height, int(y+2*half)); py++ {
		for px := max(0, int(min(x, x0)-2*half)); px < min(sc.o.Width, int(max(x, x0)+2*half)); px++ {
			fx, fy := float32(px), float32(py)
			// Distance from the arm's axis, and from the fist, which is wider.
			along := clamp((fy-top)/max(1, y-top), 0, 1)
			arm := abs32(fx-(x0+(x-x0)*along)) / half
			if fy > y {
				arm = 2
			}
			d := min(arm, float32(math.Hypot(float64(fx-x), float64(fy-y)))/(1.5*half))
			if d >= 1 {
				continue
			}
			sc.img.Y[sc.img.YOffset(px, py)] = grey(luma * (1 - 0.4*d*d)) // round
			c := sc.img.COffset(px, py)
			sc.img.Cb[c], sc.img.Cr[c] = cb, cr
		}
	}
}
