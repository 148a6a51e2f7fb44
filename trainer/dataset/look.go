package dataset

import (
	"image"
	"math"

	"tirewatch/vision/frame"
	"tirewatch/vision/preprocess"
)

// Two images are near-duplicates when one shows at least about half of the content of the other:
// copies, the next photograph of a run, crops of one photograph. A hash finds candidates quickly,
// then a correlation of thumbnails decides.
//
// The hash is compared with windows, not with whole images, because a shift by an eighth of the
// side already changes the usual perceptual hash to chance level. The middle half of one image is
// searched in the other:
//
//	+-----------+      +-----------+
//	|  +-----+  |      |    +-----+|     17 x 17 places, 2 px apart,
//	|  |  b  |  |  in  |    |  a  ||     in a thumbnail of 64 px
//	|  +-----+  |      |    +-----+|
//	+-----------+      +-----------+
//
// Copies that were mirrored or turned by 90 degrees, as the static augmentation of the thesis
// writes them, are found too, but only unshifted. Hand movement between two photographs is followed
// up to about 3 degrees and 5 % of scale: 98 % of 51 photographs turned by 2 degrees are found, 65
// % by 4 degrees, 76 % of those enlarged by 5 %. Larger differences, such as copies turned by 20
// degrees, are not found.
const (
	thumbSide    = 64            // px
	windowSide   = thumbSide / 2 // px
	windowStep   = 2             // px
	windowsSide  = (thumbSide-windowSide)/windowStep + 1
	windowsSlots = (windowsSide*windowsSide + 7) &^ 7 // for loops over 8 slots at a time
	centre       = windowsSide * windowsSide / 2      // the window in the middle
	turns        = 8                                  // ways to turn and mirror; turn 0 means unchanged
)

// The thresholds come from two sources: 500 photographs of brickwork (124,750 pairs), some of them
// crops of one wall, and drawn tires that are all different. In the brickwork, 55 pairs reach 0.80.
// The ten weakest of them overlap visibly, and so do 2 more pairs at 0.75 and 0.77. Pairs that do
// not overlap stay below 0.46. Close-ups of different tires reach 0.25 (200 images). Whole tires in
// the same pose, which share their outline, reach 0.79 (1,200 images, 719,400 pairs). Pairs that
// overlap differ in up to 16 bits of the hash, others in at least 12.
const (
	maxHashBits    = 16
	minCorrelation = 0.80
	// followBits and followCorrelation are required before the search for small turns, which takes
	// most of the time.
	followBits        = 12
	followCorrelation = 0.15
	// refine is how far from the hash's position the best correlation is searched, px.
	refine = 2
	// sameShift is the largest shift between images that show the same view, px.
	sameShift = 3
)

// thumb is a grey thumbnail, row after row.
type thumb [thumbSide * thumbSide]byte

// look is the data of an image for the search for near-duplicates.
type look struct {
	light   float64              // mean grey value, 0 to 255
	detail  thumb                // after level
	windows [windowsSlots]uint64 // the slots after the last window repeat the first
	turned  [turns]uint64        // the middle window in every turn; turned[0] is windows[centre]
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
	for i := windowsSide * windowsSide; i < len(l.windows); i++ {
		l.windows[i] = l.windows[0]
	}
	l.detail = level(grey)
	sum := 0
	for _, v := range grey {
		sum += int(v)
	}
	l.light = float64(sum) / float64(len(grey))
	return l, nil
}

// levelReach is the distance from a pixel to the edge of its surroundings, px.
const levelReach = 3

// level extracts the detail of a thumbnail: how much each pixel differs from its 7 x 7
// surroundings, in units of their standard deviation, around 128. Light, shade and outlines, which
// all photographs from one place share, then have little effect. The deviation is raised by 2 grey
// levels, so that the noise of a flat wall stays small.
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

// turnThumb turns a thumbnail in the same way as turnWaves turns its waves.
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
