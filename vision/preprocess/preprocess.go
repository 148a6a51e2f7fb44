// Package preprocess makes the network's input from a frame: grey, cropped and resampled to the
// network's size.
//
//	camera -> frame -> locate -> PREPROCESS -> int8 forward -> verdict
//
// Trainer, quantizer and agent all call [Spec.Apply], and every checkpoint and bundle contains the
// Spec, so that a station sees exactly what training saw. The arithmetic uses integers only: a PC
// and a Pi compute the same bytes, which OpenCV's resize does not guarantee. Start with [Thesis],
// the specification of the thesis, and [Spec.Apply].
//
// resample.go explains the arithmetic and resample_generic.go is its specification. The assembly
// for AVX2, AVX-512 and NEON equals it byte for byte.
package preprocess

import (
	"errors"
	"fmt"
	"image"

	"tirewatch/vision/frame"
)

//go:generate go tool msgp -io=false -tests=false

// Spec describes how a region of a frame becomes the network's input. The network's first
// activation is the pixel itself: uint8 with zero point 0 and scale 1/255. This is the
// multiplication by 1/255 of the thesis.
type Spec struct {
	Width  int    `msg:"width" json:"width"`   // px
	Height int    `msg:"height" json:"height"` // px
	Filter string `msg:"filter" json:"filter"` // FilterTriangle
}

// FilterTriangle is the separable triangle filter, called BILINEAR in Pillow: bilinear
// interpolation to enlarge, widened to cover every source pixel to shrink. After shrinking, a crack
// one pixel wide is a faint line and does not vanish between samples.
const FilterTriangle = "triangle"

// ErrSpec marks a specification that this program cannot use.
var ErrSpec = errors.New("invalid preprocessing specification")

// MaxSide limits the sides of the network's input, px, so that a hostile bundle cannot use all
// memory.
const MaxSide = 4096

// Thesis returns the preprocessing of the thesis: grey, 379 x 379.
func Thesis() Spec { return Spec{Width: 379, Height: 379, Filter: FilterTriangle} }

// Validate returns an error for a specification that Apply cannot use.
func (s Spec) Validate() error {
	if s.Width < 1 || s.Height < 1 || s.Width > MaxSide || s.Height > MaxSide {
		return fmt.Errorf("%w: size %d x %d px, want sides of 1 to %d px", ErrSpec, s.Width, s.Height, MaxSide)
	}
	if s.Filter != FilterTriangle {
		return fmt.Errorf("%w: unknown filter %q, want %q", ErrSpec, s.Filter, FilterTriangle)
	}
	return nil
}

// Size returns the number of bytes that Apply writes.
func (s Spec) Size() int { return s.Width * s.Height }

// Apply writes the network's input for the region roi of f to dst: Width*Height bytes, row after
// row. The region is stretched to the network's shape, as in the thesis with whole photographs.
func (s Spec) Apply(dst []byte, f *frame.Frame, roi image.Rectangle) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if err := f.Validate(); err != nil {
		return err
	}
	if roi.Empty() || !roi.In(f.Bounds()) {
		return fmt.Errorf("preprocess: region %v is not inside a frame of %d x %d", roi, f.Width, f.Height)
	}
	if len(dst) != s.Size() {
		return fmt.Errorf("preprocess: destination of %d bytes, want %d", len(dst), s.Size())
	}
	resample(dst, s.Width, s.Height, f, roi)
	return nil
}
