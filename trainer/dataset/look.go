package dataset

import (
	"image"
	"math"
	"math/bits"

	"tirewatch/vision/frame"
	"tirewatch/vision/preprocess"
)

// Two pictures are near-duplicates when one shows at least about half of what the other shows: copies, the next
// photograph of a run, crops of one photograph. A hash finds candidates quickly, a correlation of thumbnails decides.
//
// The hash is compared with windows, not with whole pictures, because a shift by an eighth of the side already makes
// the usual perceptual hash look like chance. The middle half of one picture is searched in the other:
//
//	+-----------+      +-----------+
//	|  +-----+  |      |    +-----+|     17 x 17 places, 2 px apart,
//	|  |  b  |  |  in  |    |  a  ||     in a thumbnail of 64 px
//	|  +-----+  |      |    +-----+|
//	+-----------+      +-----------+
//
// Copies that were mirrored or turned by 90 degrees, as the static augmentation of the thesis writes them, are found
// too, but only unshifted. A hand that moved between two photographs is followed to about 3 degrees and 5 % of scale
// (98 % of 51 photographs turned by 2 degrees are found, 65 % by 4 degrees, 76 % of those enlarged by 5 %). What
// differs by more, such as copies turned by 20 degrees, is not found.
const (
	thumbSide   = 64            // px
	windowSide  = thumbSide / 2 // px
	windowStep  = 2             // px
	windowsSide = (thumbSide-windowSide)/windowStep + 1
	centre      = windowsSide * windowsSide / 2 // the window in the middle
	turns       = 8                             // ways to turn and mirror; turn 0 is none
)

// The thresholds come from 500 photographs of brickwork, 124,750 pairs, among them crops of one wall, and from drawn
// tires that are all different. In the brickwork 55 pairs reach 0.80; the ten weakest of them overlap for the eye, as do
// 2 more at 0.75 and 0.77, and pairs that do not overlap stay below 0.46. Close-ups of different tires reach 0.25 (200
// images), whole tires in the same pose, which share their outline, 0.79 (1,200 images, 719,400 pairs). Pairs that
// overlap differ in up to 16 bits of the hash, others in 12 and more.
const (
	maxHashBits    = 16
	minCorrelation = 0.80
	// followBits and followCorrelation are asked for before the search for small turns, which takes most of the time.
	followBits        = 12
	followCorrelation = 0.15
	// refine is how far around the hash's place the best correlation is searched, px.
	refine = 2
	// sameShift is the largest shift between pictures that show the same view, px.
	sameShift = 3
)

// thumb is a grey thumbnail, row after row.
type thumb [thumbSide * thumbSide]byte

// look is what the search for near-duplicates keeps of a picture.
type look struct {
	light   float64 // mean grey value, 0 to 255
	detail  thumb   // levelled
	windows [windowsSide * windowsSide]uint64
	turned  [turns]uint64 // the middle window in every turn; turned[0] is windows[centre]
}

// newLook makes the look of a frame.
func newLook(f *frame.Frame) (*look, error) {
	spec := preprocess.Spec{Width: thumbSide, Height: thumbSide, Filter: preprocess.FilterTriangle}
	l, grey := new(look), new(thumb)
	if err := spec.Apply(grey[:], f, image.Rect(0, 0, f.Width, f.Height)); err != nil {
		return nil, err
	}
	for wx := range windowsSide {
		across := wavesAcross(grey, wx*windowStep)
		for wy := range windowsSide {
			c := wavesDown(&across, wy*windowStep)
			i := wy*windowsSide + wx
			l.windows[i] = signs(&c)
			if i == centre {
				for t := range l.turned {
					turned := turnWaves(&c, t)
					l.turned[t] = signs(&turned)
				}
			}
		}
	}
	l.detail = level(grey)
	sum := 0
	for _, v := range grey {
		sum += int(v)
	}
	l.light = float64(sum) / float64(len(grey))
	return l, nil
}

// overlap says how one picture lies on another.
type overlap struct {
	turn   int     // how the second picture was turned, 0 to 7
	dx, dy int     // where it lies in the first then, thumbnail px
	corr   float64 // correlation of what both show, -1 to 1
}

// same says whether both pictures show the same view, so that they must have the same label. Pictures that only overlap
// may differ: a crack can lie outside one of them.
func (o overlap) same() bool { return max(o.dx, -o.dx, o.dy, -o.dy) <= sameShift }

