//go:build !amd64

package frame

func lumaYCC(dst, y, cb, cr []byte) { lumaYCCGeneric(dst, y, cb, cr) }

func lumaYCCHalf(dst, y, cb, cr []byte) { lumaYCCHalfGeneric(dst, y, cb, cr) }
