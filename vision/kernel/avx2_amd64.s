#include "textflag.h"
#include "avx2_amd64.h"

// Bodies for AVX2 without VNNI. Target CPUs: Haswell and later, Zen to Zen 3.

// func widenAVX2(dst *byte, src *uint8, n int)
//
// n bytes to n 16-bit values, not a byte more.
TEXT ·widenAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	SUBQ $16, CX
	JLT  few

sixteen:
	VPMOVZXBW (SI), Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $16, SI
	ADDQ      $32, DI
	SUBQ      $16, CX
	JGE       sixteen

few:
	ADDQ $16, CX
	JZ   widened

one:
	MOVBLZX (SI), AX
	MOVW    AX, (DI)
	INCQ    SI
	ADDQ    $2, DI
	DECQ    CX
	JNZ     one

widened:
	VZEROUPPER
	RET

// func rows6x16AVX2(dst *int32, dstStep int, x *byte, xStep, runs, pairs, runStride int, w *int16, bias *int32)
//
// Six positions times 16 channels on widened values; steps and strides in bytes, pairs of values in a run.
//
//	         w: Y12   Y13
//	x[0]:       Y0    Y1
//	x[1]:       Y2    Y3
//	  ...
//	x[5]:       Y10   Y11     a pair of x in Y14, products in Y15
#define PAIR(at, a, b) \
	VPBROADCASTD at, Y14        \
	VPMADDWD     Y12, Y14, Y15  \
	VPADDD       Y15, a, a      \
	VPMADDWD     Y13, Y14, Y15  \
	VPADDD       Y15, b, b

#define STORE2(a, b) \
	VMOVDQU a, (DI)    \
	VMOVDQU b, 32(DI)  \
	ADDQ    R10, DI