// match finds the overlap of two pictures. ok is false when they are no near-duplicates.
func match(a, b *look) (o overlap, ok bool) {
	best := maxHashBits + 1
	for i, h := range a.windows {
		if d := bits.OnesCount64(h ^ b.turned[0]); d < best {
			best = d
			o = overlap{dx: i%windowsSide*windowStep - thumbSide/4, dy: i/windowsSide*windowStep - thumbSide/4}
		}
	}
	for t, h := range b.turned {
		if d := bits.OnesCount64(a.turned[0] ^ h); d < best {
			best, o = d, overlap{turn: t}
		}
	}
	if best > maxHashBits {
		return overlap{}, false
	}
	second := b.detail
	if o.turn != 0 {
		second = turnThumb(&b.detail, o.turn)
	}
	o.corr = correlation(&a.detail, &second, o.dx, o.dy)
	o.climb(&a.detail, &second)
	if o.corr < minCorrelation && o.corr >= followCorrelation && best <= followBits {
		o.follow(&a.detail, &second)
	}
	return o, o.corr >= minCorrelation
}

// climb moves o by single pixels as long as the correlation rises, at most refine px from where it began.
func (o *overlap) climb(a, b *thumb) {
	x, y := o.dx, o.dy
	for moved := true; moved; {
		moved = false
		for _, step := range [][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
			dx, dy := o.dx+step[0], o.dy+step[1]
			if max(dx-x, x-dx, dy-y, y-dy) > refine {
				continue
			}
			if c := correlation(a, b, dx, dy); c > o.corr {
				o.dx, o.dy, o.corr, moved = dx, dy, c, true
			}
		}
	}
}

// follow improves o by small turns of b, then by small changes of scale, then by a shift again.
func (o *overlap) follow(a, b *thumb) {
	best := motion{scale: 1}
	for _, try := range [][]motion{
		{{-4, 1}, {-2, 1}, {2, 1}, {4, 1}},
		{{0, 0.94}, {0, 0.97}, {0, 1.03}, {0, 1.06}},
		{{-1, 1}, {1, 1}},
	} {
		from := best
		for _, step := range try {
			m := motion{from.degrees + step.degrees, from.scale * step.scale}
			moved := m.apply(b)
			if c := correlation(a, &moved, o.dx, o.dy); c > o.corr {
				o.corr, best = c, m
			}
		}
	}
	moved := best.apply(b)
	o.climb(a, &moved)
}

// levelReach is how far around a pixel its surroundings reach, px.
const levelReach = 3

// level shows the detail of a thumbnail: how far each pixel stands out from its surroundings of 7 x 7, in units of
// their standard deviation, around 128. Light, shade and outlines, which all photographs from one place share, count
// little then. The surroundings' deviation is raised by 2 grey levels, so that the noise of a flat wall stays small.
func level(t *thumb) (l thumb) {
	const unit, floor = 40, 2
	for y := range thumbSide {
		y0, y1 := max(0, y-levelReach), min(thumbSide, y+levelReach+1)
		for x := range thumbSide {
			x0, x1 := max(0, x-levelReach), min(thumbSide, x+levelReach+1)
			var sum, squares int
			for yy := y0; yy < y1; yy++ {
				for _, v := range t[yy*thumbSide+x0 : yy*thumbSide+x1] {
					sum, squares = sum+int(v), squares+int(v)*int(v)
				}
			}
			n := (y1 - y0) * (x1 - x0)
			deviation := int(math.Sqrt(float64(n*squares - sum*sum))) // times n
			v := 128 + unit*(n*int(t[y*thumbSide+x])-sum)/(deviation+floor*n)
			l[y*thumbSide+x] = uint8(min(max(v, 0), 255))
		}
	}
	return l
}

// correlation is Pearson's, over the pixels that both thumbnails show when b lies at dx, dy in a; 0 when either is flat
// there. The sums are integers below 2^53, so every machine gets the same number.
func correlation(a, b *thumb, dx, dy int) float64 {
	x0, x1 := max(0, dx), min(thumbSide, thumbSide+dx)
	var n, sa, sb, saa, sbb, sab int64
	for y := max(0, dy); y < min(thumbSide, thumbSide+dy); y++ {
		ra := a[y*thumbSide+x0 : y*thumbSide+x1]
		rb := b[(y-dy)*thumbSide+x0-dx:][:len(ra)]
		for i, p := range ra {
			p, q := int64(p), int64(rb[i])
			sa, sb = sa+p, sb+q
			saa, sbb, sab = saa+p*p, sbb+q*q, sab+p*q
		}
		n += int64(len(ra))
	}
	va, vb := n*saa-sa*sa, n*sbb-sb*sb
	if va == 0 || vb == 0 {
		return 0
	}
	return float64(n*sab-sa*sb) / math.Sqrt(float64(va)*float64(vb))
}

// turnThumb turns a thumbnail as turnWaves turns its waves.
func turnThumb(b *thumb, turn int) (t thumb) {
	const last = thumbSide - 1
	for y := range thumbSide {
		for x := range thumbSide {
			sx, sy := x, y
			if turn&4 != 0 {
				sx, sy = sy, sx
			}
			if turn&1 != 0 {
				sx = last - sx
			}
			if turn&2 != 0 {
				sy = last - sy
			}
			t[y*thumbSide+x] = b[sy*thumbSide+sx]
		}
	}
	return t
}
