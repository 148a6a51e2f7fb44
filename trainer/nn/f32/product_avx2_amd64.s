#include "textflag.h"

// Products for AVX2 with FMA. Target CPUs: Haswell and later, Zen and later.

// func product6x16AVX2(dst *float32, dstStep int, start *float32, startStep int,
//	a *float32, row, term, k int, panel *float32, relu6 int)
//
// Six rows times 16 columns. Steps are in bytes. The panel has 48 values for each term, of which
// the kernel reads 16.
//
//	      panel[k]: Y12   Y13
//	a[0][k]:        Y0    Y1
//	a[1][k]:        Y2    Y3
//	  ...
//	a[5][k]:        Y10   Y11     a broadcast through Y14 and Y15
//
//	R9 row 0 of a   R8 one row   DX row 3 of a   R12 one term
#define START2(a, b) \
	VMOVUPS (SI), a   \
	VMOVUPS 32(SI), b \
	ADDQ    R13, SI

#define FMA2(a, b, factor) \
	VFMADD231PS Y12, factor, a \
	VFMADD231PS Y13, factor, b

// VMAXPS returns its last operand, zero, for NaN.
#define LIMIT2(a, b) \
	VMAXPS Y12, a, a \
	VMAXPS Y12, b, b \
	VMINPS Y13, a, a \
	VMINPS Y13, b, b

#define STORE2(a, b) \
	VMOVUPS a, (DI)   \
	VMOVUPS b, 32(DI) \
	ADDQ    R10, DI

#define ARGUMENTS \
	MOVQ dst+0(FP), DI         \
	MOVQ dstStep+8(FP), R10    \
	MOVQ start+16(FP), SI      \
	MOVQ startStep+24(FP), R13 \
	MOVQ a+32(FP), R9          \
	MOVQ row+40(FP), R8        \
	MOVQ term+48(FP), R12      \
	MOVQ k+56(FP), CX          \
	MOVQ panel+64(FP), BX      \
	MOVQ relu6+72(FP), AX

#define LIMITS \
	MOVL         $0x40c00000, AX \ // 6
	VMOVD        AX, X13         \
	VPBROADCASTD X13, Y13        \
	VPXOR        Y12, Y12, Y12

TEXT ·product6x16AVX2(SB), NOSPLIT, $0-80
	ARGUMENTS
	LEAQ (R9)(R8*2), DX
	ADDQ R8, DX

	START2(Y0, Y1)
	START2(Y2, Y3)
	START2(Y4, Y5)
	START2(Y6, Y7)
	START2(Y8, Y9)
	START2(Y10, Y11)

term6:
	VMOVUPS      (BX), Y12
	VMOVUPS      32(BX), Y13
	VBROADCASTSS (R9), Y14
	VBROADCASTSS (R9)(R8*1), Y15
	FMA2(Y0, Y1, Y14)
	VBROADCASTSS (R9)(R8*2), Y14
	FMA2(Y2, Y3, Y15)
	VBROADCASTSS (DX), Y15
	FMA2(Y4, Y5, Y14)
	VBROADCASTSS (DX)(R8*1), Y14
	FMA2(Y6, Y7, Y15)
	VBROADCASTSS (DX)(R8*2), Y15
	FMA2(Y8, Y9, Y14)
	FMA2(Y10, Y11, Y15)
	ADDQ         $192, BX
	ADDQ         R12, R9
	ADDQ         R12, DX
	DECQ         CX
	JNZ          term6

	TESTQ AX, AX
	JZ    store6
	LIMITS
	LIMIT2(Y0, Y1)
	LIMIT2(Y2, Y3)
	LIMIT2(Y4, Y5)
	LIMIT2(Y6, Y7)
	LIMIT2(Y8, Y9)
	LIMIT2(Y10, Y11)

store6:
	STORE2(Y0, Y1)
	STORE2(Y2, Y3)
	STORE2(Y4, Y5)
	STORE2(Y6, Y7)
	STORE2(Y8, Y9)
	STORE2(Y10, Y11)
	VZEROUPPER
	RET

