#include "textflag.h"

// Luma for AVX2. Target CPUs: Haswell and later, Zen and later.
//
// Eight pixels are spread to four bytes each, c0 c1 c2 c3 (B G R 0, or R G B A), and multiplied by
// the weights as 16-bit pairs:
//
//	word  0   1   |     with 0x00ff..     c0 c2 * weights02   \
//	     c0c1 c2c3|                                            + 8192, >> 14 = luma
//	              |     shifted by 8      c1 c3 * weights13   /
//
// Y8: 0x00ff in every word; Y9, Y10: weights02, weights13; Y11: the rounding; Y12: spread; Y13:
// order of the packed result. A BGR group of 8 pixels is 24 bytes, loaded as bytes 0..15 and 8..23,
// so that nothing outside it is read.

// Low lane from bytes 0..15, high lane from bytes 8..23.
DATA spread<>+0x00(SB)/8, $0x8005040380020100
DATA spread<>+0x08(SB)/8, $0x800b0a0980080706
DATA spread<>+0x10(SB)/8, $0x8009080780060504
DATA spread<>+0x18(SB)/8, $0x800f0e0d800c0b0a
GLOBL spread<>(SB), RODATA|NOPTR, $32

// Packing works within lanes. This table puts the 4-byte groups of 32 pixels in order.
DATA order<>+0x00(SB)/8, $0x0000000400000000
DATA order<>+0x08(SB)/8, $0x0000000500000001
DATA order<>+0x10(SB)/8, $0x0000000600000002
DATA order<>+0x18(SB)/8, $0x0000000700000003
GLOBL order<>(SB), RODATA|NOPTR, $32

#define CONSTANTS(weights02, weights13) \
	VPCMPEQD     Y8, Y8, Y8         \
	VPSRLW       $8, Y8, Y8         \
	MOVL         weights02, AX      \
	VMOVD        AX, X9             \
	VPBROADCASTD X9, Y9             \
	MOVL         weights13, AX      \
	VMOVD        AX, X10            \
	VPBROADCASTD X10, Y10           \
	MOVL         $8192, AX          \
	VMOVD        AX, X11            \
	VPBROADCASTD X11, Y11           \
	VMOVDQU      order<>(SB), Y13

#define LOADBGR(at, x, y) \
	VMOVDQU     at+0(SI), x         \
	VINSERTI128 $1, at+8(SI), y, y  \
	VPSHUFB     Y12, y, y

#define LUMA8(y, t) \
	VPAND    Y8, y, t   \
	VPSRLW   $8, y, y   \
	VPMADDWD Y9, t, t   \
	VPMADDWD Y10, y, y  \
	VPADDD   Y11, t, t  \
	VPADDD   t, y, y    \
	VPSRLD   $14, y, y

#define STORE32 \
	VPACKSSDW Y1, Y0, Y0  \
	VPACKSSDW Y3, Y2, Y2  \
	VPACKUSWB Y2, Y0, Y0  \
	VPERMD    Y0, Y13, Y0 \
	VMOVDQU   Y0, (DI)

// func lumaBGRAVX2(dst, src *byte, n int)
//
// n pixels, a positive multiple of 32.
TEXT ·lumaBGRAVX2(SB), NOSPLIT, $0-24
	MOVQ    dst+0(FP), DI
	MOVQ    src+8(FP), SI
	MOVQ    n+16(FP), CX
	CONSTANTS($0x1323074c, $0x00002591) // R 4899 and B 1868; G 9617
	VMOVDQU spread<>(SB), Y12

bgr32:
	LOADBGR(0, X0, Y0)
	LOADBGR(24, X1, Y1)
	LOADBGR(48, X2, Y2)
	LOADBGR(72, X3, Y3)
	LUMA8(Y0, Y4)
	LUMA8(Y1, Y5)
	LUMA8(Y2, Y6)
	LUMA8(Y3, Y7)
	STORE32
	ADDQ $96, SI
	ADDQ $32, DI
	SUBQ $32, CX
	JNZ  bgr32
	VZEROUPPER
	RET

// func lumaRGBAAVX2(dst, src *byte, n int)
//
// n pixels, a positive multiple of 32.
TEXT ·lumaRGBAAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	CONSTANTS($0x074c1323, $0x00002591)

rgba32:
	VMOVDQU 0(SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	LUMA8(Y0, Y4)
	LUMA8(Y1, Y5)
	LUMA8(Y2, Y6)
	LUMA8(Y3, Y7)
	STORE32
	ADDQ $128, SI
	ADDQ $32, DI
	SUBQ $32, CX
	JNZ  rgba32
	VZEROUPPER
	RET
