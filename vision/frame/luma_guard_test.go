//go:build linux

package frame

import (
	"image"
	"testing"

	"golang.org/x/sys/unix"
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

// No body reads outside the frame's bytes or writes outside the grey ones; a fault would end the test program.
func TestGrayStaysInside(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for _, format := range []Format{Gray, BGR, RGBA} {
			for _, w := range []int{1, 7, 31, 32, 33, 63, 64, 65, 100, 127, 128, 379} {
				for _, atEnd := range []bool{false, true} {
					row := w * format.Channels()
					f := &Frame{Width: w, Height: 3, Stride: row + 5, Format: format, Pix: guarded(t, 2*(row+5)+row, atEnd)}
					f.Gray(guarded(t, 3*w, atEnd), f.Bounds())
					f.Gray(guarded(t, w, atEnd), image.Rect(0, 2, w, 3))
				}
			}
		}
	})
}
