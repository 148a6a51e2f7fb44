#include "textflag.h"

// Bodies for AVX-512 (F, BW, DQ, VL). Target CPUs: Skylake-X and later, Zen 4 and later.

// func rows6x64AVX512(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int, w *float32, wStep int, bias *float32)
//
// Six positions times 64 channels; steps and strides in bytes, runLen in values.
//
//	          w[k]: Z24   Z25   Z26   Z27
//	x[0][k]:        Z0    Z1    Z2    Z3
//	x[1][k]:        Z4    Z5    Z6    Z7
//	  ...
//	x[5][k]:        Z20   Z21   Z22   Z23     x broadcast through Z28..Z31
//
// 24 independent sums hide the latency of the FMA; per k there are 24 FMAs for 10 loads.
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
// Sixteen channels at a time; f in bytes. Z0 holds the largest value so far, Z5 its place.
// Z10..Z13 hold the places 1, 2, 3 and Dead, Z14 zero.
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

	ADDQ R8, SI // the odd position was read beside the even one
	ADDQ R8, BX
	DECQ CX
	JNZ  pool512
	VZEROUPPER
	RET

// func scatterAVX512(entries *Entry, count int, x, dx, w, dw *float32, runs, runLen, runStride int)
//
// runLen and runStride in bytes. Two loads and a store for each FMA: bound by the store port, from L1 and L2.
TEXT ·scatterAVX512(SB), NOSPLIT, $0-72
	MOVQ entries+0(FP), AX
	MOVQ count+8(FP), CX

entry512:
	VBROADCASTSS (AX), Z0
	MOVLQSX      4(AX), R8
	MOVLQSX      8(AX), R9
	MOVQ         x+16(FP), SI
	MOVQ         dx+24(FP), DI
	MOVQ         w+32(FP), BX
	MOVQ         dw+40(FP), DX
	ADDQ         R8, SI
	ADDQ         R8, DI
	ADDQ         R9, BX
	ADDQ         R9, DX
	MOVQ         runs+48(FP), R10
	MOVQ         runLen+56(FP), R11
	MOVQ         runStride+64(FP), R12

scatterRun512:
	XORQ R13, R13

scatter512:
	VMOVUPS     (DX)(R13*1), Z1
	VFMADD231PS (SI)(R13*1), Z0, Z1
	VMOVUPS     Z1, (DX)(R13*1)
	VMOVUPS     (DI)(R13*1), Z2
	VFMADD231PS (BX)(R13*1), Z0, Z2
	VMOVUPS     Z2, (DI)(R13*1)
	ADDQ        $64, R13
	CMPQ        R13, R11
	JLT         scatter512

	ADDQ R11, DX
	ADDQ R11, BX
	ADDQ R12, SI
	ADDQ R12, DI
	DECQ R10
	JNZ  scatterRun512

	ADDQ $12, AX
	DECQ CX
	JNZ  entry512
	VZEROUPPER
	RET

// func scatter4AVX512(entries *Entry, count int, x, dx, w, dw *float32, runs, runLen, runStride int)
//
// Four entries at a time whose windows start at the same place; count is a multiple of 4, runLen and runStride are in bytes. x and dx are
// loaded once for four channels: ten loads and five stores for eight FMAs.
//
//	Z0..Z3 gradients   Z4 x   Z5 dx   Z6..Z9 dw
//	R8..R11 w        BX CX DX R12 dw     SI x   DI dx   R13 offset inside the run   AX end of the run
TEXT ·scatter4AVX512(SB), NOSPLIT, $24-72
	MOVQ entries+0(FP), R15
	MOVQ count+8(FP), AX
	MOVQ AX, left-8(SP)

four512:
	VBROADCASTSS 0(R15), Z0
	VBROADCASTSS 12(R15), Z1
	VBROADCASTSS 24(R15), Z2
	VBROADCASTSS 36(R15), Z3
	MOVLQSX      4(R15), AX
	MOVQ         x+16(FP), SI
	ADDQ         AX, SI
	MOVQ         dx+24(FP), DI
	ADDQ         AX, DI
	MOVLQSX      8(R15), R8
	MOVQ         dw+40(FP), BX
	ADDQ         R8, BX
	ADDQ         w+32(FP), R8
	MOVLQSX      20(R15), R9
	MOVQ         dw+40(FP), CX
	ADDQ         R9, CX
	ADDQ         w+32(FP), R9
	MOVLQSX      32(R15), R10
	MOVQ         dw+40(FP), DX
	ADDQ         R10, DX
	ADDQ         w+32(FP), R10
	MOVLQSX      44(R15), R11
	MOVQ         dw+40(FP), R12
	ADDQ         R11, R12
	ADDQ         w+32(FP), R11
	MOVQ         runs+48(FP), AX
	MOVQ         AX, runsLeft-16(SP)
	MOVQ         runLen+56(FP), AX

run4x512:
	XORQ R13, R13

