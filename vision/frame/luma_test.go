package frame

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/isa"
	"tirewatch/vision/isa/isatest"
)

// Every implementation equals Luma for every possible colour.
func TestLumaEveryColour(t *testing.T) {
	const n = 1 << 16
	bgr, rgba, got, want := make([]byte, 3*n), make([]byte, 4*n), make([]byte, n), make([]byte, n)
	before := set
	defer func() { set = before }()
	for red := range 256 {
		for i := range n {
			b, g, r := byte(i), byte(i>>8), byte(red)
			bgr[3*i], bgr[3*i+1], bgr[3*i+2] = b, g, r
			rgba[4*i], rgba[4*i+1], rgba[4*i+2], rgba[4*i+3] = r, g, b, b^r // alpha must not matter
			want[i] = Luma(r, g, b)
		}
		for _, set = range isa.Have() {
			lumaBGR(got, bgr)
			if i := mismatch(got, want); i >= 0 {
				t.Fatalf("%s: bgr %v: got %d, want %d", set, bgr[3*i:3*i+3], got[i], want[i])
			}
			lumaRGBA(got, rgba)
			if i := mismatch(got, want); i >= 0 {
				t.Fatalf("%s: rgba %v: got %d, want %d", set, rgba[4*i:4*i+4], got[i], want[i])
			}
		}
	}
}

func mismatch(got, want []byte) int {
	for i := range want {
		if got[i] != want[i] {
			return i
		}
	}
	return -1
}

// Every width below, at and above the block sizes. The bytes after the row must not change.
func TestLumaWidths(t *testing.T) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 0))
	isatest.EachSet(t, &set, func(t *testing.T) {
		for w := 1; w < 300; w++ {
			src := make([]byte, 4*w)
			for i := range src {
				src[i] = byte(rng.Uint32())
			}
			for name, c := range map[string]struct{ luma, generic func(dst, src []byte) }{
				"bgr": {lumaBGR, lumaBGRGeneric}, "rgba": {lumaRGBA, lumaRGBAGeneric},
			} {
				got, want := bytes.Repeat([]byte{0xa5}, w+64), bytes.Repeat([]byte{0xa5}, w+64)
				c.luma(got[:w], src)
				c.generic(want[:w], src)
				if i := mismatch(got, want); i >= 0 {
					t.Fatalf("%s, width %d: byte %d is %d, want %d (seed %d)", name, w, i, got[i], want[i], seed)
				}
			}
		}
	})
}

func BenchmarkLuma(b *testing.B) {
	const w = 1080
	src, dst := make([]byte, 4*w), make([]byte, w)
	before := set
	defer func() { set = before }()
	for _, s := range isa.Have() {
		set = s
		b.Run("bgr/"+s.String(), func(b *testing.B) {
			b.SetBytes(3 * w)
			for b.Loop() {
				lumaBGR(dst, src)
			}
		})
		b.Run("rgba/"+s.String(), func(b *testing.B) {
			b.SetBytes(4 * w)
			for b.Loop() {
				lumaRGBA(dst, src)
			}
		})
	}
}
