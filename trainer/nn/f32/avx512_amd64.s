#include "textflag.h"

// Kernels for AVX-512 (F, BW, DQ, VL). Target CPUs: Skylake-X and later, Zen 4 and later.

// func rows6x64AVX512(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int,
//	w *float32, wStep int, bias *float32)
//
// Six positions times 64 channels. Steps and strides are in bytes, runLen in values.
//
//	          w[k]: Z24   Z25   Z26   Z27
//	x[0][k]:        Z0    Z1    Z2    Z3
//	x[1][k]:        Z4    Z5    Z6    Z7
//	  ...
//	x[5][k]:        Z20   Z21   Z22   Z23     x broadcast through Z28..Z31
//
// 24 independent sums hide the latency of the FMA. Each k takes 24 FMAs and 10 loads.
#define ROW4(a, b, c, d, xreg) \
	VFMADD231PS Z24, xreg, a \
	VFMADD231PS Z25, xreg, b \
	VFMADD231PS Z26, xreg, c \
	VFMADD231PS Z27, xreg, d

#define STORE4(a, b, c, d) \
	VMOVUPS a, (DI)    \
	VMOVUPS b, 64(DI)  \
	VMOVUPS c, 128(DI) \
	VMOVUPS d, 192(DI) \
	ADDQ    R10, DI

TEXT ·rows6x64AVX512(SB), NOSPLIT, $0-80
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R10
	MOVQ x+16(FP), SI
	MOVQ xStep+24(FP), R8
	MOVQ runs+32(FP), CX
	MOVQ runLen+40(FP), R11
	MOVQ runStride+48(FP), R12
	MOVQ w+56(FP), BX
	MOVQ wStep+64(FP), R13
	MOVQ bias+72(FP), AX

	VMOVUPS (AX), Z0
	VMOVUPS 64(AX), Z1
	VMOVUPS 128(AX), Z2
	VMOVUPS 192(AX), Z3
	VMOVAPS Z0, Z4
	VMOVAPS Z1, Z5
	VMOVAPS Z2, Z6
	VMOVAPS Z3, Z7
	VMOVAPS Z0, Z8
	VMOVAPS Z1, Z9
	VMOVAPS Z2, Z10
	VMOVAPS Z3, Z11
	VMOVAPS Z0, Z12
	VMOVAPS Z1, Z13
	VMOVAPS Z2, Z14
	VMOVAPS Z3, Z15
	VMOVAPS Z0, Z16
	VMOVAPS Z1, Z17
	VMOVAPS Z2, Z18
	VMOVAPS Z3, Z19
	VMOVAPS Z0, Z20
	VMOVAPS Z1, Z21
	VMOVAPS Z2, Z22
	VMOVAPS Z3, Z23

run64:
	MOVQ SI, R9           // positions 0, 1, 2
	LEAQ (SI)(R8*2), DX
	ADDQ R8, DX           // positions 3, 4, 5
	MOVQ R11, AX

value64:
	VMOVUPS      (BX), Z24
	VMOVUPS      64(BX), Z25
	VMOVUPS      128(BX), Z26
	VMOVUPS      192(BX), Z27
	VBROADCASTSS (R9), Z28
	VBROADCASTSS (R9)(R8*1), Z29
	VBROADCASTSS (R9)(R8*2), Z30
	VBROADCASTSS (DX), Z31
	ROW4(Z0, Z1, Z2, Z3, Z28)
	VBROADCASTSS (DX)(R8*1), Z28
	ROW4(Z4, Z5, Z6, Z7, Z29)
	VBROADCASTSS (DX)(R8*2), Z29
	ROW4(Z8, Z9, Z10, Z11, Z30)
	ROW4(Z12, Z13, Z14, Z15, Z31)
	ROW4(Z16, Z17, Z18, Z19, Z28)
	ROW4(Z20, Z21, Z22, Z23, Z29)
	ADDQ         R13, BX
	ADDQ         $4, R9
	ADDQ         $4, DX
	DECQ         AX
	JNZ          value64

	ADDQ R12, SI
	DECQ CX
	JNZ  run64

	STORE4(Z0, Z1, Z2, Z3)
	STORE4(Z4, Z5, Z6, Z7)
	STORE4(Z8, Z9, Z10, Z11)
	STORE4(Z12, Z13, Z14, Z15)
	STORE4(Z16, Z17, Z18, Z19)
	STORE4(Z20, Z21, Z22, Z23)
	VZEROUPPER
	RET

// func poolReLUAVX512(dst *float32, winner *uint8, top, bottom *float32, n, f int)
//
// Sixteen channels at a time; f is in bytes. Z0 holds the largest value so far, Z5 its place.
// Z10..Z13 hold the places 1, 2, 3 and Dead; Z14 is zero.
TEXT ·poolReLUAVX512(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ winner+8(FP), DX
	MOVQ top+16(FP), SI
	MOVQ bottom+24(FP), BX
	MOVQ n+32(FP), CX
	MOVQ f+40(FP), R8

	MOVL         $1, AX
	VPBROADCASTD AX, Z10
	MOVL         $2, AX
	VPBROADCASTD AX, Z11
	MOVL         $3, AX
	VPBROADCASTD AX, Z12
	MOVL         $4, AX
	VPBROADCASTD AX, Z13
	VPXORD       Z14, Z14, Z14

pool512:
	MOVQ R8, R9

channels512:
	VMOVUPS   (SI), Z0
	VMOVUPS   (SI)(R8*1), Z1
	VMOVUPS   (BX), Z2
	VMOVUPS   (BX)(R8*1), Z3
	VPXORD    Z5, Z5, Z5
	VCMPPS    $0x1e, Z0, Z1, K1      // Z1 > Z0
	VMOVAPS   Z1, K1, Z0
	VMOVDQA32 Z10, K1, Z5
	VCMPPS    $0x1e, Z0, Z2, K1
	VMOVAPS   Z2, K1, Z0
	VMOVDQA32 Z11, K1, Z5
	VCMPPS    $0x1e, Z0, Z3, K1
	VMOVAPS   Z3, K1, Z0
	VMOVDQA32 Z12, K1, Z5
	VCMPPS    $0x1a, Z14, Z0, K1     // not greater than zero
	VMOVAPS   Z14, K1, Z0
	VMOVDQA32 Z13, K1, Z5
	VMOVUPS   Z0, (DI)
	VPMOVDB   Z5, (DX)
	ADDQ      $64, SI
	ADDQ      $64, BX
	ADDQ      $64, DI
	ADDQ      $16, DX
	SUBQ      $64, R9
	JNZ       channels512

	ADDQ R8, SI // the odd position was read with the even one
	ADDQ R8, BX
	DECQ CX
	JNZ  pool512
	VZEROUPPER
	RET