values4x512:
	VMOVUPS     (SI)(R13*1), Z4
	VMOVUPS     (DI)(R13*1), Z5
	VMOVUPS     (BX)(R13*1), Z6
	VMOVUPS     (CX)(R13*1), Z7
	VMOVUPS     (DX)(R13*1), Z8
	VMOVUPS     (R12)(R13*1), Z9
	VFMADD231PS Z4, Z0, Z6
	VFMADD231PS (R8)(R13*1), Z0, Z5
	VFMADD231PS Z4, Z1, Z7
	VFMADD231PS (R9)(R13*1), Z1, Z5
	VFMADD231PS Z4, Z2, Z8
	VFMADD231PS (R10)(R13*1), Z2, Z5
	VFMADD231PS Z4, Z3, Z9
	VFMADD231PS (R11)(R13*1), Z3, Z5
	VMOVUPS     Z6, (BX)(R13*1)
	VMOVUPS     Z7, (CX)(R13*1)
	VMOVUPS     Z8, (DX)(R13*1)
	VMOVUPS     Z9, (R12)(R13*1)
	VMOVUPS     Z5, (DI)(R13*1)
	ADDQ        $64, R13
	CMPQ        R13, AX
	JLT         values4x512

	ADDQ AX, R8
	ADDQ AX, BX
	ADDQ AX, R9
	ADDQ AX, CX
	ADDQ AX, R10
	ADDQ AX, DX
	ADDQ AX, R11
	ADDQ AX, R12
	ADDQ runStride+64(FP), SI
	ADDQ runStride+64(FP), DI
	DECQ runsLeft-16(SP)
	JNZ  run4x512

	ADDQ $48, R15
	SUBQ $4, left-8(SP)
	JNZ  four512
	VZEROUPPER
	RET

// func firstBackwardAVX512(dw, grad *float32, winner *uint8, x *float32, rowStride, n, f int)
//
// Sixteen channels of a row of pooled positions; rowStride and f in bytes. Nine sums stay in Z10..Z18, the bias in Z19.
// K1..K4 select the channels whose winner is place 0..3. The four windows cover 5 x 5 pixels, whose rows R8..R12 point to.
//
//	place s = (dy, dx), tap (r, t): pixel (2*dy + r, 2*dx + t)
#define TAPS(r0, r1, r2, o0, o1, o2, k) \
	VFMADD231PS.BCST o0(r0), Z0, k, Z10 \
	VFMADD231PS.BCST o1(r0), Z0, k, Z11 \
	VFMADD231PS.BCST o2(r0), Z0, k, Z12 \
	VFMADD231PS.BCST o0(r1), Z0, k, Z13 \
	VFMADD231PS.BCST o1(r1), Z0, k, Z14 \
	VFMADD231PS.BCST o2(r1), Z0, k, Z15 \
	VFMADD231PS.BCST o0(r2), Z0, k, Z16 \
	VFMADD231PS.BCST o1(r2), Z0, k, Z17 \
	VFMADD231PS.BCST o2(r2), Z0, k, Z18

TEXT ·firstBackwardAVX512(SB), NOSPLIT, $0-56
	MOVQ dw+0(FP), DI
	MOVQ grad+8(FP), SI
	MOVQ winner+16(FP), DX
	MOVQ x+24(FP), R8
	MOVQ rowStride+32(FP), AX
	MOVQ n+40(FP), CX
	MOVQ f+48(FP), BX
	MOVQ BX, R13
	SHRQ $2, R13                // bytes of a row of winners
	LEAQ (R8)(AX*1), R9
	LEAQ (R8)(AX*2), R10
	LEAQ (R9)(AX*2), R11
	LEAQ (R10)(AX*2), R12

	MOVL         $1, AX
	VPBROADCASTD AX, Z21
	MOVL         $2, AX
	VPBROADCASTD AX, Z22
	MOVL         $3, AX
	VPBROADCASTD AX, Z23
	VPXORD       Z20, Z20, Z20
	MOVQ         DI, AX
	VMOVUPS (AX), Z10
	ADDQ BX, AX
	VMOVUPS (AX), Z11
	ADDQ BX, AX
	VMOVUPS (AX), Z12
	ADDQ BX, AX
	VMOVUPS (AX), Z13
	ADDQ BX, AX
	VMOVUPS (AX), Z14
	ADDQ BX, AX
	VMOVUPS (AX), Z15
	ADDQ BX, AX
	VMOVUPS (AX), Z16
	ADDQ BX, AX
	VMOVUPS (AX), Z17
	ADDQ BX, AX
	VMOVUPS (AX), Z18
	ADDQ BX, AX
	VMOVUPS (AX), Z19

first512:
	VMOVUPS   (SI), Z0
	VPMOVZXBD (DX), Z1
	VPCMPEQD  Z20, Z1, K1
	VPCMPEQD  Z21, Z1, K2
	VPCMPEQD  Z22, Z1, K3
	VPCMPEQD  Z23, Z1, K4
	KORW      K1, K2, K5
	KORW      K3, K4, K6
	KORW      K5, K6, K5
	VADDPS    Z0, Z19, K5, Z19
	TAPS(R8, R9, R10, 0, 4, 8, K1)
	TAPS(R8, R9, R10, 8, 12, 16, K2)
	TAPS(R10, R11, R12, 0, 4, 8, K3)
	TAPS(R10, R11, R12, 8, 12, 16, K4)
	ADDQ      BX, SI
	ADDQ      R13, DX
	ADDQ      $16, R8
	ADDQ      $16, R9
	ADDQ      $16, R10
	ADDQ      $16, R11
	ADDQ      $16, R12
	DECQ      CX
	JNZ       first512

	VMOVUPS Z10, (DI)
	ADDQ BX, DI
	VMOVUPS Z11, (DI)
	ADDQ BX, DI
	VMOVUPS Z12, (DI)
	ADDQ BX, DI
	VMOVUPS Z13, (DI)
	ADDQ BX, DI
	VMOVUPS Z14, (DI)
	ADDQ BX, DI
	VMOVUPS Z15, (DI)
	ADDQ BX, DI
	VMOVUPS Z16, (DI)
	ADDQ BX, DI
	VMOVUPS Z17, (DI)
	ADDQ BX, DI
	VMOVUPS Z18, (DI)
	ADDQ BX, DI
	VMOVUPS Z19, (DI)
	VZEROUPPER
	RET
