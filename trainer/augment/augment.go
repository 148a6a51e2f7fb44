// Package augment changes training images at random, so that the network learns what a crack looks
// like and not the position of the camera.
//
//	images -> split -> AUGMENT -> train -> checkpoint
//
// Dynamic augmentation ([Ranges]) is part of training: each image gets new changes in each epoch,
// and no file is written. Static augmentation ([Static]) writes changed copies once, for other
// tools. Start with [Thesis], the ranges of the thesis, then [Ranges.Draw] and [Transform.Apply].
//
// # Order and ranges of dynamic augmentation
//
// The meaning is that of Keras' ImageDataGenerator, which the thesis used. Each image gets one
// random draw of each:
//
//	       range of the thesis      meaning
//	1      rotation     +-360 deg   about the centre; Quarter: +-10 and 0 to 3 quarter turns
//	2      height shift +-0.05      of the height
//	3      width shift  +-0.05      of the width
//	4      shear        +-0.05 deg  Keras counts degrees, so this is almost nothing
//	5      zoom         0.95..1.05  each axis separately
//	6      flip         half of the images mirrored left-right, half top-bottom
//	7      brightness   0.75..1.25  factor; results above white become white
//
// Rows 1 to 5 are one affine map (rotation * shift * shear * zoom on row and column, from the new
// image to the old one), sampled once, bilinearly. A point outside takes the nearest pixel of the
// border (fill mode "nearest"). Brightness is a factor on the grey value here. Keras applies it
// through PIL to the 8-bit image, which differs by rounding. The last step is the scale of 1/255.
package augment

import (
	"fmt"
	"math"
	"math/rand/v2"

	"tirewatch/vision/isa"
)

//go:generate go tool msgp -io=false -tests=false

// Ranges bound the random changes. The zero value changes nothing.
type Ranges struct {
	Rotation float64 `msg:"rotation" json:"rotation"` // degrees, to either side
	// share of the width, to either side
	WidthShift float64 `msg:"width_shift" json:"width_shift"`
	// share of the height, to either side
	HeightShift float64 `msg:"height_shift" json:"height_shift"`
	// degrees, to either side, as Keras counts it
	Shear float64 `msg:"shear" json:"shear"`
	// factor 1-Zoom to 1+Zoom, each axis separately
	Zoom           float64 `msg:"zoom" json:"zoom"`
	HorizontalFlip bool    `msg:"horizontal_flip" json:"horizontal_flip"` // in half of the images
	VerticalFlip   bool    `msg:"vertical_flip" json:"vertical_flip"`     // in half of the images
	// factor; 0 with BrightnessHigh 0: unchanged
	BrightnessLow  float64 `msg:"brightness_low" json:"brightness_low"`
	BrightnessHigh float64 `msg:"brightness_high" json:"brightness_high"`
	// 0 to 3 quarter turns before the rotation
	QuarterTurns bool `msg:"quarter_turns,omitempty" json:"quarter_turns,omitempty"`
}

// Thesis returns the ranges of the thesis.
func Thesis() Ranges {
	return Ranges{
		Rotation: 360, WidthShift: 0.05, HeightShift: 0.05, Shear: 0.05, Zoom: 0.05,
		HorizontalFlip: true, VerticalFlip: true, BrightnessLow: 0.75, BrightnessHigh: 1.25,
	}
}

// Quarter returns the ranges of the thesis with quarter turns, and rotation by up to 10 degrees
// instead of 360. The thesis turns most images so far that their corners come from outside and
// repeat the border in lines. These look like cracks to a network with few photographs to learn
// from, and no photograph has them.
func Quarter() Ranges {
	r := Thesis()
	r.Rotation, r.QuarterTurns = 10, true
	return r
}

