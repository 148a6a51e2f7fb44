package dataset

import (
	"golang.org/x/sys/cpu"

	"tirewatch/vision/isa"
)

// sumsAVX2 and sumsAVX512 are sumsGeneric for w of 32 to 64 and h of 1 to 64. They read nothing
// outside the w x h pixels.

//go:noescape
func sumsAVX2(s *sums, a, b *byte, w, h int)

//go:noescape
func sumsAVX512(s *sums, a, b *byte, w, h int)

func sumsOf(a, b *thumb, pa, pb, w, h int) (s sums) {
	last := (h-1)*thumbSide + w - 1
	if set == isa.Generic || w < 32 || w > 64 || h < 1 || h > 64 {
		return sumsGeneric(a, b, pa, pb, w, h)
	}
	_, _ = a[pa:][last], b[pb:][last]
	if set == isa.AVX512 {
		sumsAVX512(&s, &a[pa], &b[pb], w, h)
	} else {
		sumsAVX2(&s, &a[pa], &b[pb], w, h)
	}
	return s
}

// closestAVX2 and closestAVX512 are closestGeneric for n hashes; n is a multiple of 8 and not 0.

//go:noescape
func closestAVX2(hashes *uint64, n int, to uint64) int

//go:noescape
func closestAVX512(hashes *uint64, n int, to uint64) int

func closest(hashes []uint64, to uint64) int {
	n := len(hashes)
	switch {
	case set == isa.Generic || n == 0 || n%8 != 0:
		return closestGeneric(hashes, to)
	case set == isa.AVX512 && cpu.X86.HasAVX512VPOPCNTDQ:
		return closestAVX512(&hashes[0], n, to)
	}
	return closestAVX2(&hashes[0], n, to)
}
