package dataset

// The two loops that the search for near-duplicates consists of, in plain Go, which is the
// specification; kernels_amd64.s has the bodies for AVX2 and AVX-512.

import (
	"math"
	"math/bits"

	"tirewatch/vision/isa"
)

// set is the instruction set in use; tests lower it to exercise every body.
var set = isa.Chosen()

// sums are what Pearson's correlation of two pictures a and b is made of. They stay below 2^31,
// since a thumbnail has 2^12 pixels below 2^8, and are integers, so that every machine finds the
// same near-duplicates.
type sums struct {
	a, b       uint32
	aa, bb, ab uint32
}

// sumsGeneric adds up w x h pixels of two thumbnails from pa and pb on; the assembly bodies equal
// it.
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

// closestGeneric gives the least Hamming distance of the hashes to one; the assembly bodies equal
// it.
func closestGeneric(hashes []uint64, to uint64) int {
	least := 64
	for _, h := range hashes {
		least = min(least, bits.OnesCount64(h^to))
	}
	return least
}

// correlation is Pearson's, over the pixels that both thumbnails show when b lies at dx, dy in a; 0
// when either is flat there.
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
