#include "textflag.h"

// Kernels for AVX2 with FMA. Target CPUs: Haswell and later, Zen and later.

// func rows6x16AVX2(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int,
//	w *float32, wStep int, bias *float32)
//
// Six positions times 16 channels. Steps and strides are in bytes, runLen in values.
//
//	          w[k]: Y12   Y13
//	x[0][k]:        Y0    Y1
//	x[1][k]:        Y2    Y3
//	  ...
//	x[5][k]:        Y10   Y11     x broadcast through Y14 and Y15
#define ROW2(a, b, xreg) \
	VFMADD231PS Y12, xreg, a \
	VFMADD231PS Y13, xreg, b

#define STORE2(a, b) \
	VMOVUPS a, (DI)   \
	VMOVUPS b, 32(DI) \
	ADDQ    R10, DI

TEXT ·rows6x16AVX2(SB), NOSPLIT, $0-80
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

	VMOVUPS (AX), Y0
	VMOVUPS 32(AX), Y1
	VMOVAPS Y0, Y2
	VMOVAPS Y1, Y3
	VMOVAPS Y0, Y4
	VMOVAPS Y1, Y5
	VMOVAPS Y0, Y6
	VMOVAPS Y1, Y7
	VMOVAPS Y0, Y8
	VMOVAPS Y1, Y9
	VMOVAPS Y0, Y10
	VMOVAPS Y1, Y11

run16:
	MOVQ SI, R9           // positions 0, 1, 2
	LEAQ (SI)(R8*2), DX
	ADDQ R8, DX           // positions 3, 4, 5
	MOVQ R11, AX

value16:
	VMOVUPS      (BX), Y12
	VMOVUPS      32(BX), Y13
	VBROADCASTSS (R9), Y14
	VBROADCASTSS (R9)(R8*1), Y15
	ROW2(Y0, Y1, Y14)
	VBROADCASTSS (R9)(R8*2), Y14
	ROW2(Y2, Y3, Y15)
	VBROADCASTSS (DX), Y15
	ROW2(Y4, Y5, Y14)
	VBROADCASTSS (DX)(R8*1), Y14
	ROW2(Y6, Y7, Y15)
	VBROADCASTSS (DX)(R8*2), Y15
	ROW2(Y8, Y9, Y14)
	ROW2(Y10, Y11, Y15)
	ADDQ         R13, BX
	ADDQ         $4, R9
	ADDQ         $4, DX
	DECQ         AX
	JNZ          value16

	ADDQ R12, SI
	DECQ CX
	JNZ  run16

	STORE2(Y0, Y1)
	STORE2(Y2, Y3)
	STORE2(Y4, Y5)
	STORE2(Y6, Y7)
	STORE2(Y8, Y9)
	STORE2(Y10, Y11)
	VZEROUPPER
	RET

// func rows6x8AVX2(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int,
//	w *float32, wStep int, bias *float32)
//
// Six positions times 8 channels, Y0..Y5: the last ones when their number is not a multiple of 16.
TEXT ·rows6x8AVX2(SB), NOSPLIT, $0-80
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

	VMOVUPS (AX), Y0
	VMOVAPS Y0, Y1
	VMOVAPS Y0, Y2
	VMOVAPS Y0, Y3
	VMOVAPS Y0, Y4
	VMOVAPS Y0, Y5

run8:
	MOVQ SI, R9           // positions 0, 1, 2
	LEAQ (SI)(R8*2), DX
	ADDQ R8, DX           // positions 3, 4, 5
	MOVQ R11, AX

value8:
	VMOVUPS      (BX), Y12
	VBROADCASTSS (R9), Y14
	VBROADCASTSS (R9)(R8*1), Y15
	VFMADD231PS  Y12, Y14, Y0
	VBROADCASTSS (R9)(R8*2), Y14
	VFMADD231PS  Y12, Y15, Y1
	VBROADCASTSS (DX), Y15
	VFMADD231PS  Y12, Y14, Y2
	VBROADCASTSS (DX)(R8*1), Y14
	VFMADD231PS  Y12, Y15, Y3
	VBROADCASTSS (DX)(R8*2), Y15
	VFMADD231PS  Y12, Y14, Y4
	VFMADD231PS  Y12, Y15, Y5
	ADDQ         R13, BX
	ADDQ         $4, R9
	ADDQ         $4, DX
	DECQ         AX
	JNZ          value8

	ADDQ R12, SI
	DECQ CX
	JNZ  run8

	VMOVUPS Y0, (DI)
	VMOVUPS Y1, (DI)(R10*1)
	LEAQ    (DI)(R10*2), DI
	VMOVUPS Y2, (DI)
	VMOVUPS Y3, (DI)(R10*1)
	LEAQ    (DI)(R10*2), DI
	VMOVUPS Y4, (DI)
	VMOVUPS Y5, (DI)(R10*1)
	VZEROUPPER
	RET

// func poolReLUAVX2(dst *float32, winner *uint8, top, bottom *float32, n, f int)
//
// Eight channels at a time; f is in bytes. Y0 holds the largest value so far, Y5 its place.
// Y10..Y13 hold the places 1, 2, 3 and Dead; Y14 is zero.
TEXT ·poolReLUAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ winner+8(FP), DX
	MOVQ top+16(FP), SI
	MOVQ bottom+24(FP), BX
	MOVQ n+32(FP), CX
	MOVQ f+40(FP), R8

	MOVL         $1, AX
	VMOVD        AX, X10
	VPBROADCASTD X10, Y10
	VPADDD       Y10, Y10, Y11
	VPADDD       Y10, Y11, Y12
	VPADDD       Y11, Y11, Y13
	VPXOR        Y14, Y14, Y14

pool2:
	MOVQ R8, R9

channels2:
	VMOVUPS      (SI), Y0
	VMOVUPS      (SI)(R8*1), Y1
	VMOVUPS      (BX), Y2
	VMOVUPS      (BX)(R8*1), Y3
	VCMPPS       $0x1e, Y0, Y1, Y6     // Y1 > Y0
	VBLENDVPS    Y6, Y1, Y0, Y0
	VBLENDVPS    Y6, Y10, Y14, Y5
	VCMPPS       $0x1e, Y0, Y2, Y6
	VBLENDVPS    Y6, Y2, Y0, Y0
	VBLENDVPS    Y6, Y11, Y5, Y5
	VCMPPS       $0x1e, Y0, Y3, Y6
	VBLENDVPS    Y6, Y3, Y0, Y0
	VBLENDVPS    Y6, Y12, Y5, Y5
	VCMPPS       $0x1a, Y14, Y0, Y6    // not greater than zero
	VBLENDVPS    Y6, Y14, Y0, Y0
	VBLENDVPS    Y6, Y13, Y5, Y5
	VMOVUPS      Y0, (DI)
	VEXTRACTI128 $1, Y5, X6
	VPACKSSDW    X6, X5, X5
	VPACKUSWB    X5, X5, X5
	VMOVQ        X5, (DX)
	ADDQ         $32, SI
	ADDQ         $32, BX
	ADDQ         $32, DI
	ADDQ         $8, DX
	SUBQ         $32, R9
	JNZ          channels2

	ADDQ R8, SI // the odd position was read with the even one
	ADDQ R8, BX
	DECQ CX
	JNZ  pool2
	VZEROUPPER
	RET
