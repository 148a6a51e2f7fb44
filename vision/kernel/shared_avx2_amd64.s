#include "textflag.h"
#include "avx2_amd64.h"

// Convolutions under a 2x2 pool for AVX2. shared_avx2_amd64.go explains the arithmetic.

// func transformAVX2(dst *byte, x *uint8, row, inC int)
//
// Transforms the 5x5 values of one position, 16 channels at a time, to 25 slots of 16 16-bit
// values. Row 2 stays in Y0..Y4 and is subtracted from rows 0 and 4. The same is done along each
// row.
#define SLOT(n) (n*32)(DI)

// WIDE loads the five positions of row r.
#define WIDE(r, a, b, c, d, e) \
	VPMOVZXBW (r), a         \
	VPMOVZXBW (r)(R11*1), b  \
	VPMOVZXBW (r)(R11*2), c  \
	VPMOVZXBW (r)(R12*1), d  \
	VPMOVZXBW (r)(R11*4), e

#define ACROSS(a, b, c, d, e, s0, s1, s2, s3, s4) \
	VPSUBW  c, a, Y10     \
	VPSUBW  c, e, Y11     \
	VMOVDQU Y10, SLOT(s0) \
	VMOVDQU b, SLOT(s1)   \
	VMOVDQU Y11, SLOT(s2) \
	VMOVDQU d, SLOT(s3)   \
	VMOVDQU c, SLOT(s4)

#define MINUSROW2 \
	VPSUBW Y0, Y5, Y5 \
	VPSUBW Y1, Y6, Y6 \
	VPSUBW Y2, Y7, Y7 \
	VPSUBW Y3, Y8, Y8 \
	VPSUBW Y4, Y9, Y9

TEXT ·transformAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ row+16(FP), R8
	MOVQ inC+24(FP), R11
	LEAQ (R11)(R11*2), R12
	LEAQ (SI)(R8*1), R9
	LEAQ (SI)(R8*2), R10
	LEAQ (R9)(R8*2), R13
	LEAQ (R10)(R8*2), DX
	MOVQ R11, CX

slice:
	WIDE(R10, Y0, Y1, Y2, Y3, Y4)
	ACROSS(Y0, Y1, Y2, Y3, Y4, 20, 21, 22, 23, 24)
	WIDE(SI, Y5, Y6, Y7, Y8, Y9)
	MINUSROW2
	ACROSS(Y5, Y6, Y7, Y8, Y9, 0, 1, 4, 5, 8)
	WIDE(R9, Y5, Y6, Y7, Y8, Y9)
	ACROSS(Y5, Y6, Y7, Y8, Y9, 2, 3, 6, 7, 9)
	WIDE(DX, Y5, Y6, Y7, Y8, Y9)
	MINUSROW2
	ACROSS(Y5, Y6, Y7, Y8, Y9, 10, 11, 14, 15, 18)
	WIDE(R13, Y5, Y6, Y7, Y8, Y9)
	ACROSS(Y5, Y6, Y7, Y8, Y9, 12, 13, 16, 17, 19)
	ADDQ $16, SI
	ADDQ $16, R9
	ADDQ $16, R10
	ADDQ $16, R13
	ADDQ $16, DX
	ADDQ $800, DI
	SUBQ $16, CX
	JNZ  slice
	VZEROUPPER
	RET

// func rows3x32AVX2(dst *int32, dstStep int, x *byte, xStep, runs, pairs, runStride int,
//	w *int16, wStep int, bias *int32)
//
// Three positions times 32 channels, for the end of a row. As rows6x16AVX2, with the weights of the
// second 16 channels wStep bytes after the first. The sums of position p are in Y(4p)..Y(4p+3),
// weights in Y12 and Y13, x in Y14, products in Y15.
#define PAIR2(at, a, b) \
	VPBROADCASTD at, Y14        \
	VPMADDWD     Y12, Y14, Y15  \
	VPADDD       Y15, a, a      \
	VPMADDWD     Y13, Y14, Y15  \
	VPADDD       Y15, b, b

