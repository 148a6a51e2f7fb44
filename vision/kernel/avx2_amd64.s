#include "textflag.h"
#include "avx2_amd64.h"

// Bodies for AVX2 without VNNI. Target CPUs: Haswell and later, Zen to Zen 3.

// func widenAVX2(dst *byte, src *uint8, n int)
//
// Converts n bytes to n 16-bit values. It reads and writes no other bytes.
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

// func rows6x16AVX2(dst *int32, dstStep int, x *byte, xStep, runs, pairs, runStride int,
//	w *int16, bias *int32)
//
// Six positions times 16 channels on widened values. Steps and strides are in bytes; a run has
// pairs pairs of values.
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

	ADDQ R8, SI // skip the odd position, which was read together with the even one
	ADDQ R8, BX
	DECQ CX
	JNZ  position
	VZEROUPPER
	RET

// func requantizeAVX2(dst *uint8, sums *int32, mult *float32, channels, n int)
//
// n positions of channels, sixteen channels at a time.
TEXT ·requantizeAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ sums+8(FP), SI
	MOVQ mult+16(FP), BX
	MOVQ channels+24(FP), R8
	MOVQ n+32(FP), R9
	BOUNDS

position:
	MOVQ BX, DX
	MOVQ R8, CX

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
	DECQ    R9
	JNZ     position
	VZEROUPPER
	RET
