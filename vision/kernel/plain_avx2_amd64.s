#include "textflag.h"
#include "avx2_amd64.h"

// PIXELS adds the products of two neighbouring pixels to the sums in Y0 (channels 0..7) and Y1
// (8..15).
#define PIXELS(at, w) \
	VPBROADCASTW at, X2              \
	VPMOVZXBW    X2, Y2              \
	VPMADDWD     w(BX), Y2, Y3       \
	VPMADDWD     w+32(BX), Y2, Y4    \
	VPADDD       Y3, Y0, Y0          \
	VPADDD       Y4, Y1, Y1

// func plain16AVX2(dst *uint8, dstStep int, x *uint8, row, xStep, n int, w *plainRecord)
//
// A row of n outputs of sixteen channels: 3x3 windows over one channel, requantised. Target CPUs:
// Haswell and later, Zen and later.
//
//	SI  first pixel of the window, R8 distance of rows, R12 that of two windows
//	BX  plainRecord: weights at 0, bias at 384, mult at 448
TEXT ·plain16AVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R10
	MOVQ x+16(FP), SI
	MOVQ row+24(FP), R8
	MOVQ xStep+32(FP), R12
	MOVQ n+40(FP), CX
	MOVQ w+48(FP), BX
	BOUNDS

window:
	VMOVDQU 384(BX), Y0
	VMOVDQU 416(BX), Y1
	PIXELS((SI), 0)
	PIXELS(2(SI), 64) // the second weight is 0
	PIXELS((SI)(R8*1), 128)
	PIXELS(2(SI)(R8*1), 192)
	PIXELS((SI)(R8*2), 256)
	PIXELS(2(SI)(R8*2), 320)
	BYTES16(448(BX), 480(BX))
	VMOVDQU X0, (DI)
	ADDQ    R12, SI
	ADDQ    R10, DI
	DECQ    CX
	JNZ     window
	VZEROUPPER
	RET
