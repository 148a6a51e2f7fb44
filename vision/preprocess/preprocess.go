// Package preprocess makes the network's bytes from a frame: grey, cropped, resampled to the
// network's size.
//
//	camera -> frame -> locate -> PREPROCESS -> int8 forward -> verdict
//
// Trainer, quantizer and agent all call Spec.Apply, and the Spec travels inside every checkpoint
// and bundle, so that a station sees exactly what training saw. The arithmetic is integers only: a
// PC and a Pi give the same bytes, which OpenCV's resize does not promise. Newcomers need Thesis,
// the specification of the thesis, and Spec.Apply.
//
// resample.go explains the arithmetic and resample_generic.go is its specification; the assembly
// bodies for AVX2, AVX-512 and NEON equal it byte for byte.
package preprocess

import (
	"errors"
	"fmt"
	"image"

	"tirewatch/vision/frame"
)

//go:generate go tool msgp -io=false -tests=false

// Spec says how a region of a frame becomes the network's input. The network's first activation is
// the pixel itself: uint8 with zero point 0 and scale 1/255, which is the thesis' multiplication by
// 1/255.
type Spec struct {
	Width  int    `msg:"width" json:"width"`   // px
	Height int    `msg:"height" json:"height"` // px
	Filter string `msg:"filter" json:"filter"` // FilterTriangle
}

// FilterTriangle is the separable triangle filter: bilinear interpolation when enlarging, widened
// to cover every source pixel when shrinking (what Pillow calls BILINEAR). Cracks a pixel wide
// survive shrinking as faint lines instead of vanishing between samples.
const FilterTriangle = "triangle"

// ErrSpec marks a specification that this program cannot carry out.
var ErrSpec = errors.New("unusable preprocessing specification")

// MaxSide bounds the network's input, so that a hostile bundle cannot ask for all memory. px
const MaxSide = 4096

// Thesis is the preprocessing of the thesis: grey, 379 x 379.
func Thesis() Spec { return Spec{Width: 379, Height: 379, Filter: FilterTriangle} }

// Validate refuses a specification that Apply could not carry out.
func (s Spec) Validate() error {
	if s.Width < 1 || s.Height < 1 || s.Width > MaxSide || s.Height > MaxSide {
		return fmt.Errorf("%w: size %d x %d, want 1 to %d a side", ErrSpec, s.Width, s.Height, MaxSide)
	}
	if s.Filter != FilterTriangle {
		return fmt.Errorf("%w: filter %q, known is %q", ErrSpec, s.Filter, FilterTriangle)
	}
	return nil
}

// Size is the number of bytes that Apply makes.
func (s Spec) Size() int { return s.Width * s.Height }

// Apply writes the network's bytes for region roi of f into dst, Width*Height bytes row after row.
// The region is stretched to the network's shape, as the thesis does with whole photographs.
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
