//go:build !amd64 && !arm64

package frame

import "tirewatch/vision/isa"

// set is the instruction set in use.
var set = isa.Generic

func lumaBGR(dst, src []byte) { lumaBGRGeneric(dst, src) }

func lumaRGBA(dst, src []byte) { lumaRGBAGeneric(dst, src) }
