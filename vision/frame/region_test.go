package frame_test

import (
	"bytes"
	"image"
	"testing"

	"tirewatch/vision/frame"
)

// A region has the frame's format, its place in the stream, and rows without gaps. Memory of an
// earlier copy is reused, whatever size that had.
func TestCopyRegion(t *testing.T) {
	for _, c := range []struct {
		format frame.Format
		want   []byte // pixels 2 and 3 of rows 1 and 2
	}{
		{frame.Gray, []byte{22, 23, 42, 43}},
		{frame.BGR, []byte{26, 27, 28, 29, 30, 31, 46, 47, 48, 49, 50, 51}},
		{frame.RGBA, []byte{28, 29, 30, 31, 32, 33, 34, 35, 48, 49, 50, 51, 52, 53, 54, 55}},
	} {
		f := &frame.Frame{Width: 4, Height: 4, Stride: 20, Format: c.format, Seq: 9, Name: "a.png"}
		for i := range 4 * f.Stride {
			f.Pix = append(f.Pix, byte(i))
		}
		for _, size := range []int{0, 5, 500} {
			old := make([]byte, size)
			got := &frame.Frame{Pix: old}
			f.CopyRegion(got, image.Rect(2, 1, 4, 3))
			if !bytes.Equal(got.Pix, c.want) || got.Bounds() != image.Rect(0, 0, 2, 2) || got.Stride != 2*c.format.Channels() ||
				got.Format != c.format || got.Seq != 9 || got.Name != "a.png" || got.Validate() != nil {
				t.Errorf("%s: %+v; want %v", c.format, got, c.want)
			}
			if size == 500 && &got.Pix[0] != &old[0] {
				t.Errorf("%s: the memory is not reused", c.format)
			}
		}
	}
}

func BenchmarkCopyRegion(b *testing.B) {
	f := &frame.Frame{Pix: make([]byte, 1920*1080*3), Width: 1920, Height: 1080, Stride: 3 * 1920, Format: frame.BGR}
	var dst frame.Frame
	b.ReportAllocs()
	for b.Loop() {
		f.CopyRegion(&dst, image.Rect(420, 0, 1500, 1080))
	}
}
