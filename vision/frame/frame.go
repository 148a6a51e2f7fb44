// Package frame holds one frame of a camera or one image of a file. It is the first value in the
// flow:
//
//	camera -> frame -> locate, crop, normalise -> int8 forward -> verdict
//
// No OpenCV type leaves package camera; every later step works on Frame. Start with [FromImage],
// which makes a Frame from any Go image, and [Frame.Gray], which makes the one channel that the
// network sees.
package frame

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"time"
)

// Format is the layout of the bytes of a pixel.
type Format uint8

const (
	Gray Format = iota + 1 // one byte, luma
	BGR                    // three bytes, OpenCV's order
	RGBA                   // four bytes, Go's order; alpha is ignored
)

// Channels returns the bytes per pixel, 0 for an unknown format.
func (f Format) Channels() int {
	switch f {
	case Gray:
		return 1
	case BGR:
		return 3
	case RGBA:
		return 4
	}
	return 0
}

func (f Format) String() string {
	switch f {
	case Gray:
		return "gray"
	case BGR:
		return "bgr"
	case RGBA:
		return "rgba"
	}
	return fmt.Sprintf("format(%d)", uint8(f))
}

// Frame is one image with its place in the stream.
type Frame struct {
	Pix    []byte // Height rows of Stride bytes
	Width  int    // px
	Height int    // px
	Stride int    // bytes from one row to the next
	Format Format

	Seq  uint64    // counts the frames of a source from 1; 0 for a still image
	Time time.Time // when the frame was taken, UTC
	Name string    // file name of a still image, otherwise empty
}

// ErrInvalid marks a frame whose sizes and buffer do not agree.
var ErrInvalid = errors.New("invalid frame")

// Validate checks that Pix is large enough for the sizes, so that later loops need no checks of
// their own.
func (f *Frame) Validate() error {
	row := f.Width * f.Format.Channels()
	switch {
	case f.Format.Channels() == 0:
		return fmt.Errorf("%w: unknown %s", ErrInvalid, f.Format)
	case f.Width <= 0 || f.Height <= 0:
		return fmt.Errorf("%w: size %d x %d", ErrInvalid, f.Width, f.Height)
	case f.Stride < row:
		return fmt.Errorf("%w: stride %d is less than a row of %d bytes", ErrInvalid, f.Stride, row)
	case len(f.Pix) < (f.Height-1)*f.Stride+row:
		return fmt.Errorf("%w: %d bytes are too few for %d x %d %s",
			ErrInvalid, len(f.Pix), f.Width, f.Height, f.Format)
	}
	return nil
}

// Bounds returns the frame's rectangle, px, with its origin at 0, 0.
func (f *Frame) Bounds() image.Rectangle { return image.Rect(0, 0, f.Width, f.Height) }

// NewGray makes a black one-channel frame of width x height px.
func NewGray(width, height int) *Frame {
	return &Frame{Pix: make([]byte, width*height), Width: width, Height: height, Stride: width, Format: Gray}
}

// Gray writes the luma of the rectangle r of the frame into dst and returns dst, enlarged if
// needed: r.Dx() * r.Dy() bytes, row after row. The rectangle must lie inside the frame.
func (f *Frame) Gray(dst []byte, r image.Rectangle) []byte {
	if !r.In(f.Bounds()) {
		panic(fmt.Sprintf("internal error: region %v outside a frame of %d x %d", r, f.Width, f.Height))
	}
	w, h, ch := r.Dx(), r.Dy(), f.Format.Channels()
	if cap(dst) < w*h {
		dst = make([]byte, w*h)
	}
	dst = dst[:w*h]
	for y := range h {
		src := f.Pix[(r.Min.Y+y)*f.Stride+r.Min.X*ch:][: w*ch : w*ch]
		row := dst[y*w:][:w:w]
		switch f.Format {
		case Gray:
			copy(row, src)
		case BGR:
			lumaBGR(row, src)
		case RGBA:
			lumaRGBA(row, src)
		}
	}
	return dst
}

// CopyRegion copies the rectangle r of the frame into dst in the frame's format. It reuses the
// pixels of dst if there is room. The rectangle must lie inside the frame.
func (f *Frame) CopyRegion(dst *Frame, r image.Rectangle) {
	if !r.In(f.Bounds()) {
		panic(fmt.Sprintf("internal error: region %v outside a frame of %d x %d", r, f.Width, f.Height))
	}
	ch := f.Format.Channels()
	row := r.Dx() * ch
	pix := dst.Pix
	if cap(pix) < row*r.Dy() {
		pix = make([]byte, row*r.Dy())
	}
	*dst = Frame{Pix: pix[:row*r.Dy()], Width: r.Dx(), Height: r.Dy(), Stride: row, Format: f.Format,
		Seq: f.Seq, Time: f.Time, Name: f.Name}
	for y := range r.Dy() {
		copy(dst.Pix[y*row:][:row], f.Pix[(r.Min.Y+y)*f.Stride+r.Min.X*ch:])
	}
}

// FromImage turns any Go image into a frame. Grey images stay grey and share their pixels with it.
// Others become RGBA over black, so that a transparent background is dark and not undefined.
func FromImage(img image.Image) *Frame {
	b := img.Bounds()
	if g, ok := img.(*image.Gray); ok {
		return &Frame{Pix: g.Pix, Width: b.Dx(), Height: b.Dy(), Stride: g.Stride, Format: Gray}
	}
	f := &Frame{Pix: make([]byte, b.Dx()*b.Dy()*4), Width: b.Dx(), Height: b.Dy(), Stride: b.Dx() * 4, Format: RGBA}
	// draw has fast loops for the images of the decoders. For every kind of image, the result is
	// the upper 8 bits of img.At.
	draw.Draw(&image.RGBA{Pix: f.Pix, Stride: f.Stride, Rect: f.Bounds()}, f.Bounds(), img, b.Min, draw.Src)
	return f
}

// Image returns the frame as a Go image, for encoders and drawing. A grey or RGBA frame shares its
// pixels with the result.
func (f *Frame) Image() image.Image {
	switch f.Format {
	case Gray:
		return &image.Gray{Pix: f.Pix, Stride: f.Stride, Rect: f.Bounds()}
	case RGBA:
		return &image.RGBA{Pix: f.Pix, Stride: f.Stride, Rect: f.Bounds()}
	}
	img := image.NewRGBA(f.Bounds())
	for y := range f.Height {
		for x := range f.Width {
			p := f.Pix[y*f.Stride+3*x:]
			img.SetRGBA(x, y, color.RGBA{R: p[2], G: p[1], B: p[0], A: 255})
		}
	}
	return img
}
