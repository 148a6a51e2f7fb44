package imagefile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"tirewatch/vision/imagefile"
)

// exif builds a TIFF structure whose directory has another tag before the orientation.
func exif(order binary.AppendByteOrder, o int) []byte {
	b := []byte("II*\x00")
	if order.String() == binary.BigEndian.String() {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	b = order.AppendUint16(b, 0x010f) // maker, ASCII
	b = order.AppendUint16(b, 2)
	b = order.AppendUint32(b, 4)
	b = append(b, "Cam\x00"...)
	b = order.AppendUint16(b, 0x0112)
	b = order.AppendUint16(b, 3)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint16(b, uint16(o))
	b = append(b, 0, 0)
	return order.AppendUint32(b, 0)
}

// withSegment inserts an APP1 segment after the SOI marker of a JPEG file.
func withSegment(jpeg, body []byte) []byte {
	out := append([]byte{}, jpeg[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(body)))
	out = append(out, body...)
	return append(out, jpeg[2:]...)
}

func withOrientation(jpeg []byte, order binary.AppendByteOrder, o int) []byte {
	return withSegment(jpeg, append([]byte("Exif\x00\x00"), exif(order, o)...))
}

// The quarters of the stored image are 1 2 / 3 4. The table says where each must appear. EXIF 2.3,
// tag 0x0112, names for each value the side of the scene of the stored first row and first column.
func TestOrientation(t *testing.T) {
	photo := encodeJPEG(t, quarters())
	grey := [5]int{0, 20, 90, 160, 230}
	for _, c := range []struct {
		o    int
		seen [4]int
	}{
		{1, [4]int{1, 2, 3, 4}},
		{2, [4]int{2, 1, 4, 3}},
		{3, [4]int{4, 3, 2, 1}},
		{4, [4]int{3, 4, 1, 2}},
		{5, [4]int{1, 3, 2, 4}},
		{6, [4]int{3, 1, 4, 2}},
		{7, [4]int{4, 2, 3, 1}},
		{8, [4]int{2, 4, 1, 3}},
		{0, [4]int{1, 2, 3, 4}}, // invalid value
		{9, [4]int{1, 2, 3, 4}},
	} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			t.Run(fmt.Sprint(c.o, order), func(t *testing.T) {
				f, err := imagefile.Decode(bytes.NewReader(withOrientation(photo, order, c.o)), "tire")
				if err != nil {
					t.Fatal(err)
				}
				w, h := 32, 16
				if c.o >= 5 && c.o <= 8 {
					w, h = h, w
				}
				if f.Width != w || f.Height != h {
					t.Errorf("%d x %d, want %d x %d", f.Width, f.Height, w, h)
				}
				var want [4]int
				for i, q := range c.seen {
					want[i] = grey[q]
				}
				checkCorners(t, f, want, 1)
			})
		}
	}
}

// With damaged metadata the image stays as it is stored.
func TestDamagedExif(t *testing.T) {
	photo := encodeJPEG(t, quarters())
	good := exif(binary.LittleEndian, 3)
	change := func(at int, b ...byte) []byte {
		e := bytes.Clone(good)
		copy(e[at:], b)
		return e
	}
	for name, e := range map[string][]byte{
		"nothing":                         nil,
		"cut in the header":               good[:6],
		"cut in the directory":            good[:30],
		"unknown byte order":              change(0, 'X', 'X'),
		"directory outside":               change(4, 0xff, 0xff, 0xff, 0xff),
		"directory on the last byte":      change(4, byte(len(good)-1)),
		"more entries than there are":     change(8, 0xff, 0xff)[:22],
		"orientation of the wrong type":   change(24, 4),
		"orientation of an unknown value": change(30, 77),
	} {
		f, err := imagefile.Decode(bytes.NewReader(withSegment(photo, append([]byte("Exif\x00\x00"), e...))), "tire")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if corners(f)[0] > 40 {
			t.Errorf("%s: the image was turned", name)
		}
	}
}

// For any bytes, Decode returns a valid frame or one of its errors.
func FuzzDecode(f *testing.F) {
	photo := encodeJPEG(f, quarters())
	f.Add(photo)
	f.Add(photo[:200])
	f.Add(encodePNG(f, quarters()))
	f.Add(webpFile())
	for o := range 9 {
		f.Add(withOrientation(photo, binary.BigEndian, o))
	}
	f.Add([]byte("II*\x00\x08\x00\x00\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := imagefile.Decode(bytes.NewReader(data), "fuzz")
		if err != nil {
			for _, kind := range []error{
				imagefile.ErrEmpty, imagefile.ErrNotImage, imagefile.ErrTooLarge, imagefile.ErrUnreadable,
			} {
				if errors.Is(err, kind) {
					return
				}
			}
			t.Fatalf("error of an unknown kind: %v", err)
		}
		if err := got.Validate(); err != nil {
			t.Error(err)
		}
	})
}