#define STORE4(a, b, c, d) \
	VMOVDQU a, (DI)    \
	VMOVDQU b, 32(DI)  \
	VMOVDQU c, 64(DI)  \
	VMOVDQU d, 96(DI)  \
	ADDQ    R10, DI

TEXT ·rows3x32AVX2(SB), NOSPLIT, $0-80
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R10
	MOVQ x+16(FP), SI
	MOVQ xStep+24(FP), R8
	MOVQ runs+32(FP), CX
	MOVQ pairs+40(FP), R11
	MOVQ runStride+48(FP), R12
	MOVQ w+56(FP), BX
	MOVQ wStep+64(FP), R13
	MOVQ bias+72(FP), AX

	VMOVDQU (AX), Y0
	VMOVDQU 32(AX), Y1
	VMOVDQU 64(AX), Y2
	VMOVDQU 96(AX), Y3
	VMOVDQA Y0, Y4
	VMOVDQA Y1, Y5
	VMOVDQA Y2, Y6
	VMOVDQA Y3, Y7
	VMOVDQA Y0, Y8
	VMOVDQA Y1, Y9
	VMOVDQA Y2, Y10
	VMOVDQA Y3, Y11

run:
	MOVQ SI, R9
	MOVQ R11, AX

pair:
	VMOVDQU (BX), Y12
	VMOVDQU 32(BX), Y13
	PAIR2((R9), Y0, Y1)
	PAIR2((R9)(R8*1), Y4, Y5)
	PAIR2((R9)(R8*2), Y8, Y9)
	VMOVDQU (BX)(R13*1), Y12
	VMOVDQU 32(BX)(R13*1), Y13
	PAIR2((R9), Y2, Y3)
	PAIR2((R9)(R8*1), Y6, Y7)
	PAIR2((R9)(R8*2), Y10, Y11)
	ADDQ $64, BX
	ADDQ $4, R9
	DECQ AX
	JNZ  pair

	ADDQ R12, SI
	DECQ CX
	JNZ  run

	STORE4(Y0, Y1, Y2, Y3)
	STORE4(Y4, Y5, Y6, Y7)
	STORE4(Y8, Y9, Y10, Y11)
	VZEROUPPER
	RET

// func combineAVX2(dst *uint8, sums *[9][tileAVX2][32]int32, position int, mult *float32)
//
// Computes 32 bytes of output from the nine sums of a position. EIGHT computes the maximum of the
// four windows for eight channels.
#define SUM(s, at) (s*768+at)(SI)

#define EIGHT(at, out) \
	VMOVDQU SUM(8, at), Y2      \
	VPADDD  SUM(7, at), Y2, Y3  \
	VPADDD  SUM(6, at), Y2, Y2  \
	VMOVDQU SUM(2, at), Y4      \
	VMOVDQU SUM(5, at), Y6      \
	VPADDD  SUM(1, at), Y4, Y5  \
	VPADDD  SUM(0, at), Y4, Y4  \
	VPADDD  SUM(4, at), Y6, Y7  \
	VPADDD  SUM(3, at), Y6, Y6  \
	VPADDD  Y2, Y4, Y4          \
	VPADDD  Y3, Y5, Y5          \
	VPADDD  Y2, Y6, Y6          \
	VPADDD  Y3, Y7, Y7          \
	VPMAXSD Y5, Y4, Y4          \
	VPMAXSD Y7, Y6, Y6          \
	VPMAXSD Y6, Y4, out

TEXT ·combineAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ sums+8(FP), SI
	MOVQ position+16(FP), CX
	MOVQ mult+24(FP), DX
	SHLQ $7, CX
	ADDQ CX, SI
	BOUNDS
	EIGHT(0, Y0)
	EIGHT(32, Y1)
	BYTES16((DX), 32(DX))
	VMOVDQU X0, (DI)
	EIGHT(64, Y0)
	EIGHT(96, Y1)
	BYTES16(64(DX), 96(DX))
	VMOVDQU X0, 16(DI)
	VZEROUPPER
	RET
