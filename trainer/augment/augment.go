// Package augment changes training images at random, afresh in every epoch, so that the network learns what a crack is and
// not where the camera stood.
//
// The semantics are those of Keras' ImageDataGenerator, which the thesis used: per image one random rotation, shift, shear and
// zoom about the centre as a single affine map with bilinear sampling, fill mode "nearest", then flips, then brightness. Newcomers
// need Thesis, the ranges of the thesis, and Ranges.Draw with Transform.Apply.
package augment

import (
	"fmt"
	"math"
	"math/rand/v2"
)

//go:generate go tool msgp -io=false -tests=false

// Ranges bound the random changes. The zero value changes nothing.
type Ranges struct {
	Rotation       float64 `msg:"rotation" json:"rotation"`               // degrees, to either side
	WidthShift     float64 `msg:"width_shift" json:"width_shift"`         // share of the width, to either side
	HeightShift    float64 `msg:"height_shift" json:"height_shift"`       // share of the height, to either side
	Shear          float64 `msg:"shear" json:"shear"`                     // degrees, to either side, as Keras counts it
	Zoom           float64 `msg:"zoom" json:"zoom"`                       // factor 1-Zoom to 1+Zoom, each axis on its own
	HorizontalFlip bool    `msg:"horizontal_flip" json:"horizontal_flip"` // in half of the images
	VerticalFlip   bool    `msg:"vertical_flip" json:"vertical_flip"`     // in half of the images
	BrightnessLow  float64 `msg:"brightness_low" json:"brightness_low"`   // factor; 0 with BrightnessHigh 0: unchanged
	BrightnessHigh float64 `msg:"brightness_high" json:"brightness_high"`
}

// Thesis gives the ranges of the thesis.
func Thesis() Ranges {
	return Ranges{
		Rotation: 360, WidthShift: 0.05, HeightShift: 0.05, Shear: 0.05, Zoom: 0.05,
		HorizontalFlip: true, VerticalFlip: true, BrightnessLow: 0.75, BrightnessHigh: 1.25,
	}
}

// Validate refuses ranges that would fold or lose the image.
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
		return fmt.Errorf("augmentation: brightness %g to %g, want 0 to 10 and low before high", r.BrightnessLow, r.BrightnessHigh)
	}
	return nil
}

// Transform is one drawn change of an image of w x h px.
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

	// Keras works on (row, column): rotation * shift * shear * zoom, each mapping output to input about the centre.
	sin, cos := math.Sincos(theta)
	rr, rc := cos, -sin // rotation
	cr, cc := sin, cos
	r0, c0 := rr*ty+rc*tx, cr*ty+cc*tx // shift
	ss, sc := -math.Sin(shear), math.Cos(shear)
	rr, rc = rr*zy, (rr*ss+rc*sc)*zx // shear and zoom
	cr, cc = cr*zy, (cr*ss+cc*sc)*zx
	my, mx := float64(h-1)/2, float64(w-1)/2
	t.a = [6]float64{cc, cr, mx + c0 - cc*mx - cr*my, rc, rr, my + r0 - rc*mx - rr*my}
	if flipX { // flips come after the map: output x reads what w-1-x would
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

// Identity changes nothing but the form: Apply then only scales the pixels to 0..1.
func Identity(w, h int) Transform {
	return Transform{w: w, h: h, a: [6]float64{1, 0, 0, 0, 1, 0}, brightness: 1}
}

// Coordinates are fixed-point with 16 bits behind the point, of which interpolation uses the upper 8.
const (
	fixed = 1 << 16
	frac  = 1 << 8
)

// Apply writes the top left outW x outH px of the changed image into dst, values 0 to 1. pix is the image, w x h bytes. The network
// reads only its live region, so nothing more needs to be made.
func (t Transform) Apply(dst []float32, outW, outH int, pix []byte) {
	if len(dst) != outW*outH || len(pix) != t.w*t.h || outW > t.w || outH > t.h {
		panic("internal error: augment: image and transform disagree")
	}
	scale := float32(t.brightness / (255 * frac * frac))
	dx, dy := int(math.Round(t.a[0]*fixed)), int(math.Round(t.a[3]*fixed))
	maxX, maxY := (t.w-1)*fixed, (t.h-1)*fixed
	for y := range outH {
		px := int(math.Round((t.a[1]*float64(y) + t.a[2]) * fixed))
		py := int(math.Round((t.a[4]*float64(y) + t.a[5]) * fixed))
		row := dst[y*outW:][:outW]
		for x := range row {
			// Fill mode "nearest": a point outside reads the nearest pixel of the border.
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
}
