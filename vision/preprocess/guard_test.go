//go:build linux

package preprocess

import (
	"image"
	"testing"

	"golang.org/x/sys/unix"

	"tirewatch/vision/frame"
)

// guarded gives n bytes that end right before a page that nobody may touch, or begin right behind one.
func guarded(t *testing.T, n int, atEnd bool) []byte {
	t.Helper()
	page := unix.Getpagesize()
	size := (n + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(all); err != nil {
			t.Error(err)
		}
	})
	for _, guard := range [][]byte{all[:page], all[page+size:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	if atEnd {
		return all[page+size-n : page+size : page+size]
	}
	return all[page : page+n : page+n]
}

// No body reads outside the frame's bytes, whose last row has no padding, or writes outside the destination; a fault would
// end the test program.
func TestApplyStaysInside(t *testing.T) {
	sizes := []image.Point{{1, 1}, {5, 40}, {64, 3}, {65, 65}, {379, 20}, {900, 30}}
	eachSet(t, func(t *testing.T) {
		for _, format := range []frame.Format{frame.Gray, frame.BGR, frame.RGBA} {
			for _, from := range sizes {
				for _, to := range sizes {
					for _, atEnd := range []bool{false, true} {
						row := from.X * format.Channels()
						f := &frame.Frame{Width: from.X, Height: from.Y, Stride: row + 7, Format: format}
						f.Pix = guarded(t, (from.Y-1)*f.Stride+row, atEnd)
						s := Spec{Width: to.X, Height: to.Y, Filter: FilterTriangle}
						if err := s.Apply(guarded(t, s.Size(), atEnd), f, f.Bounds()); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
	})
}

// The bodies themselves keep to what they are promised: rowSlack bytes behind the grey row, whole blocks of columns.
func TestBodiesStayInside(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for _, a := range axes() {
			tx := makeTaps(a[0], a[1])
			tx.plan = makePlan(tx)
			columns(make([]int16, pad(a[1])), guarded(t, a[0]+rowSlack, true), tx)
			rows(guarded(t, rowBlock, true), make([]int16, rowBlock), make([]int, tx.pitch), tx.w[:tx.pitch])
		}
	})
}
