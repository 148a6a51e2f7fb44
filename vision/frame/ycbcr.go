package frame

import (
	"image"
	"image/color"
)

// GrayFromImage turns any Go image into a grey frame. Its pixels equal those of FromImage followed
// by Frame.Gray, to the byte. For JPEG photographs it skips the colours, which take a quarter of
// the time of reading a file.
func GrayFromImage(img image.Image) *Frame {
	if c, ok := img.(*image.YCbCr); ok {
		if f := grayFromYCbCr(c); f != nil {
			return f
		}
	}
	f := FromImage(img)
	if f.Format == Gray {
		return f
	}
	return &Frame{Pix: f.Gray(nil, f.Bounds()), Width: f.Width, Height: f.Height, Stride: f.Width, Format: Gray}
}

// grayFromYCbCr handles the usual colour layouts of JPEG files: one colour for each pixel, or one
// for two neighbours in a row, in each row or in every second one. It returns nil for others.
func grayFromYCbCr(c *image.YCbCr) *Frame {
	luma := lumaYCC
	switch c.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		luma = lumaYCCHalf
		if c.Rect.Min.X%2 != 0 {
			return nil // a part that begins with the second pixel of a pair
		}
	default:
		return nil
	}
	f := NewGray(c.Rect.Dx(), c.Rect.Dy())
	for y := range f.Height {
		at, colour := c.YOffset(c.Rect.Min.X, c.Rect.Min.Y+y), c.COffset(c.Rect.Min.X, c.Rect.Min.Y+y)
		luma(f.Pix[y*f.Width:][:f.Width], c.Y[at:], c.Cb[colour:], c.Cr[colour:])
	}
	return f
}

// lumaYCCGeneric fills dst from len(dst) pixels: the grey value of the colour that Go's image/color
// computes for each. It and lumaYCCHalfGeneric are the specification for the implementations of
// each instruction set.
func lumaYCCGeneric(dst, y, cb, cr []byte) {
	for x := range dst {
		dst[x] = Luma(color.YCbCrToRGB(y[x], cb[x], cr[x]))
	}
}

// lumaYCCHalfGeneric does the same with one colour for two pixels.
func lumaYCCHalfGeneric(dst, y, cb, cr []byte) {
	for x := range dst {
		dst[x] = Luma(color.YCbCrToRGB(y[x], cb[x/2], cr[x/2]))
	}
}