// Validate refuses ranges that could fold the image or move it out of view.
func (r Ranges) Validate() error {
	for _, v := range []struct {
		name     string
		v, limit float64
	}{
		{"rotation", r.Rotation, 360}, {"width shift", r.WidthShift, 1}, {"height shift", r.HeightShift, 1},
		{"shear", r.Shear, 45}, {"zoom", r.Zoom, 0.9},
	} {
		if !(v.v >= 0 && v.v <= v.limit) {
			return fmt.Errorf("augmentation: %s %g, want 0 to %g", v.name, v.v, v.limit)
		}
	}
	if !(r.BrightnessLow >= 0 && r.BrightnessLow <= r.BrightnessHigh && r.BrightnessHigh <= 10) {
		return fmt.Errorf("augmentation: brightness %g to %g, want 0 to 10, and low not above high",
			r.BrightnessLow, r.BrightnessHigh)
	}
	return nil
}

// Transform is one drawn change for an image of w x h px.
type Transform struct {
	w, h       int
	a          [6]float64 // output (x, y) reads input (a0*x + a1*y + a2, a3*x + a4*y + a5)
	brightness float64
}

// Draw picks a change for an image of w x h px.
func (r Ranges) Draw(rng *rand.Rand, w, h int) Transform {
	uniform := func(lo, hi float64) float64 { return lo + (hi-lo)*rng.Float64() }
	theta := uniform(-r.Rotation, r.Rotation) * math.Pi / 180
	ty := uniform(-r.HeightShift, r.HeightShift) * float64(h)
	tx := uniform(-r.WidthShift, r.WidthShift) * float64(w)
	shear := uniform(-r.Shear, r.Shear) * math.Pi / 180
	zy, zx := uniform(1-r.Zoom, 1+r.Zoom), uniform(1-r.Zoom, 1+r.Zoom)
	flipX := rng.Float64() < 0.5 && r.HorizontalFlip
	flipY := rng.Float64() < 0.5 && r.VerticalFlip
	t := Transform{w: w, h: h, brightness: 1}
	if r.BrightnessHigh > 0 {
		t.brightness = uniform(r.BrightnessLow, r.BrightnessHigh)
	}
	if r.QuarterTurns { // drawn last, so that the ranges of the thesis draw as they always did
		theta += float64(rng.IntN(4)) * math.Pi / 2
	}

	// Keras works on (row, column): rotation * shift * shear * zoom, each mapping output to input
	// about the centre.
	sin, cos := math.Sincos(theta)
	rr, rc := cos, -sin // rotation
	cr, cc := sin, cos
	r0, c0 := rr*ty+rc*tx, cr*ty+cc*tx // shift
	ss, sc := -math.Sin(shear), math.Cos(shear)
	rr, rc = rr*zy, (rr*ss+rc*sc)*zx // shear and zoom
	cr, cc = cr*zy, (cr*ss+cc*sc)*zx
	my, mx := float64(h-1)/2, float64(w-1)/2
	t.a = [6]float64{cc, cr, mx + c0 - cc*mx - cr*my, rc, rr, my + r0 - rc*mx - rr*my}
	if flipX { // flips follow the map: output x reads what w-1-x would read
		t.a[2] += t.a[0] * float64(w-1)
		t.a[5] += t.a[3] * float64(w-1)
		t.a[0], t.a[3] = -t.a[0], -t.a[3]
	}
	if flipY {
		t.a[2] += t.a[1] * float64(h-1)
		t.a[5] += t.a[4] * float64(h-1)
		t.a[1], t.a[4] = -t.a[1], -t.a[4]
	}
	return t
}

// Identity changes no pixel: Apply then only scales the values to 0..1.
func Identity(w, h int) Transform {
	return Transform{w: w, h: h, a: [6]float64{1, 0, 0, 0, 1, 0}, brightness: 1}
}

// set is the instruction set in use; tests go through all of them.
var set = isa.Chosen()

// Coordinates are fixed-point numbers with 16 fraction bits, of which interpolation uses the upper
// 8.
const (
	fixed = 1 << 16
	frac  = 1 << 8
)

