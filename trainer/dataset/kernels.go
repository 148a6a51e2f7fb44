package dataset

// The two inner loops of the search for near-duplicates. This plain Go is the specification;
// kernels_amd64.s has the AVX2 and AVX-512 versions.

import (
	"math"
	"math/bits"

	"tirewatch/vision/isa"
)

// set is the instruction set in use. Tests lower it to run every version.
var set = isa.Chosen()

// sums holds the terms of Pearson's correlation of two images a and b. They stay below 2^31,
// because a thumbnail has 2^12 pixels below 2^8. They are integers, so that every machine finds the
// same near-duplicates.
type sums struct {
	a, b       uint32
	aa, bb, ab uint32
}

// sumsGeneric adds w x h pixels of two thumbnails, starting at pa and pb. The assembly equals it.
func sumsGeneric(a, b *thumb, pa, pb, w, h int) (s sums) {
	for range h {
		rb := b[pb:][:w]
		for i, p := range a[pa:][:w] {
			p, q := uint32(p), uint32(rb[i])
			s.a, s.b = s.a+p, s.b+q
			s.aa, s.bb, s.ab = s.aa+p*p, s.bb+q*q, s.ab+p*q
		}
		pa, pb = pa+thumbSide, pb+thumbSide
	}
	return s
}

// closestGeneric returns the smallest Hamming distance of the hashes to one hash. The assembly
// equals it.
func closestGeneric(hashes []uint64, to uint64) int {
	least := 64
	for _, h := range hashes {
		least = min(least, bits.OnesCount64(h^to))
	}
	return least
}

// correlation is Pearson's correlation over the pixels that both thumbnails show when b is at dx,
// dy in a. It is 0 when either is flat there.
func correlation(a, b *thumb, dx, dy int) float64 {
	w, h := thumbSide-max(dx, -dx), thumbSide-max(dy, -dy)
	s := sumsOf(a, b, max(dy, 0)*thumbSide+max(dx, 0), max(-dy, 0)*thumbSide+max(-dx, 0), w, h)
	n, sa, sb := int64(w*h), int64(s.a), int64(s.b)
	va, vb := n*int64(s.aa)-sa*sa, n*int64(s.bb)-sb*sb
	if va == 0 || vb == 0 {
		return 0
	}
	return float64(n*int64(s.ab)-sa*sb) / math.Sqrt(float64(va)*float64(vb))
}
