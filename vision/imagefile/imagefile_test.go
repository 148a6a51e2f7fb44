package imagefile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"tirewatch/vision/frame"
	"tirewatch/vision/imagefile"
)

// quarters returns an image of 32 x 16 px. The grey values of its quarters are, row by row, 20, 90,
// 160 and 230.
func quarters() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 32, 16))
	for y := range 16 {
		for x := range 32 {
			img.SetGray(x, y, color.Gray{Y: uint8(20 + 70*(x/16+2*(y/8)))})
		}
	}
	return img
}

// redraw draws quarters on another kind of image.
func redraw(dst draw.Image) image.Image {
	draw.Draw(dst, dst.Bounds(), quarters(), image.Point{}, draw.Src)
	return dst
}

func encode(t testing.TB, write func(b *bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	return encode(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 100}) })
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	return encode(t, func(b *bytes.Buffer) error { return png.Encode(b, img) })
}

// corners returns the grey values in the middle of the frame's quarters, row by row.
func corners(f *frame.Frame) [4]int {
	g := f.Gray(nil, f.Bounds())
	at := func(x, y int) int { return int(g[y*f.Height/4*f.Width+x*f.Width/4]) }
	return [4]int{at(1, 1), at(3, 1), at(1, 3), at(3, 3)}
}

func checkCorners(t *testing.T, f *frame.Frame, want [4]int, tolerance int) {
	t.Helper()
	for i, v := range corners(f) {
		if d := v - want[i]; d > tolerance || d < -tolerance {
			t.Errorf("quarters are %v, want %v", corners(f), want)
			return
		}
	}
}

// webpFile is an image of one grey value in lossless WebP, built by hand from the specification: a
// header of 5 bytes and five prefix codes with one symbol each.
func webpFile() []byte {
	var bits uint64
	n := 0
	put := func(v uint64, width int) { bits |= v << n; n += width }
	put(0, 1)                                                // no transform
	put(0, 1)                                                // no colour cache
	put(0, 1)                                                // no meta prefix codes
	for _, symbol := range []uint64{120, 120, 120, 255, 0} { // green, red, blue, alpha, distance
		put(1, 1) // simple code
		put(0, 1) // one symbol
		put(1, 1) // of 8 bits
		put(symbol, 8)
	}
	body := binary.LittleEndian.AppendUint32([]byte{0x2f}, (32-1)|(16-1)<<14)
	for i := 0; i < n; i += 8 {
		body = append(body, byte(bits>>i))
	}
	if len(body)%2 == 1 {
		body = append(body, 0)
	}
	out := []byte("RIFF")
	out = binary.LittleEndian.AppendUint32(out, uint32(12+len(body)))
	out = append(out, "WEBPVP8L"...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(body)))
	return append(out, body...)
}

func TestFormats(t *testing.T) {
	r := quarters().Bounds()
	want := [4]int{20, 90, 160, 230}
	for _, c := range []struct {
		name      string
		data      []byte
		tolerance int
	}{
		{"grey JPEG", encodeJPEG(t, quarters()), 1},
		{"colour JPEG", encodeJPEG(t, redraw(image.NewRGBA(r))), 2},
		{"PNG", encodePNG(t, quarters()), 0},
		{"PNG with alpha", encodePNG(t, redraw(image.NewNRGBA(r))), 0},
		{"16-bit grey PNG", encodePNG(t, redraw(image.NewGray16(r))), 0},
		{"16-bit colour PNG", encodePNG(t, redraw(image.NewRGBA64(r))), 0},
		{"palette PNG", encodePNG(t, redraw(image.NewPaletted(r, palette.Plan9))), 15},
		{"GIF", encode(t, func(b *bytes.Buffer) error { return gif.Encode(b, quarters(), nil) }), 15},
		{"BMP", encode(t, func(b *bytes.Buffer) error { return bmp.Encode(b, quarters()) }), 0},
		{"TIFF", encode(t, func(b *bytes.Buffer) error { return tiff.Encode(b, quarters(), nil) }), 0},
		{"16-bit TIFF", encode(t, func(b *bytes.Buffer) error {
			return tiff.Encode(b, redraw(image.NewGray16(r)), &tiff.Options{Compression: tiff.Deflate})
		}), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := imagefile.Decode(bytes.NewReader(c.data), "tire")
			if err != nil {
				t.Fatal(err)
			}
			if f.Width != 32 || f.Height != 16 || f.Name != "tire" {
				t.Errorf("%d x %d %q", f.Width, f.Height, f.Name)
			}
			checkCorners(t, f, want, c.tolerance)
		})
	}
	t.Run("WebP", func(t *testing.T) {
		f, err := imagefile.Decode(bytes.NewReader(webpFile()), "tire.webp")
		if err != nil {
			t.Fatal(err)
		}
		checkCorners(t, f, [4]int{120, 120, 120, 120}, 0)
	})
	t.Run("one pixel", func(t *testing.T) {
		f, err := imagefile.Decode(bytes.NewReader(encodePNG(t, image.NewGray(image.Rect(0, 0, 1, 1)))), "dot")
		if err != nil || f.Validate() != nil || f.Width != 1 {
			t.Errorf("%+v, %v", f, err)
		}
	})
}

