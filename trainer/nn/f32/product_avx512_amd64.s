#include "textflag.h"

// Products for AVX-512 F. Target CPUs: Skylake-X and later, Zen 4 and later.

// func product8x48AVX512(dst *float32, dstStep int, start *float32, startStep int,
//	a *float32, row, term, k int, panel *float32, relu6 int)
//
// Eight rows times 48 columns. Steps are in bytes. The panel has 48 values for each term.
//
//	      panel[k]: Z24   Z25   Z26
//	a[0][k]:        Z0    Z1    Z2
//	a[1][k]:        Z3    Z4    Z5
//	  ...
//	a[7][k]:        Z21   Z22   Z23     a broadcast through Z27..Z31
//
//	R9 row 0 of a   R8 one row   R11 three rows   DX row 3 of a   R12 one term
//
// 24 independent sums hide the latency of the FMA. Each term takes 24 FMAs and 11 loads.
#define START3(a, b, c) \
	VMOVUPS (SI), a    \
	VMOVUPS 64(SI), b  \
	VMOVUPS 128(SI), c \
	ADDQ    R13, SI

#define FMA3(a, b, c, factor) \
	VFMADD231PS Z24, factor, a \
	VFMADD231PS Z25, factor, b \
	VFMADD231PS Z26, factor, c

// VMAXPS returns its last operand, zero, for NaN.
#define LIMIT3(a, b, c) \
	VMAXPS Z24, a, a \
	VMAXPS Z24, b, b \
	VMAXPS Z24, c, c \
	VMINPS Z25, a, a \
	VMINPS Z25, b, b \
	VMINPS Z25, c, c

#define STORE3(a, b, c) \
	VMOVUPS a, (DI)    \
	VMOVUPS b, 64(DI)  \
	VMOVUPS c, 128(DI) \
	ADDQ    R10, DI

TEXT ·product8x48AVX512(SB), NOSPLIT, $0-80
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R10
	MOVQ start+16(FP), SI
	MOVQ startStep+24(FP), R13
	MOVQ a+32(FP), R9
	MOVQ row+40(FP), R8
	MOVQ term+48(FP), R12
	MOVQ k+56(FP), CX
	MOVQ panel+64(FP), BX
	MOVQ relu6+72(FP), AX
	LEAQ (R8)(R8*2), R11
	LEAQ (R9)(R11*1), DX

	START3(Z0, Z1, Z2)
	START3(Z3, Z4, Z5)
	START3(Z6, Z7, Z8)
	START3(Z9, Z10, Z11)
	START3(Z12, Z13, Z14)
	START3(Z15, Z16, Z17)
	START3(Z18, Z19, Z20)
	START3(Z21, Z22, Z23)

term:
	VMOVUPS      (BX), Z24
	VMOVUPS      64(BX), Z25
	VMOVUPS      128(BX), Z26
	VBROADCASTSS (R9), Z27
	VBROADCASTSS (R9)(R8*1), Z28
	VBROADCASTSS (R9)(R8*2), Z29
	VBROADCASTSS (DX), Z30
	VBROADCASTSS (R9)(R8*4), Z31
	FMA3(Z0, Z1, Z2, Z27)
	VBROADCASTSS (DX)(R8*2), Z27
	FMA3(Z3, Z4, Z5, Z28)
	VBROADCASTSS (R9)(R11*2), Z28
	FMA3(Z6, Z7, Z8, Z29)
	VBROADCASTSS (DX)(R8*4), Z29
	FMA3(Z9, Z10, Z11, Z30)
	FMA3(Z12, Z13, Z14, Z31)
	FMA3(Z15, Z16, Z17, Z27)
	FMA3(Z18, Z19, Z20, Z28)
	FMA3(Z21, Z22, Z23, Z29)
	ADDQ         $192, BX
	ADDQ         R12, R9
	ADDQ         R12, DX
	DECQ         CX
	JNZ          term

	TESTQ        AX, AX
	JZ           store
	VPXORD       Z24, Z24, Z24
	MOVL         $0x40c00000, AX // 6
	VPBROADCASTD AX, Z25
	LIMIT3(Z0, Z1, Z2)
	LIMIT3(Z3, Z4, Z5)
	LIMIT3(Z6, Z7, Z8)
	LIMIT3(Z9, Z10, Z11)
	LIMIT3(Z12, Z13, Z14)
	LIMIT3(Z15, Z16, Z17)
	LIMIT3(Z18, Z19, Z20)
	LIMIT3(Z21, Z22, Z23)

store:
	STORE3(Z0, Z1, Z2)
	STORE3(Z3, Z4, Z5)
	STORE3(Z6, Z7, Z8)
	STORE3(Z9, Z10, Z11)
	STORE3(Z12, Z13, Z14)
	STORE3(Z15, Z16, Z17)
	STORE3(Z18, Z19, Z20)
	STORE3(Z21, Z22, Z23)
	VZEROUPPER
	RET