// Apply writes the top left outW x outH px of the changed image into dst, values 0 to 1. pix is the
// image, w x h bytes. The network reads only its live region, so the rest is not computed.
func (t Transform) Apply(dst []float32, outW, outH int, pix []byte) {
	if len(dst) != outW*outH || len(pix) != t.w*t.h || outW > t.w || outH > t.h {
		panic("internal error: augment: image and transform disagree")
	}
	scale := float32(t.brightness / (255 * frac * frac))
	dx, dy := int(math.Round(t.a[0]*fixed)), int(math.Round(t.a[3]*fixed))
	if t.fast(dst, outW, outH, pix, dx, dy, scale) {
		return
	}
	maxX, maxY := (t.w-1)*fixed, (t.h-1)*fixed
	for y := range outH {
		px, py := t.rowStart(y)
		row := dst[y*outW:][:outW]
		// Where the row runs inside the image, no point needs clamping. Most of the time is spent
		// there.
		x0, x1 := inside(px, dx, maxX, 0, outW)
		x0, x1 = inside(py, dy, maxY, x0, x1)
		t.border(row[:x0], pix, px, py, dx, dy, scale)
		t.middle(row[x0:x1], pix, px+x0*dx, py+x0*dy, dx, dy, scale)
		t.border(row[x1:], pix, px+x1*dx, py+x1*dy, dx, dy, scale)
	}
}

// rowStart returns the point where a row of the output starts.
func (t Transform) rowStart(y int) (px, py int) {
	return int(math.Round((t.a[1]*float64(y) + t.a[2]) * fixed)), int(math.Round((t.a[4]*float64(y) + t.a[5]) * fixed))
}

// inside narrows from..to to the x for which 0 <= p+x*d < limit. It is one interval, because the
// map is linear; it may be empty.
func inside(p, d, limit, from, to int) (x0, x1 int) {
	if d < 0 { // count from the other end: 0 <= q+x*(-d) < limit for q = limit-1-p
		p, d = limit-1-p, -d
	}
	switch {
	case p >= limit || d == 0 && p < 0:
		return from, from
	case d == 0:
		return from, to
	}
	if p < 0 {
		from = min(max(from, (-p+d-1)/d), to)
	}
	return from, max(min(to, (limit-p+d-1)/d), from)
}

// middle samples points whose four neighbours are all in the image.
func (t Transform) middle(row []float32, pix []byte, px, py, dx, dy int, scale float32) {
	w := t.w
	for x := range row {
		fx, fy := uint32(px>>8)&(frac-1), uint32(py>>8)&(frac-1)
		i := (py>>16)*w + (px >> 16)
		above, below := pix[i:i+2:i+2], pix[i+w:i+w+2:i+w+2]
		// Both rows at once, in the halves of a word: each half holds at most 255*256.
		left, right := uint64(above[0])|uint64(below[0])<<32, uint64(above[1])|uint64(below[1])<<32
		both := left*uint64(frac-fx) + right*uint64(fx)
		v := float32(int64(uint32(both)*(frac-fy)+uint32(both>>32)*fy)) * scale
		if v > 1 {
			v = 1
		}
		row[x] = v
		px += dx
		py += dy
	}
}

// border samples any points. Fill mode "nearest": a point outside reads the nearest pixel of the
// border.
func (t Transform) border(row []float32, pix []byte, px, py, dx, dy int, scale float32) {
	maxX, maxY := (t.w-1)*fixed, (t.h-1)*fixed
	for x := range row {
		sx, sy := min(max(px, 0), maxX), min(max(py, 0), maxY)
		ix, iy := sx>>16, sy>>16
		fx, fy := uint32(sx>>8)&(frac-1), uint32(sy>>8)&(frac-1)
		right, below := 1, t.w
		if ix == t.w-1 {
			right = 0
		}
		if iy == t.h-1 {
			below = 0
		}
		i := iy*t.w + ix
		top := uint32(pix[i])*(frac-fx) + uint32(pix[i+right])*fx
		bottom := uint32(pix[i+below])*(frac-fx) + uint32(pix[i+below+right])*fx
		row[x] = min(float32(top*(frac-fy)+bottom*fy)*scale, 1)
		px += dx
		py += dy
	}
}
