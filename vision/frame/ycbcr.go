package frame

import (
	"image"
	"image/color"
)

// GrayFromImage turns any Go image into a grey frame: the pixels of FromImage's frame behind
// Frame.Gray, to the byte. Photographs that come as JPEG skip the colours on the way, which for
// reading alone cost a quarter of the time.
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

// grayFromYCbCr knows how JPEG files usually have their colours: one for each pixel, or for two
// beside each other, in each row or every second one. It gives nil for others.
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

// lumaYCCGeneric fills dst from as many pixels: the grey value of the colour that Go's image/color
// makes of each. It and lumaYCCHalfGeneric are the specification of the bodies for single
// instruction sets.
func lumaYCCGeneric(dst, y, cb, cr []byte) {
	for x := range dst {
		dst[x] = Luma(color.YCbCrToRGB(y[x], cb[x], cr[x]))
	}
}

// lumaYCCHalfGeneric does so with one colour for two pixels.
func lumaYCCHalfGeneric(dst, y, cb, cr []byte) {
	for x := range dst {
		dst[x] = Luma(color.YCbCrToRGB(y[x], cb[x/2], cr[x/2]))
	}
}
