package frame_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/frame"
)

// sub is the method of every image in the standard library that returns a view of a part.
type sub interface {
	SubImage(r image.Rectangle) image.Image
}

// everyKind returns one image of every kind, with random pixels, and a part of each that does not
// begin at 0, 0.
func everyKind() map[string]image.Image {
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(pix ...[]uint8) {
		for _, p := range pix {
			for i := range p {
				p[i] = uint8(rng.Uint32())
			}
		}
	}
	r := image.Rect(0, 0, 37, 23)
	all := make(map[string]image.Image)

	nrgba, nrgba64, rgba64 := image.NewNRGBA(r), image.NewNRGBA64(r), image.NewRGBA64(r)
	gray, gray16, cmyk := image.NewGray(r), image.NewGray16(r), image.NewCMYK(r)
	paletted := image.NewPaletted(r, palette.Plan9)
	fill(nrgba.Pix, nrgba64.Pix, gray.Pix, gray16.Pix, cmyk.Pix, paletted.Pix)
	rgba := image.NewRGBA(r)
	for y := range r.Dy() {
		for x := range r.Dx() {
			// In premultiplied formats no colour is above its alpha.
			rgba.Set(x, y, nrgba.At(x, y))
			rgba64.Set(x, y, nrgba64.At(x, y))
		}
	}
	for name, img := range map[string]image.Image{"NRGBA": nrgba, "NRGBA64": nrgba64, "RGBA": rgba, "RGBA64": rgba64,
		"Gray": gray, "Gray16": gray16, "CMYK": cmyk, "Paletted": paletted} {
		all[name] = img
	}
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422,
		image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410} {
		plain, alpha := image.NewYCbCr(r, ratio), image.NewNYCbCrA(r, ratio)
		fill(plain.Y, plain.Cb, plain.Cr, alpha.Y, alpha.Cb, alpha.Cr, alpha.A)
		all[ratio.String()], all[ratio.String()+" with alpha"] = plain, alpha
	}
	for name, img := range all {
		all["part of "+name] = img.(sub).SubImage(image.Rect(5, 3, 30, 20))
	}
	return all
}

// For every kind of image, the fast loops equal a walk over img.At, which defines FromImage.
func TestFromImageEqualsAt(t *testing.T) {
	for name, img := range everyKind() {
		t.Run(name, func(t *testing.T) {
			f := frame.FromImage(img)
			if err := f.Validate(); err != nil {
				t.Fatal(err)
			}
			got, b := f.Image(), img.Bounds()
			for y := range b.Dy() {
				for x := range b.Dx() {
					r, g, bl, a := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
					want := color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8), uint8(a >> 8)}
					if c := color.RGBAModel.Convert(got.At(x, y)); c != want {
						t.Fatalf("pixel %d, %d is %v, want %v", x, y, c, want)
					}
				}
			}
		})
	}
}

// For every kind of image, GrayFromImage equals FromImage followed by Gray.
func TestGrayFromImage(t *testing.T) {
	for name, img := range everyKind() {
		t.Run(name, func(t *testing.T) {
			f := frame.GrayFromImage(img)
			if err := f.Validate(); err != nil || f.Format != frame.Gray {
				t.Fatalf("%v, format %s", err, f.Format)
			}
			colours := frame.FromImage(img)
			if !bytes.Equal(f.Gray(nil, f.Bounds()), colours.Gray(nil, colours.Bounds())) {
				t.Error("the pixels differ")
			}
		})
	}
}

// An image with transparency is drawn over black.
func TestFromImageTransparent(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	img.SetNRGBA(0, 0, color.NRGBA{R: 255, G: 128, B: 64, A: 0})
	f := frame.FromImage(img)
	if want := []byte{0, 0, 0, 0}; !bytes.Equal(f.Pix, want) {
		t.Errorf("pixel %v, want %v", f.Pix, want)
	}
}

func BenchmarkFromImage(b *testing.B) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio444} {
		img := image.NewYCbCr(image.Rect(0, 0, 1280, 1280), ratio)
		b.Run(fmt.Sprint(ratio), func(b *testing.B) {
			for b.Loop() {
				frame.FromImage(img)
			}
		})
		b.Run(fmt.Sprint(ratio, " grey"), func(b *testing.B) {
			for b.Loop() {
				frame.GrayFromImage(img)
			}
		})
	}
}
