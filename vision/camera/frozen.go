package camera

import (
	"fmt"
	"hash/crc32"
	"time"

	"tirewatch/vision/frame"
)

// DefaultFrozenAfter is how long a live camera may show the same picture, to the bit. A sensor has
// noise, and a compressed stream starts anew every few seconds, so a picture without any change for
// a minute comes from a driver that repeats its last buffer.
const DefaultFrozenAfter = time.Minute

// frozen notices a camera that gives frames, but always the same one.
type frozen struct {
	after time.Duration
	sum   uint32    // of the latest picture
	since time.Time // of the first frame of this picture, by the clock that never jumps
	known bool
}

// look compares a frame with those before it. The error is ErrFrozen.
func (z *frozen) look(f *frame.Frame, now time.Time) error {
	sum := glance(f)
	if !z.known || sum != z.sum {
		z.sum, z.since, z.known = sum, now, true
		return nil
	}
	if still := now.Sub(z.since); still >= z.after {
		z.known = false
		return fmt.Errorf("%w for %v", ErrFrozen, still.Round(time.Second))
	}
	return nil
}

// glanceRows is the distance of the rows that count: a sixteenth of the picture has noise enough,
// and costs next to nothing.
const glanceRows = 16

var glanceTable = crc32.MakeTable(crc32.Castagnoli)

// glance sums up some rows of a picture.
func glance(f *frame.Frame) (sum uint32) {
	n := f.Width * f.Format.Channels()
	for y := 0; y < f.Height; y += glanceRows {
		sum = crc32.Update(sum, glanceTable, f.Pix[y*f.Stride:][:n])
	}
	return sum
}