// func product1x16AVX2(dst *float32, dstStep int, start *float32, startStep int,
//	a *float32, row, term, k int, panel *float32, relu6 int)
//
// One row: the last ones when their number is not a multiple of a tile.
TEXT ·product1x16AVX2(SB), NOSPLIT, $0-80
	ARGUMENTS
	START2(Y0, Y1)

term1:
	VBROADCASTSS (R9), Y14
	VFMADD231PS  (BX), Y14, Y0
	VFMADD231PS  32(BX), Y14, Y1
	ADDQ         $192, BX
	ADDQ         R12, R9
	DECQ         CX
	JNZ          term1

	TESTQ AX, AX
	JZ    store1
	LIMITS
	LIMIT2(Y0, Y1)

store1:
	STORE2(Y0, Y1)
	VZEROUPPER
	RET

// func packPanel(panel, b *float32, bStep, k, columns int)
//
// Copies columns (in bytes, a multiple of 64) of k rows of b into a panel.
TEXT ·packPanel(SB), NOSPLIT, $0-40
	MOVQ panel+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ bStep+16(FP), R8
	MOVQ k+24(FP), CX
	MOVQ columns+32(FP), R10

row:
	MOVQ R10, AX

columns:
	VMOVUPS -64(SI)(AX*1), Y0
	VMOVUPS -32(SI)(AX*1), Y1
	VMOVUPS Y0, -64(DI)(AX*1)
	VMOVUPS Y1, -32(DI)(AX*1)
	SUBQ    $64, AX
	JNZ     columns
	ADDQ    R8, SI
	ADDQ    $192, DI
	DECQ    CX
	JNZ     row
	VZEROUPPER
	RET

// func relu6AVX2(y *float32, n int)
//
// n is in bytes, a multiple of 32.
TEXT ·relu6AVX2(SB), NOSPLIT, $0-16
	MOVQ y+0(FP), DI
	MOVQ n+8(FP), CX
	LIMITS

values:
	VMOVUPS -32(DI)(CX*1), Y0
	VMAXPS  Y12, Y0, Y0
	VMINPS  Y13, Y0, Y0
	VMOVUPS Y0, -32(DI)(CX*1)
	SUBQ    $32, CX
	JNZ     values
	VZEROUPPER
	RET

// func anyValueAVX2(x *float32, n int) bool
//
// n is in bytes, a multiple of 32.
TEXT ·anyValueAVX2(SB), NOSPLIT, $0-17
	MOVQ  x+0(FP), SI
	MOVQ  n+8(FP), CX
	VPXOR Y14, Y14, Y14

test:
	VCMPPS    $4, (SI), Y14, Y0 // not equal to 0, or NaN
	VMOVMSKPS Y0, AX
	TESTL     AX, AX
	JNZ       found
	ADDQ      $32, SI
	SUBQ      $32, CX
	JNZ       test

found:
	TESTL AX, AX
	SETNE ret+16(FP)
	VZEROUPPER
	RET

// func relu6GradientAVX2(dy, y, sums *float32, n, c int)
//
// Eight channels at a time; c is in bytes, a multiple of 32. Y14 is zero, Y15 six.
TEXT ·relu6GradientAVX2(SB), NOSPLIT, $0-40
	MOVQ         dy+0(FP), DI
	MOVQ         y+8(FP), SI
	MOVQ         sums+16(FP), DX
	MOVQ         n+24(FP), CX
	MOVQ         c+32(FP), R8
	MOVL         $0x40c00000, AX
	VMOVD        AX, X15
	VPBROADCASTD X15, Y15
	VPXOR        Y14, Y14, Y14

position:
	XORQ AX, AX

channels:
	VMOVUPS (SI)(AX*1), Y0
	VCMPPS  $0x1e, Y14, Y0, Y1 // y > 0
	VCMPPS  $0x11, Y15, Y0, Y2 // y < 6
	VANDPS  Y1, Y2, Y1
	VANDPS  (DI)(AX*1), Y1, Y1
	VMOVUPS Y1, (DI)(AX*1)
	VADDPS  (DX)(AX*1), Y1, Y1
	VMOVUPS Y1, (DX)(AX*1)
	ADDQ    $32, AX
	CMPQ    AX, R8
	JB      channels
	ADDQ    R8, DI
	ADDQ    R8, SI
	DECQ    CX
	JNZ     position
	VZEROUPPER
	RET
