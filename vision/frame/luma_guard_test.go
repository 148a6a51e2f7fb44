//go:build linux

package frame

import (
	"image"
	"testing"

	"tirewatch/vision/isa/isatest"
)

// No implementation reads outside the frame's bytes or writes outside the grey ones. A fault would
// end the test program.
func TestGrayStaysInside(t *testing.T) {
	isatest.EachSet(t, &set, func(t *testing.T) {
		for _, format := range []Format{Gray, BGR, RGBA} {
			for _, w := range []int{1, 7, 31, 32, 33, 63, 64, 65, 100, 127, 128, 379} {
				for _, atEnd := range []bool{false, true} {
					row := w * format.Channels()
					f := &Frame{Width: w, Height: 3, Stride: row + 5, Format: format,
						Pix: isatest.Guarded(t, 2*(row+5)+row, atEnd)}
					f.Gray(isatest.Guarded(t, 3*w, atEnd), f.Bounds())
					f.Gray(isatest.Guarded(t, w, atEnd), image.Rect(0, 2, w, 3))
				}
			}
		}
	})
}
