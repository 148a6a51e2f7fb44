package camera

import (
	"fmt"
	"hash/crc32"
	"time"

	"tirewatch/vision/frame"
)

// DefaultFrozenAfter is how long a live camera may return the same image, to the bit. A sensor has
// noise, and a compressed stream has a new key frame every few seconds. So an image without any
// change for a minute is a driver that repeats its last buffer.
const DefaultFrozenAfter = time.Minute

// frozen detects a camera that returns frames, but always the same one.
type frozen struct {
	after time.Duration
	sum   uint32    // of the latest image
	since time.Time // when this image was first seen, on the monotonic clock
	known bool
}

// look compares a frame with those before it. Its error wraps ErrFrozen.
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

// glanceRows is the distance of the rows that are compared. A sixteenth of the image has enough
// noise and takes almost no time.
const glanceRows = 16

var glanceTable = crc32.MakeTable(crc32.Castagnoli)

// glance returns a checksum of every glanceRows-th row.
func glance(f *frame.Frame) (sum uint32) {
	n := f.Width * f.Format.Channels()
	for y := 0; y < f.Height; y += glanceRows {
		sum = crc32.Update(sum, glanceTable, f.Pix[y*f.Stride:][:n])
	}
	return sum
}
