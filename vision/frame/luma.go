package frame

// Luma weights of ITU-R BT.601 in 1/16384, the same integers as in OpenCV. With integer arithmetic,
// a PC and a Pi agree on every byte.
const (
	lumaR, lumaG, lumaB = 4899, 9617, 1868
	lumaShift           = 14
)

// Luma returns the grey value of a colour. It is the specification: the implementation for each
// instruction set equals it on every byte. TIREWATCH_KERNEL=generic runs only this one.
func Luma(r, g, b uint8) uint8 {
	return uint8((uint32(r)*lumaR + uint32(g)*lumaG + uint32(b)*lumaB + 1<<(lumaShift-1)) >> lumaShift)
}

// lumaBGRGeneric fills dst from the first 3*len(dst) bytes of src.
func lumaBGRGeneric(dst, src []byte) {
	src = src[:3*len(dst)]
	for x := range dst {
		p := src[3*x : 3*x+3 : 3*x+3]
		dst[x] = Luma(p[2], p[1], p[0])
	}
}

// lumaRGBAGeneric fills dst from the first 4*len(dst) bytes of src.
func lumaRGBAGeneric(dst, src []byte) {
	src = src[:4*len(dst)]
	for x := range dst {
		p := src[4*x : 4*x+3 : 4*x+3]
		dst[x] = Luma(p[0], p[1], p[2])
	}
}