TEXT ·rows6x16AVX2(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R10
	MOVQ x+16(FP), SI
	MOVQ xStep+24(FP), R8
	MOVQ runs+32(FP), CX
	MOVQ pairs+40(FP), R11
	MOVQ runStride+48(FP), R12
	MOVQ w+56(FP), BX
	MOVQ bias+64(FP), AX

	VMOVDQU (AX), Y0
	VMOVDQU 32(AX), Y1
	VMOVDQA Y0, Y2
	VMOVDQA Y1, Y3
	VMOVDQA Y0, Y4
	VMOVDQA Y1, Y5
	VMOVDQA Y0, Y6
	VMOVDQA Y1, Y7
	VMOVDQA Y0, Y8
	VMOVDQA Y1, Y9
	VMOVDQA Y0, Y10
	VMOVDQA Y1, Y11

run:
	MOVQ SI, R9           // positions 0, 1, 2
	LEAQ (SI)(R8*2), DX
	ADDQ R8, DX           // positions 3, 4, 5
	MOVQ R11, AX

pair:
	VMOVDQU (BX), Y12
	VMOVDQU 32(BX), Y13
	PAIR((R9), Y0, Y1)
	PAIR((R9)(R8*1), Y2, Y3)
	PAIR((R9)(R8*2), Y4, Y5)
	PAIR((DX), Y6, Y7)
	PAIR((DX)(R8*1), Y8, Y9)
	PAIR((DX)(R8*2), Y10, Y11)
	ADDQ $64, BX
	ADDQ $4, R9
	ADDQ $4, DX
	DECQ AX
	JNZ  pair

	ADDQ R12, SI
	DECQ CX
	JNZ  run

	STORE2(Y0, Y1)
	STORE2(Y2, Y3)
	STORE2(Y4, Y5)
	STORE2(Y6, Y7)
	STORE2(Y8, Y9)
	STORE2(Y10, Y11)
	VZEROUPPER
	RET

// func poolAVX2(dst *uint8, top, bottom *int32, n int, mult *float32, channels int)
//
// Sixteen channels at a time.
TEXT ·poolAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ top+8(FP), SI
	MOVQ bottom+16(FP), BX
	MOVQ n+24(FP), CX
	MOVQ mult+32(FP), DX
	MOVQ channels+40(FP), R8
	SHLQ $2, R8              // bytes of a position
	BOUNDS

position:
	XORQ R9, R9

channel:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU (BX), Y2
	VMOVDQU 32(BX), Y3
	VPMAXSD (SI)(R8*1), Y0, Y0
	VPMAXSD 32(SI)(R8*1), Y1, Y1
	VPMAXSD (BX)(R8*1), Y2, Y2
	VPMAXSD 32(BX)(R8*1), Y3, Y3
	VPMAXSD Y2, Y0, Y0
	VPMAXSD Y3, Y1, Y1
	BYTES16((DX)(R9*1), 32(DX)(R9*1))
	VMOVDQU X0, (DI)
	ADDQ    $64, SI
	ADDQ    $64, BX
	ADDQ    $16, DI
	ADDQ    $64, R9
	CMPQ    R9, R8
	JNE     channel

	ADDQ R8, SI // the odd position was read beside the even one
	ADDQ R8, BX
	DECQ CX
	JNZ  position
	VZEROUPPER
	RET

// func requantizeAVX2(dst *uint8, sums *int32, mult *float32, n int)
TEXT ·requantizeAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ sums+8(FP), SI
	MOVQ mult+16(FP), DX
	MOVQ n+24(FP), CX
	BOUNDS

requantize:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	BYTES16((DX), 32(DX))
	VMOVDQU X0, (DI)
	ADDQ    $64, SI
	ADDQ    $64, DX
	ADDQ    $16, DI
	SUBQ    $16, CX
	JNZ     requantize
	VZEROUPPER
	RET

// Distances of the rows in firstPairs: 544 bytes each.
#define ROW0 0
#define ROW1 544
#define ROW2 1088
#define ROW3 1632
#define ROW4 2176
#define DOWN0 2720
#define DOWN1 3264
#define LAST0 3808
#define LAST1 4352

// func pairsAVX2(dst *firstPairs, x *uint8, row, n int)
//
// n pairs of each row, rounded up to eight.
TEXT ·pairsAVX2(SB), NOSPLIT, $0-32
	MOVQ  dst+0(FP), DI
	MOVQ  x+8(FP), SI
	MOVQ  row+16(FP), R8
	MOVQ  n+24(FP), CX
	LEAQ  (R8)(R8*2), R9
	VPXOR Y15, Y15, Y15

pairs:
	VPMOVZXBW (SI), Y0
	VPMOVZXBW (SI)(R8*1), Y1
	VPMOVZXBW (SI)(R8*2), Y2
	VPMOVZXBW (SI)(R9*1), Y3
	VPMOVZXBW (SI)(R8*4), Y4
	VMOVDQU   Y0, ROW0(DI)
	VMOVDQU   Y1, ROW1(DI)
	VMOVDQU   Y2, ROW2(DI)
	VMOVDQU   Y3, ROW3(DI)
	VMOVDQU   Y4, ROW4(DI)
	VPSLLD    $16, Y1, Y1
	VPSLLD    $16, Y3, Y3
	VPBLENDW  $0xaa, Y1, Y0, Y0
	VPBLENDW  $0xaa, Y3, Y2, Y1
	VPBLENDW  $0xaa, Y15, Y2, Y2
	VPBLENDW  $0xaa, Y15, Y4, Y4
	VMOVDQU   Y0, DOWN0(DI)
	VMOVDQU   Y1, DOWN1(DI)
	VMOVDQU   Y2, LAST0(DI)
	VMOVDQU   Y4, LAST1(DI)
	ADDQ      $16, SI
	ADDQ      $32, DI
	SUBQ      $8, CX
	JGT       pairs
	VZEROUPPER
	RET

// func firstAVX2(dst *uint8, channels int, pairs *firstPairs, n int, record *firstRecord8)
//
// Eight channels of a row of n pooled outputs. Their weights stay in Y0..Y4 while the positions pass by.
//
//	Y8..Y11 sums of windows (0,0) (0,1) (1,0) (1,1), pairs of x in Y12 and Y13, products in Y12 and Y13 too
#define TAP(at, w, sum) \
	VPBROADCASTD at(SI), Y12      \
	VPMADDWD     w, Y12, Y12      \
	VPADDD       Y12, sum, sum

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
	BOUNDS

output:
	VPBROADCASTD ROW2(SI), Y12
	VPBROADCASTD ROW2+4(SI), Y13
	VPMADDWD     Y2, Y12, Y8
	VPMADDWD     Y2, Y13, Y9
	VPMADDWD     Y0, Y12, Y10
	VPMADDWD     Y0, Y13, Y11
	TAP(ROW0, Y0, Y8)
	TAP(ROW0+4, Y0, Y9)
	TAP(ROW3, Y1, Y10)
	TAP(ROW3+4, Y1, Y11)
	TAP(ROW1, Y1, Y8)
	TAP(ROW1+4, Y1, Y9)
	TAP(ROW4, Y2, Y10)
	TAP(ROW4+4, Y2, Y11)
	TAP(DOWN0+4, Y3, Y8)
	TAP(DOWN0+8, Y3, Y9)
	TAP(DOWN1+4, Y3, Y10)
	TAP(DOWN1+8, Y3, Y11)
	TAP(LAST0+4, Y4, Y8)
	TAP(LAST0+8, Y4, Y9)
	TAP(LAST1+4, Y4, Y10)
	TAP(LAST1+8, Y4, Y11)
	VPMAXSD      Y9, Y8, Y8
	VPMAXSD      Y11, Y10, Y10
	VPMAXSD      Y10, Y8, Y8
	VPADDD       Y5, Y8, Y8
	VCVTDQ2PS    Y8, Y8
	VMULPS       Y6, Y8, Y8
	VMINPS       Y14, Y8, Y8
	VCVTPS2DQ    Y8, Y8
	VEXTRACTI128 $1, Y8, X9
	VPACKSSDW    X9, X8, X8
	VPACKUSWB    X8, X8, X8
	VMOVQ        X8, (DI)
	ADDQ         R8, DI
	ADDQ         $8, SI
	DECQ         CX
	JNZ          output
	VZEROUPPER
	RET
