package frame

import "tirewatch/vision/isa"

// set is the instruction set in use. Tests change it to run every implementation.
var set = isa.Chosen()

// Pixels in one step of each implementation.
const (
	blockAVX2   = 32
	blockAVX512 = 64
)

//go:noescape
func lumaBGRAVX2(dst, src *byte, n int)

//go:noescape
func lumaRGBAAVX2(dst, src *byte, n int)

//go:noescape
func lumaBGRAVX512(dst, src *byte, n int)

//go:noescape
func lumaRGBAAVX512(dst, src *byte, n int)

func lumaBGR(dst, src []byte) {
	src = src[:3*len(dst)]
	switch {
	case set >= isa.AVX512 && len(dst) >= blockAVX512:
		lumaBGRAVX512(&dst[0], &src[0], len(dst)&^(blockAVX512-1))
		if t := len(dst) - blockAVX512; len(dst)%blockAVX512 > 0 {
			lumaBGRAVX512(&dst[t], &src[3*t], blockAVX512) // overlaps the pixels above and computes them again
		}
	case set >= isa.AVX2 && len(dst) >= blockAVX2:
		lumaBGRAVX2(&dst[0], &src[0], len(dst)&^(blockAVX2-1))
		if t := len(dst) - blockAVX2; len(dst)%blockAVX2 > 0 {
			lumaBGRAVX2(&dst[t], &src[3*t], blockAVX2)
		}
	default:
		lumaBGRGeneric(dst, src)
	}
}

func lumaRGBA(dst, src []byte) {
	src = src[:4*len(dst)]
	switch {
	case set >= isa.AVX512 && len(dst) >= blockAVX512:
		lumaRGBAAVX512(&dst[0], &src[0], len(dst)&^(blockAVX512-1))
		if t := len(dst) - blockAVX512; len(dst)%blockAVX512 > 0 {
			lumaRGBAAVX512(&dst[t], &src[4*t], blockAVX512)
		}
	case set >= isa.AVX2 && len(dst) >= blockAVX2:
		lumaRGBAAVX2(&dst[0], &src[0], len(dst)&^(blockAVX2-1))
		if t := len(dst) - blockAVX2; len(dst)%blockAVX2 > 0 {
			lumaRGBAAVX2(&dst[t], &src[4*t], blockAVX2)
		}
	default:
		lumaRGBAGeneric(dst, src)
	}
}
