package locate

import (
	"image"
	"math"
	"math/rand/v2"

	"tirewatch/vision/frame"
)

// scene is a drawn belt. Brightness is computed for each pixel, with a ramp of one pixel at every
// border against aliasing.
type scene struct {
	w, h  int
	belt  float64 // grey level
	weave float64 // contrast of the belt's pattern, grey levels
	light float64 // change of brightness from left to right, share
	noise float64 // standard deviation, grey levels
	seed  uint64
	discs []disc
	boxes []image.Rectangle // black boxes
}

// disc is a round object with grey level v. Later discs draw the rings inside it. soft is the width
// of its border.
type disc struct{ x, y, r, v, soft float64 }

// tire is a dark ring with a bead, a bright line of letters, a rim through which the belt is
// visible, and a soft shadow to its lower right.
func tire(x, y, r, belt float64) []disc {
	return []disc{
		{x + 0.03*r, y + 0.04*r, 1.02 * r, 0.75 * belt, 0.12 * r},
		{x, y, r, 38, 1},
		{x, y, 0.93 * r, 55, 3},
		{x, y, 0.80 * r, 47, 2},
		{x, y, 0.62 * r, 30, 1},
		{x, y, 0.55 * r, belt, 1},
		{x, y, 0.20 * r, 90, 1},
	}
}

func (s scene) draw() *frame.Frame {
	rng := rand.New(rand.NewPCG(s.seed, 1))
	f := frame.NewGray(s.w, s.h)
	for y := range s.h {
		for x := range s.w {
			px, py := float64(x)+0.5, float64(y)+0.5
			v := s.belt + s.weave*(math.Sin(px/3)*math.Sin(py/3)+0.7*math.Sin(px/31+py/17))
			for _, b := range s.boxes {
				if image.Pt(x, y).In(b) {
					v = 30
				}
			}
			for _, d := range s.discs {
				cover := (d.r-math.Hypot(px-d.x, py-d.y))/d.soft + 0.5
				v += (d.v - v) * max(0, min(1, cover))
			}
			v *= 1 + s.light*(px/float64(s.w)-0.5)
			v += rng.NormFloat64() * s.noise
			f.Pix[y*s.w+x] = uint8(max(0, min(255, math.Round(v))))
		}
	}
	return f
}
