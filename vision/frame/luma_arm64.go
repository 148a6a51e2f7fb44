package frame

import "tirewatch/vision/isa"

// set is the instruction set in use. Tests change it to run every implementation.
var set = isa.Chosen()

// blockNEON is the number of pixels in one step.
const blockNEON = 16

//go:noescape
func lumaBGRNEON(dst, src *byte, n int)

//go:noescape
func lumaRGBANEON(dst, src *byte, n int)

func lumaBGR(dst, src []byte) {
	if src = src[:3*len(dst)]; set == isa.Generic || len(dst) < blockNEON {
		lumaBGRGeneric(dst, src)
		return
	}
	lumaBGRNEON(&dst[0], &src[0], len(dst)&^(blockNEON-1))
	if t := len(dst) - blockNEON; len(dst)%blockNEON > 0 {
		lumaBGRNEON(&dst[t], &src[3*t], blockNEON) // overlaps the pixels above and computes them again
	}
}

func lumaRGBA(dst, src []byte) {
	if src = src[:4*len(dst)]; set == isa.Generic || len(dst) < blockNEON {
		lumaRGBAGeneric(dst, src)
		return
	}
	lumaRGBANEON(&dst[0], &src[0], len(dst)&^(blockNEON-1))
	if t := len(dst) - blockNEON; len(dst)%blockNEON > 0 {
		lumaRGBANEON(&dst[t], &src[4*t], blockNEON)
	}
}
