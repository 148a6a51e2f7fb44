#include "textflag.h"
#include "avx2_amd64.h"

// PAIR adds the products of two taps to the sums in Y0 (channels 0..7) and Y1 (8..15). The bytes of
// both taps are interleaved and widened, so that VPMADDWD adds the two products of a channel. They
// fit: 2 * 255 * 127 is far below the limit of its 32-bit result.
#define PAIR(a, b, w) \
	VMOVDQU    a, X2              \
	VMOVDQU    b, X3              \
	VPUNPCKLBW X3, X2, X4         \
	VPUNPCKHBW X3, X2, X5         \
	VPMOVZXBW  X4, Y4             \
	VPMOVZXBW  X5, Y5             \
	VPMADDWD   w(BX), Y4, Y4      \
	VPMADDWD   w+32(BX), Y5, Y5   \
	VPADDD     Y4, Y0, Y0         \
	VPADDD     Y5, Y1, Y1

// func depthwise16AVX2(dst *uint8, dstStep int, row0, row1, row2 *uint8,
//	column, xStep, n int, w *depthwiseRecord)
//
// A row of n outputs of sixteen channels: 3x3 windows, requantised. Target CPUs: Haswell and later,
// Zen and later.
//
//	SI DX R9  the rows under the window, R8 the distance of its columns, R12 that of two windows
//	BX        depthwiseRecord: weights at 0, bias at 320, mult at 384
TEXT ·depthwise16AVX2(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R10
	MOVQ row0+16(FP), SI
	MOVQ row1+24(FP), DX
	MOVQ row2+32(FP), R9
	MOVQ column+40(FP), R8
	MOVQ xStep+48(FP), R12
	MOVQ n+56(FP), CX
	MOVQ w+64(FP), BX
	BOUNDS

window:
	VMOVDQU 320(BX), Y0
	VMOVDQU 352(BX), Y1
	PAIR((SI), (SI)(R8*1), 0)
	PAIR((SI)(R8*2), (DX), 64)
	PAIR((DX)(R8*1), (DX)(R8*2), 128)
	PAIR((R9), (R9)(R8*1), 192)
	PAIR((R9)(R8*2), (R9)(R8*2), 256) // the second weight is 0
	BYTES16(384(BX), 416(BX))
	VMOVDQU X0, (DI)
	ADDQ    R12, SI
	ADDQ    R12, DX
	ADDQ    R12, R9
	ADDQ    R10, DI
	DECQ    CX
	JNZ     window
	VZEROUPPER
	RET