// ReadGray returns the same pixels as Read followed by Frame.Gray, for turned images too.
func TestDecodeGray(t *testing.T) {
	photo := encodeJPEG(t, quarters())
	for name, data := range map[string][]byte{
		"JPEG": photo, "JPEG, turned": withOrientation(photo, binary.BigEndian, 6),
		"PNG": encodePNG(t, quarters()), "WebP": webpFile(),
	} {
		colours, err := imagefile.Decode(bytes.NewReader(data), name)
		if err != nil {
			t.Fatal(err)
		}
		grey, err := imagefile.DecodeGray(bytes.NewReader(data), name)
		if err != nil {
			t.Fatal(err)
		}
		if grey.Format != frame.Gray || grey.Name != name || !bytes.Equal(grey.Pix, colours.Gray(nil, colours.Bounds())) {
			t.Errorf("%s: %s frame %q of %d x %d differs", name, grey.Format, grey.Name, grey.Width, grey.Height)
		}
	}
	if _, err := imagefile.DecodeGray(bytes.NewReader(photo[:200]), "torn"); !errors.Is(err, imagefile.ErrUnreadable) {
		t.Errorf("torn file: error %v, want ErrUnreadable", err)
	}
}

// An animation is read as its first image, even if that covers only a part of the screen.
func TestAnimatedGIF(t *testing.T) {
	first := redraw(image.NewPaletted(image.Rect(0, 0, 32, 16), palette.Plan9)).(*image.Paletted)
	second := image.NewPaletted(first.Rect, palette.Plan9)
	data := encode(t, func(b *bytes.Buffer) error {
		return gif.EncodeAll(b, &gif.GIF{Image: []*image.Paletted{first, second}, Delay: []int{1, 1},
			Config: image.Config{Width: 40, Height: 30, ColorModel: color.Palette(palette.Plan9)}})
	})
	f, err := imagefile.Decode(bytes.NewReader(data), "film.gif")
	if err != nil {
		t.Fatal(err)
	}
	checkCorners(t, f, [4]int{20, 90, 160, 230}, 15)
}

// hugePNG consists of a header only, which claims w x h px.
func hugePNG(t *testing.T, w, h uint32) []byte {
	data := encodePNG(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	binary.BigEndian.PutUint32(data[16:], w)
	binary.BigEndian.PutUint32(data[20:], h)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

func TestRefuses(t *testing.T) {
	photo := encodeJPEG(t, quarters())
	for _, c := range []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"empty", nil, imagefile.ErrEmpty, "copy it again"},
		{"text", []byte("Dear customer, please find attached"), imagefile.ErrNotImage, "known formats are JPEG"},
		{"JPEG without its beginning", photo[9:], imagefile.ErrNotImage, "known formats are JPEG"},
		{"HEIC of an iPhone", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"),
			imagefile.ErrNotImage, "export it as JPEG"},
		{"video", []byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"), imagefile.ErrNotImage, "video"},
		{"JPEG cut in its header", photo[:100], imagefile.ErrUnreadable, "ends too early"},
		{"JPEG cut in its picture", photo[:len(photo)-20], imagefile.ErrUnreadable, "ends too early"},
		{"PNG cut", encodePNG(t, quarters())[:60], imagefile.ErrUnreadable, "not enough pixel data"},
		{"100 megapixels", hugePNG(t, 10_000, 10_000),
			imagefile.ErrTooLarge, "10000 x 10000 px, the limit is 64 megapixels"},
		{"a line without end", hugePNG(t, 1<<31-1, 1), imagefile.ErrTooLarge, "2147483647 x 1 px"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := imagefile.Decode(bytes.NewReader(c.data), "photos/tire 7.jpg")
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			for _, words := range []string{"photos/tire 7.jpg", c.says} {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("error %q does not say %q", err, words)
				}
			}
		})
	}
}

// A panic of a decoder means a damaged file. It does not end the program.
func TestDecoderPanics(t *testing.T) {
	image.RegisterFormat("trap", "TRAP!", func(r io.Reader) (image.Image, error) { panic("index out of range") },
		func(r io.Reader) (image.Config, error) { return image.Config{Width: 1, Height: 1}, nil })
	_, err := imagefile.Decode(strings.NewReader("TRAP!"), "bad.jpg")
	if !errors.Is(err, imagefile.ErrUnreadable) || !strings.Contains(err.Error(), "bad.jpg") {
		t.Errorf("error %v", err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tire.png") // content decides, not the name
	if err := os.WriteFile(path, encodeJPEG(t, quarters()), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := imagefile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "tire.png" || f.Seq != 0 {
		t.Errorf("name %q, seq %d", f.Name, f.Seq)
	}
	if _, err := imagefile.Read(filepath.Join(dir, "missing.jpg")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := imagefile.Read(dir); !errors.Is(err, imagefile.ErrNotImage) {
		t.Errorf("folder: %v", err)
	}
}

func TestIsImageName(t *testing.T) {
	for name, want := range map[string]bool{
		"a.jpg": true, "A.JPG": true, "dir/b.jpeg": true, "c.png": true,
		"d.webp": true, "e.tiff": true, "f.bmp": true, "g.gif": true,
		"a.heic": false, "notes.txt": false, "jpg": false, "": false,
		".hidden.jpg": false, "dir/._a.jpg": false, "a.jpg.part": false,
	} {
		if got := imagefile.IsImageName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	img := image.NewYCbCr(image.Rect(0, 0, 1280, 1280), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = uint8(i*i>>9 ^ i)
	}
	data := encodeJPEG(b, img)
	b.Run("decode alone", func(b *testing.B) {
		for b.Loop() {
			if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, o := range []int{1, 6} {
		turned := withOrientation(data, binary.LittleEndian, o)
		b.Run(fmt.Sprintf("frame of orientation %d", o), func(b *testing.B) {
			for b.Loop() {
				if _, err := imagefile.Decode(bytes.NewReader(turned), "x"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
