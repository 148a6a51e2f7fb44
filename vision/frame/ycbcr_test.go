//go:build linux

package frame

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/isa"
	"tirewatch/vision/isa/isatest"
)

// Every implementation equals Go's image/color followed by Luma, for every possible colour.
func TestLumaYCCEveryColour(t *testing.T) {
	const n = 1 << 16
	y, cb, cr, got, want := make([]byte, n), make([]byte, n), make([]byte, n), make([]byte, n), make([]byte, n)
	before := set
	defer func() { set = before }()
	for bright := range 256 {
		for i := range n {
			y[i], cb[i], cr[i] = byte(bright), byte(i), byte(i>>8)
		}
		lumaYCCGeneric(want, y, cb, cr)
		for _, set = range isa.Have() {
			lumaYCC(got, y, cb, cr)
			if i := mismatch(got, want); i >= 0 {
				t.Fatalf("%s: Y %d Cb %d Cr %d: got %d, want %d", set, y[i], cb[i], cr[i], got[i], want[i])
			}
		}
	}
}

// Every width below, at and above the block sizes. Nothing is read or written after a row.
func TestLumaYCCWidths(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 0))
	noise := func(n int) []byte {
		b := isatest.Guarded(t, n, true)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	isatest.EachSet(t, &set, func(t *testing.T) {
		for w := 1; w < 70; w++ {
			y, half := noise(w), (w+1)/2
			for _, c := range []struct {
				name          string
				luma, generic func(dst, y, cb, cr []byte)
				cb, cr        []byte
			}{
				{"a colour for each", lumaYCC, lumaYCCGeneric, noise(w), noise(w)},
				{"a colour for two", lumaYCCHalf, lumaYCCHalfGeneric, noise(half), noise(half)},
			} {
				got, want := bytes.Repeat([]byte{0xa5}, w+32), bytes.Repeat([]byte{0xa5}, w+32)
				c.luma(got[:w], y, c.cb, c.cr)
				c.generic(want[:w], y, c.cb, c.cr)
				if i := mismatch(got, want); i >= 0 {
					t.Fatalf("%s, width %d: pixel %d is %d, want %d", c.name, w, i, got[i], want[i])
				}
			}
		}
	})
}
