#include "textflag.h"

// Bodies for AVX2 with FMA. Target CPUs: Haswell and later, Zen and later.

// func rows6x16AVX2(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int, w *float32, wStep int, bias *float32)
//
// Six positions times 16 channels; steps and strides in bytes, runLen in values.
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

// func poolReLUAVX2(dst *float32, winner *uint8, top, bottom *float32, n, f int)
//
// Eight channels at a time; f in bytes. Y0 holds the largest value so far, Y5 its place.
// Y10..Y13 hold the places 1, 2, 3 and Dead, Y14 zero.
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

	ADDQ R8, SI // the odd position was read beside the even one
	ADDQ R8, BX
	DECQ CX
	JNZ  pool2
	VZEROUPPER
	RET

// func scatterAVX2(entries *Entry, count int, x, dx, w, dw *float32, runs, runLen, runStride int)
//
// runLen and runStride in bytes.
TEXT ·scatterAVX2(SB), NOSPLIT, $0-72
	MOVQ entries+0(FP), AX
	MOVQ count+8(FP), CX

entry2:
	VBROADCASTSS (AX), Y0
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

scatterRun2:
	XORQ R13, R13

scatter2:
	VMOVUPS     (DX)(R13*1), Y1
	VMOVUPS     32(DX)(R13*1), Y3
	VFMADD231PS (SI)(R13*1), Y0, Y1
	VFMADD231PS 32(SI)(R13*1), Y0, Y3
	VMOVUPS     Y1, (DX)(R13*1)
	VMOVUPS     Y3, 32(DX)(R13*1)
	VMOVUPS     (DI)(R13*1), Y2
	VMOVUPS     32(DI)(R13*1), Y4
	VFMADD231PS (BX)(R13*1), Y0, Y2
	VFMADD231PS 32(BX)(R13*1), Y0, Y4
	VMOVUPS     Y2, (DI)(R13*1)
	VMOVUPS     Y4, 32(DI)(R13*1)
	ADDQ        $64, R13
	CMPQ        R13, R11
	JLT         scatter2

	ADDQ R11, DX
	ADDQ R11, BX
	ADDQ R12, SI
	ADDQ R12, DI
	DECQ R10
	JNZ  scatterRun2

	ADDQ $12, AX
	DECQ CX
	JNZ  entry2
	VZEROUPPER
	RET

// func scatter4AVX2(entries *Entry, count int, x, dx, w, dw *float32, runs, runLen, runStride int)
//
// Four entries at a time whose windows start at the same place; count is a multiple of 4, runLen and runStride are in bytes. x and dx are
// loaded once for four channels: ten loads and five stores for eight FMAs.
//
//	Y0..Y3 gradients   Y4 x   Y5 dx   Y6..Y9 dw
//	R8..R11 w        BX CX DX R12 dw     SI x   DI dx   R13 offset inside the run   AX end of the run
TEXT ·scatter4AVX2(SB), NOSPLIT, $24-72
	MOVQ entries+0(FP), R15
	MOVQ count+8(FP), AX
	MOVQ AX, left-8(SP)

four2:
	VBROADCASTSS 0(R15), Y0
	VBROADCASTSS 12(R15), Y1
	VBROADCASTSS 24(R15), Y2
	VBROADCASTSS 36(R15), Y3
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

run4x2:
	XORQ R13, R13

values4x2:
	VMOVUPS     (SI)(R13*1), Y4
	VMOVUPS     (DI)(R13*1), Y5
	VMOVUPS     (BX)(R13*1), Y6
	VMOVUPS     (CX)(R13*1), Y7
	VMOVUPS     (DX)(R13*1), Y8
	VMOVUPS     (R12)(R13*1), Y9
	VFMADD231PS Y4, Y0, Y6
	VFMADD231PS (R8)(R13*1), Y0, Y5
	VFMADD231PS Y4, Y1, Y7
	VFMADD231PS (R9)(R13*1), Y1, Y5
	VFMADD231PS Y4, Y2, Y8
	VFMADD231PS (R10)(R13*1), Y2, Y5
	VFMADD231PS Y4, Y3, Y9
	VFMADD231PS (R11)(R13*1), Y3, Y5
	VMOVUPS     Y6, (BX)(R13*1)
	VMOVUPS     Y7, (CX)(R13*1)
	VMOVUPS     Y8, (DX)(R13*1)
	VMOVUPS     Y9, (R12)(R13*1)
	VMOVUPS     Y5, (DI)(R13*1)
	ADDQ        $32, R13
	CMPQ        R13, AX
	JLT         values4x2

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
	JNZ  run4x2

	ADDQ $48, R15
	SUBQ $4, left-8(SP)
	JNZ  four2
	VZEROUPPER
	RET

// func firstBackwardAVX2(dw, grad *float32, winner *uint8, x *float32, rowStride, n, f int)
//
// Eight channels of a row of pooled positions; rowStride and f in bytes. Nine sums stay in Y4..Y12, the bias in Y13.
// Y0..Y3 hold the gradient where the winner is place 0..3 and zero elsewhere, Y14 the broadcast pixel.
//
//	place s = (dy, dx), tap (r, t): pixel (2*dy + r, 2*dx + t)
#define TAP(place, sum) VFMADD231PS Y14, place, sum

