package augment

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"tirewatch/vision/frame"
)

// Static limits the changes of static augmentation: new files beside the photographs, made once,
// before training. Each image gets one random draw of each operation. Together the operations are
// one map about the centre, sampled once. The zero value changes nothing.
//
// Order, starting from the photograph: shear, rotation, quarter turn, flips, brightness. Points
// outside the photograph take the nearest pixel of its border, as in dynamic augmentation, because
// the network could learn black corners. The image keeps its size in pixels (a quarter turn swaps
// width and height) and its colours.
type Static struct {
	HorizontalFlip bool // in half of the images
	VerticalFlip   bool // in half of the images
	// none, 90 degrees clockwise, 90 counter-clockwise or upside down, with equal probability
	Turns      bool
	Rotation   float64 // degrees, to either side
	ShearX     float64 // degrees, to either side: rows slide sideways
	ShearY     float64 // degrees, to either side: columns slide up and down
	Brightness float64 // share, to either side: 0.2 is a factor of 0.8 to 1.2
}

// ThesisStatic returns the operations and ranges of the thesis.
func ThesisStatic() Static {
	return Static{
		HorizontalFlip: true, VerticalFlip: true, Turns: true,
		Rotation: 45, ShearX: 5, ShearY: 5, Brightness: 0.2,
	}
}

// ErrNoOperation marks a Static that would write unchanged copies.
var ErrNoOperation = errors.New("no operation is chosen: the new images would be unchanged copies")

// Validate refuses ranges that could fold the image or move it out of view, and the zero value.
func (s Static) Validate() error {
	for _, v := range []struct {
		name     string
		v, limit float64
	}{
		{"rotation", s.Rotation, 180}, {"horizontal shear", s.ShearX, 45},
		{"vertical shear", s.ShearY, 44}, {"brightness", s.Brightness, 0.9},
	} {
		if !(v.v >= 0 && v.v <= v.limit) {
			return fmt.Errorf("augmentation: %s %g, want 0 to %g", v.name, v.v, v.limit)
		}
	}
	if s == (Static{}) {
		return fmt.Errorf("augmentation: %w", ErrNoOperation)
	}
	return nil
}

// Change is one drawn change of static augmentation, for an image of any size.
type Change struct {
	m          [4]float64 // offset from the centre (x, y) reads (m0*x + m1*y, m2*x + m3*y)
	swap       bool       // width and height change places
	brightness float64
}

// Draw picks a change. Every operation takes its random numbers, on or off. So switching one off
// does not change the others.
func (s Static) Draw(rng *rand.Rand) Change {
	either := func(limit float64) float64 { return limit * (2*rng.Float64() - 1) }
	flipX := rng.Float64() < 0.5 && s.HorizontalFlip
	flipY := rng.Float64() < 0.5 && s.VerticalFlip
	turn := rng.IntN(4)
	angle := either(s.Rotation) * math.Pi / 180
	shearX, shearY := either(s.ShearX)*math.Pi/180, either(s.ShearY)*math.Pi/180
	c := Change{m: [4]float64{1, 0, 0, 1}, brightness: 1 + either(s.Brightness)}

	// The map goes from the new image back to the photograph, so the last operation is the
	// rightmost factor.
	c.then(1, math.Tan(shearX), math.Tan(shearY), 1)
	sin, cos := math.Sincos(angle)
	c.then(cos, -sin, sin, cos)
	if s.Turns {
		quarter := [4][2]float64{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}[turn] // exact cosine and sine
		c.then(quarter[0], -quarter[1], quarter[1], quarter[0])
		c.swap = turn%2 == 1
	}
	sx, sy := 1.0, 1.0
	if flipX {
		sx = -1
	}
	if flipY {
		sy = -1
	}
	c.then(sx, 0, 0, sy)
	return c
}

// then adds an operation after the existing ones.
func (c *Change) then(a, b, d, e float64) {
	m := c.m
	c.m = [4]float64{m[0]*a + m[1]*d, m[0]*b + m[1]*e, m[2]*a + m[3]*d, m[2]*b + m[3]*e}
}

// Apply returns the changed image, in the format of f. f is only read.
func (c Change) Apply(f *frame.Frame) *frame.Frame {
	g := &frame.Frame{Width: f.Width, Height: f.Height, Format: f.Format, Name: f.Name}
	if c.swap {
		g.Width, g.Height = f.Height, f.Width
	}
	ch := f.Format.Channels()
	g.Stride = g.Width * ch
	g.Pix = make([]byte, g.Stride*g.Height)
	// Fixed point as in Transform.Apply. The product of two fractions and a byte needs at most 24
	// bits.
	const one = fixed
	var levels [256]uint8
	for v := range levels {
		levels[v] = uint8(min(math.Round(float64(v)*c.brightness), 255))
	}
	maxX, maxY := (f.Width-1)*one, (f.Height-1)*one
	dx, dy := int(math.Round(c.m[0]*one)), int(math.Round(c.m[2]*one))
	x0 := -float64(g.Width-1) / 2
	for y := range g.Height {
		v := float64(y) - float64(g.Height-1)/2
		px := int(math.Round((c.m[0]*x0 + c.m[1]*v + float64(f.Width-1)/2) * one))
		py := int(math.Round((c.m[2]*x0 + c.m[3]*v + float64(f.Height-1)/2) * one))
		row := g.Pix[y*g.Stride:][:g.Stride]
		for i := 0; i < len(row); i += ch {
			sx, sy := min(max(px, 0), maxX), min(max(py, 0), maxY)
			fx, fy := uint32(sx>>8)&(frac-1), uint32(sy>>8)&(frac-1)
			right, below := ch, f.Stride
			if sx == maxX {
				right = 0
			}
			if sy == maxY {
				below = 0
			}
			at := (sy>>16)*f.Stride + (sx>>16)*ch
			for k := range ch {
				p := at + k
				top := uint32(f.Pix[p])*(frac-fx) + uint32(f.Pix[p+right])*fx
				bottom := uint32(f.Pix[p+below])*(frac-fx) + uint32(f.Pix[p+below+right])*fx
				row[i+k] = levels[(top*(frac-fy)+bottom*fy+frac*frac/2)>>16]
			}
			if f.Format == frame.RGBA {
				row[i+3] = 255 // blended with black already; brightness does not change alpha
			}
			px += dx
			py += dy
		}
	}
	return g
}

// Quality is the JPEG quality of new files: high, so that its artefacts are weaker than the
// camera's.
const Quality = 95

// Variant returns a function that makes copy number k of the photograph called name: a JPEG from a
// JPEG, a PNG from any other format, which may be lossless. The copy depends only on seed, name, k
// and the pixels, and not on the other photographs. It is a dataset.Variant.
func (s Static) Variant(seed uint64) func(f *frame.Frame, name string, k int) (data []byte, ext string, err error) {
	return func(f *frame.Frame, name string, k int) (data []byte, ext string, err error) {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s\x00%d", name, k)
		img := s.Draw(rand.New(rand.NewPCG(seed, h.Sum64()))).Apply(f).Image()
		var b bytes.Buffer
		switch strings.ToLower(filepath.Ext(name)) {
		case ".jpg", ".jpeg", ".jpe", ".jfif":
			ext, err = ".jpg", jpeg.Encode(&b, img, &jpeg.Options{Quality: Quality})
		default:
			ext, err = ".png", png.Encode(&b, img)
		}
		return b.Bytes(), ext, err
	}
}
