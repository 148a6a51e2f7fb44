#include "textflag.h"

// The first layer for AVX2. shared_avx2_amd64.go explains the arithmetic, first_avx2_amd64.go the
// layout.

// PAIRS is the address of pair i of an output.
#define PAIRS(i, base) (i*288)(base)

// func pairsAVX2(dst *firstPairs, x *uint8, row, n int)
//
// Computes n outputs, rounded up to a multiple of eight. Each row of pixels provides the columns of
// eight outputs at once, as pairs of 16-bit values:
//
//	A columns 0 and 2, B columns 1 and 3, C column 4 (and 6)
//
// The vertical sums combine three rows at a time.
#define LOAD(at, next, a, b, c) \
	VMOVDQU at, b            \
	VPAND   b, Y15, a        \
	VPSRLW  $8, b, b         \
	VPAND   next, Y15, c

// ACROSS turns a row (A, B, C) into slots 0-1 (A0-A2, B1) in p and 2-3 (C4-A2, B3) in q. Afterwards
// the lower half of a has A2.
#define ACROSS(a, b, c, p, q) \
	VPSRLD   $16, a, Y14          \
	VPSUBW   Y14, a, Y13          \
	VPSLLD   $16, b, Y12          \
	VPBLENDW $0xaa, Y12, Y13, Y13 \
	VMOVDQU  Y13, p               \
	VPSUBW   Y14, c, Y13          \
	VPBLENDW $0xaa, b, Y13, Y13   \
	VMOVDQU  Y13, q

TEXT ·pairsAVX2(SB), NOSPLIT, $0-32
	MOVQ         dst+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         row+16(FP), R8
	MOVQ         n+24(FP), CX
	LEAQ         (R8)(R8*2), R9
	MOVL         $0x00ff00ff, AX
	VMOVD        AX, X15
	VPBROADCASTD X15, Y15

eight:
	LEAQ (SI)(R8*2), R10
	LOAD((R10), 4(R10), Y0, Y1, Y2)            // row 2: S of the columns
	ACROSS(Y0, Y1, Y2, PAIRS(10, DI), PAIRS(11, DI))
	VMOVDQU Y14, PAIRS(12, DI)

	LOAD((SI), 4(SI), Y3, Y4, Y5)             // row 0
	VPSUBW Y0, Y3, Y3
	VPSUBW Y1, Y4, Y4
	VPSUBW Y2, Y5, Y5
	ACROSS(Y3, Y4, Y5, PAIRS(0, DI), PAIRS(2, DI))
	VMOVDQA Y14, Y6
	LEAQ (SI)(R8*1), R10
	LOAD((R10), 4(R10), Y3, Y4, Y5)            // row 1
	VPBLENDW $0xaa, Y3, Y6, Y6
	VMOVDQU Y6, PAIRS(4, DI)
	ACROSS(Y3, Y4, Y5, PAIRS(1, DI), PAIRS(3, DI))

	LEAQ (SI)(R8*4), R10
	LOAD((R10), 4(R10), Y3, Y4, Y5)            // row 4
	VPSUBW Y0, Y3, Y3
	VPSUBW Y1, Y4, Y4
	VPSUBW Y2, Y5, Y5
	ACROSS(Y3, Y4, Y5, PAIRS(5, DI), PAIRS(7, DI))
	VMOVDQA Y14, Y6
	LEAQ (SI)(R9*1), R10
	LOAD((R10), 4(R10), Y3, Y4, Y5)            // row 3
	VPBLENDW $0xaa, Y3, Y6, Y6
	VMOVDQU Y6, PAIRS(9, DI)
	ACROSS(Y3, Y4, Y5, PAIRS(6, DI), PAIRS(8, DI))

	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JGT  eight
	VZEROUPPER
	RET

// func firstAVX2(dst *uint8, channels int, pairs *firstPairs, n int, record *firstRecord8)
//
// Eight channels of a row of n outputs. The weights of pairs 0..8 stay in Y0..Y8, those of 9..12
// are read from the record.
//
//	Y9 sum of the upper windows, then of the lower ones; Y10 of the left, Y11 of the right ones
//	Y12 and Y13 windows, Y14 pairs and products, Y15 the largest window so far
#define PRODUCT(i, w, out) \
	VPBROADCASTD PAIRS(i, SI), out \
	VPMADDWD     w, out, out

#define WINDOW(i, w, j, v, rows, columns, out) \
	PRODUCT(i, w, out)            \
	PRODUCT(j, v, Y14)            \
	VPADDD rows, out, out         \
	VPADDD columns, Y14, Y14      \
	VPADDD Y14, out, out

TEXT ·firstAVX2(SB), NOSPLIT, $0-40
	MOVQ    dst+0(FP), DI
	MOVQ    channels+8(FP), R8
	MOVQ    pairs+16(FP), SI
	MOVQ    n+24(FP), CX
	MOVQ    record+32(FP), BX
	VMOVDQU (BX), Y0
	VMOVDQU 32(BX), Y1
	VMOVDQU 64(BX), Y2
	VMOVDQU 96(BX), Y3
	VMOVDQU 128(BX), Y4
	VMOVDQU 160(BX), Y5
	VMOVDQU 192(BX), Y6
	VMOVDQU 224(BX), Y7
	VMOVDQU 256(BX), Y8

output:
	PRODUCT(12, 384(BX), Y12)
	PRODUCT(10, 320(BX), Y10)
	PRODUCT(11, 352(BX), Y11)
	PRODUCT(4, Y4, Y9)
	VPADDD  416(BX), Y12, Y12
	VPADDD  Y12, Y10, Y10
	VPADDD  Y12, Y11, Y11
	WINDOW(0, Y0, 1, Y1, Y9, Y10, Y12)
	WINDOW(2, Y2, 3, Y3, Y9, Y11, Y13)
	VPMAXSD Y13, Y12, Y15
	PRODUCT(9, 288(BX), Y9)
	WINDOW(5, Y5, 6, Y6, Y9, Y10, Y12)
	WINDOW(7, Y7, 8, Y8, Y9, Y11, Y13)
	VPMAXSD Y13, Y12, Y12
	VPMAXSD Y12, Y15, Y15
	VCVTDQ2PS    Y15, Y15
	VMULPS       448(BX), Y15, Y15
	VMINPS       bounds<>(SB), Y15, Y15
	VCVTPS2DQ    Y15, Y15
	VEXTRACTI128 $1, Y15, X14
	VPACKSSDW    X14, X15, X15
	VPACKUSWB    X15, X15, X15
	VMOVQ        X15, (DI)
	ADDQ         R8, DI
	ADDQ         $4, SI
	DECQ         CX
	JNZ          output
	VZEROUPPER
	RET

// bounds is 255.0, eight times.
DATA bounds<>+0(SB)/8, $0x437f0000437f0000
DATA bounds<>+8(SB)/8, $0x437f0000437f0000
DATA bounds<>+16(SB)/8, $0x437f0000437f0000
DATA bounds<>+24(SB)/8, $0x437f0000437f0000
GLOBL bounds<>(SB), RODATA|NOPTR, $32