TEXT ·firstBackwardAVX2(SB), NOSPLIT, $0-56
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
	MOVQ DI, AX
	VMOVUPS (AX), Y4
	ADDQ BX, AX
	VMOVUPS (AX), Y5
	ADDQ BX, AX
	VMOVUPS (AX), Y6
	ADDQ BX, AX
	VMOVUPS (AX), Y7
	ADDQ BX, AX
	VMOVUPS (AX), Y8
	ADDQ BX, AX
	VMOVUPS (AX), Y9
	ADDQ BX, AX
	VMOVUPS (AX), Y10
	ADDQ BX, AX
	VMOVUPS (AX), Y11
	ADDQ BX, AX
	VMOVUPS (AX), Y12
	ADDQ BX, AX
	VMOVUPS (AX), Y13

first2:
	VMOVUPS   (SI), Y14
	VPMOVZXBD (DX), Y15
	VPXOR     Y0, Y0, Y0
	VPCMPEQD  Y1, Y1, Y1
	VPSRLD    $31, Y1, Y1       // 1
	VPADDD    Y1, Y1, Y2        // 2
	VPADDD    Y1, Y2, Y3        // 3
	VPCMPEQD  Y0, Y15, Y0
	VPCMPEQD  Y1, Y15, Y1
	VPCMPEQD  Y2, Y15, Y2
	VPCMPEQD  Y3, Y15, Y3
	VPAND     Y14, Y0, Y0
	VPAND     Y14, Y1, Y1
	VPAND     Y14, Y2, Y2
	VPAND     Y14, Y3, Y3
	VPOR      Y0, Y1, Y14       // no channel is in two of them
	VPOR      Y2, Y3, Y15
	VPOR      Y14, Y15, Y14
	VADDPS    Y14, Y13, Y13

	VBROADCASTSS 0(R8), Y14
	TAP(Y0, Y4)
	VBROADCASTSS 4(R8), Y14
	TAP(Y0, Y5)
	VBROADCASTSS 8(R8), Y14
	TAP(Y0, Y6)
	TAP(Y1, Y4)
	VBROADCASTSS 12(R8), Y14
	TAP(Y1, Y5)
	VBROADCASTSS 16(R8), Y14
	TAP(Y1, Y6)
	VBROADCASTSS 0(R9), Y14
	TAP(Y0, Y7)
	VBROADCASTSS 4(R9), Y14
	TAP(Y0, Y8)
	VBROADCASTSS 8(R9), Y14
	TAP(Y0, Y9)
	TAP(Y1, Y7)
	VBROADCASTSS 12(R9), Y14
	TAP(Y1, Y8)
	VBROADCASTSS 16(R9), Y14
	TAP(Y1, Y9)
	VBROADCASTSS 0(R10), Y14
	TAP(Y0, Y10)
	TAP(Y2, Y4)
	VBROADCASTSS 4(R10), Y14
	TAP(Y0, Y11)
	TAP(Y2, Y5)
	VBROADCASTSS 8(R10), Y14
	TAP(Y0, Y12)
	TAP(Y1, Y10)
	TAP(Y2, Y6)
	TAP(Y3, Y4)
	VBROADCASTSS 12(R10), Y14
	TAP(Y1, Y11)
	TAP(Y3, Y5)
	VBROADCASTSS 16(R10), Y14
	TAP(Y1, Y12)
	TAP(Y3, Y6)
	VBROADCASTSS 0(R11), Y14
	TAP(Y2, Y7)
	VBROADCASTSS 4(R11), Y14
	TAP(Y2, Y8)
	VBROADCASTSS 8(R11), Y14
	TAP(Y2, Y9)
	TAP(Y3, Y7)
	VBROADCASTSS 12(R11), Y14
	TAP(Y3, Y8)
	VBROADCASTSS 16(R11), Y14
	TAP(Y3, Y9)
	VBROADCASTSS 0(R12), Y14
	TAP(Y2, Y10)
	VBROADCASTSS 4(R12), Y14
	TAP(Y2, Y11)
	VBROADCASTSS 8(R12), Y14
	TAP(Y2, Y12)
	TAP(Y3, Y10)
	VBROADCASTSS 12(R12), Y14
	TAP(Y3, Y11)
	VBROADCASTSS 16(R12), Y14
	TAP(Y3, Y12)
	ADDQ      BX, SI
	ADDQ      R13, DX
	ADDQ      $16, R8
	ADDQ      $16, R9
	ADDQ      $16, R10
	ADDQ      $16, R11
	ADDQ      $16, R12
	DECQ      CX
	JNZ       first2

	VMOVUPS Y4, (DI)
	ADDQ BX, DI
	VMOVUPS Y5, (DI)
	ADDQ BX, DI
	VMOVUPS Y6, (DI)
	ADDQ BX, DI
	VMOVUPS Y7, (DI)
	ADDQ BX, DI
	VMOVUPS Y8, (DI)
	ADDQ BX, DI
	VMOVUPS Y9, (DI)
	ADDQ BX, DI
	VMOVUPS Y10, (DI)
	ADDQ BX, DI
	VMOVUPS Y11, (DI)
	ADDQ BX, DI
	VMOVUPS Y12, (DI)
	ADDQ BX, DI
	VMOVUPS Y13, (DI)
	VZEROUPPER
	RET
