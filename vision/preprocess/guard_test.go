//go:build linux

package preprocess

import (
	"image"
	"testing"

	"tirewatch/vision/frame"
	"tirewatch/vision/isa/isatest"
)

// No implementation reads outside the frame's bytes, whose last row has no padding, or writes
// outside the destination. A fault would end the test program.
func TestApplyStaysInside(t *testing.T) {
	sizes := []image.Point{{1, 1}, {5, 40}, {64, 3}, {65, 65}, {379, 20}, {900, 30}}
	isatest.EachSet(t, &set, func(t *testing.T) {
		for _, format := range []frame.Format{frame.Gray, frame.BGR, frame.RGBA} {
			for _, from := range sizes {
				for _, to := range sizes {
					for _, atEnd := range []bool{false, true} {
						row := from.X * format.Channels()
						f := &frame.Frame{Width: from.X, Height: from.Y, Stride: row + 7, Format: format}
						f.Pix = isatest.Guarded(t, (from.Y-1)*f.Stride+row, atEnd)
						s := Spec{Width: to.X, Height: to.Y, Filter: FilterTriangle}
						if err := s.Apply(isatest.Guarded(t, s.Size(), atEnd), f, f.Bounds()); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
	})
}

// The implementations stay within the documented limits: rowSlack bytes after the grey row, and
// whole blocks of columns.
func TestBodiesStayInside(t *testing.T) {
	isatest.EachSet(t, &set, func(t *testing.T) {
		for _, a := range axes() {
			tx := makeTaps(a[0], a[1])
			tx.plan = makePlan(tx)
			columns(make([]int16, pad(a[1])), isatest.Guarded(t, a[0]+rowSlack, true), tx)
			rows(isatest.Guarded(t, rowBlock, true), make([]int16, rowBlock), make([]int, tx.pitch), tx.w[:tx.pitch])
		}
	})
}
