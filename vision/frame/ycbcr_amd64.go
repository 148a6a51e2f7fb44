package frame

import "tirewatch/vision/isa"

// blockYCC is the number of pixels in one step.
const blockYCC = 8

//go:noescape
func lumaYCCAVX2(dst, y, cb, cr *byte, n int)

//go:noescape
func lumaYCCHalfAVX2(dst, y, cb, cr *byte, n int)

func lumaYCC(dst, y, cb, cr []byte) {
	n := 0
	if set >= isa.AVX2 && len(dst) >= blockYCC {
		n = len(dst) &^ (blockYCC - 1)
		y, cb, cr = y[:len(dst)], cb[:len(dst)], cr[:len(dst)]
		lumaYCCAVX2(&dst[0], &y[0], &cb[0], &cr[0], n)
	}
	lumaYCCGeneric(dst[n:], y[n:], cb[n:], cr[n:])
}

func lumaYCCHalf(dst, y, cb, cr []byte) {
	n := 0
	if set >= isa.AVX2 && len(dst) >= blockYCC {
		n = len(dst) &^ (blockYCC - 1)
		half := (len(dst) + 1) / 2
		y, cb, cr = y[:len(dst)], cb[:half], cr[:half]
		lumaYCCHalfAVX2(&dst[0], &y[0], &cb[0], &cr[0], n)
	}
	lumaYCCHalfGeneric(dst[n:], y[n:], cb[n/2:], cr[n/2:])
}
