#include "textflag.h"

// The first layer for AVX-512 (F, BW, DQ, VL): 3x3 windows with stride 2 over one channel, ReLU, 2
// x 2 pool. Target CPUs: Skylake-X and later, Zen 4 and later.

// func firstForwardAVX512(dst *float32, winner *uint8, x *float32, rowStride int, w, bias *float32,
//	tiles, last, f int)
//
// Sixteen channels of a row, four pooled positions at a time; rowStride and f are in bytes. The
// last tile starts "last" positions after the one before it.
//
//	Z0..Z3, Z4..Z7, Z8..Z11, Z12..Z15  the four places of each pooled position
//	Z16..Z24 weights   Z25 bias   Z26..Z29 the places 1, 2, 3 and Dead   Z30 zero   Z31 winner
//	R8..R12 the five rows of pixels under a pooled position
//
// Every FMA broadcasts its own pixel, because a core has two loads per cycle. Sixteen sums hide the
// latency.

// TAP adds one tap of all windows. Arguments: its row in the upper (u) and the lower (l) windows,
// its weight, and its column in bytes, by place and position.
#define TAP(u, l, w, a0, a1, b0, b1, c0, c1, d0, d1) \
	VFMADD231PS.BCST a0(u), w, Z0  \
	VFMADD231PS.BCST a1(u), w, Z1  \
	VFMADD231PS.BCST a0(l), w, Z2  \
	VFMADD231PS.BCST a1(l), w, Z3  \
	VFMADD231PS.BCST b0(u), w, Z4  \
	VFMADD231PS.BCST b1(u), w, Z5  \
	VFMADD231PS.BCST b0(l), w, Z6  \
	VFMADD231PS.BCST b1(l), w, Z7  \
	VFMADD231PS.BCST c0(u), w, Z8  \
	VFMADD231PS.BCST c1(u), w, Z9  \
	VFMADD231PS.BCST c0(l), w, Z10 \
	VFMADD231PS.BCST c1(l), w, Z11 \
	VFMADD231PS.BCST d0(u), w, Z12 \
	VFMADD231PS.BCST d1(u), w, Z13 \
	VFMADD231PS.BCST d0(l), w, Z14 \
	VFMADD231PS.BCST d1(l), w, Z15

#define COLUMN0(u, l, w) TAP(u, l, w, 0, 8, 16, 24, 32, 40, 48, 56)
#define COLUMN1(u, l, w) TAP(u, l, w, 4, 12, 20, 28, 36, 44, 52, 60)
#define COLUMN2(u, l, w) TAP(u, l, w, 8, 16, 24, 32, 40, 48, 56, 64)

// POOL keeps the first largest of four places if it is positive, and steps to the next position.
#define POOL(a, b, c, d) \
	VPXORD    Z31, Z31, Z31         \
	VCMPPS    $0x1e, a, b, K1       \
	VMOVAPS   b, K1, a              \
	VMOVDQA32 Z26, K1, Z31          \
	VCMPPS    $0x1e, a, c, K1       \
	VMOVAPS   c, K1, a              \
	VMOVDQA32 Z27, K1, Z31          \
	VCMPPS    $0x1e, a, d, K1       \
	VMOVAPS   d, K1, a              \
	VMOVDQA32 Z28, K1, Z31          \
	VCMPPS    $0x1a, Z30, a, K1     \
	VMOVAPS   Z30, K1, a            \
	VMOVDQA32 Z29, K1, Z31          \
	VMOVUPS   a, (DI)               \
	VPMOVDB   Z31, (DX)             \
	ADDQ      R13, DI               \
	ADDQ      BX, DX

TEXT ·firstForwardAVX512(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ winner+8(FP), DX
	MOVQ x+16(FP), R8
	MOVQ rowStride+24(FP), AX
	MOVQ w+32(FP), SI
	MOVQ tiles+48(FP), CX
	MOVQ f+64(FP), R13
	MOVQ R13, BX
	SHRQ $2, BX             // bytes of a row of winners
	LEAQ (R8)(AX*1), R9
	LEAQ (R8)(AX*2), R10
	LEAQ (R9)(AX*2), R11
	LEAQ (R10)(AX*2), R12

	VMOVUPS (SI), Z16
	ADDQ    R13, SI
	VMOVUPS (SI), Z17
	ADDQ    R13, SI
	VMOVUPS (SI), Z18
	ADDQ    R13, SI
	VMOVUPS (SI), Z19
	ADDQ    R13, SI
	VMOVUPS (SI), Z20
	ADDQ    R13, SI
	VMOVUPS (SI), Z21
	ADDQ    R13, SI
	VMOVUPS (SI), Z22
	ADDQ    R13, SI
	VMOVUPS (SI), Z23
	ADDQ    R13, SI
	VMOVUPS (SI), Z24
	MOVQ    bias+40(FP), SI
	VMOVUPS (SI), Z25
	MOVL    $1, AX
	VPBROADCASTD AX, Z26
	MOVL    $2, AX
	VPBROADCASTD AX, Z27
	MOVL    $3, AX
	VPBROADCASTD AX, Z28
	MOVL    $4, AX
	VPBROADCASTD AX, Z29
	VPXORD  Z30, Z30, Z30

tile:
	VMOVAPS Z25, Z0
	VMOVAPS Z25, Z1
	VMOVAPS Z25, Z2
	VMOVAPS Z25, Z3
	VMOVAPS Z25, Z4
	VMOVAPS Z25, Z5
	VMOVAPS Z25, Z6
	VMOVAPS Z25, Z7
	VMOVAPS Z25, Z8
	VMOVAPS Z25, Z9
	VMOVAPS Z25, Z10
	VMOVAPS Z25, Z11
	VMOVAPS Z25, Z12
	VMOVAPS Z25, Z13
	VMOVAPS Z25, Z14
	VMOVAPS Z25, Z15
	COLUMN0(R8, R10, Z16)
	COLUMN1(R8, R10, Z17)
	COLUMN2(R8, R10, Z18)
	COLUMN0(R9, R11, Z19)
	COLUMN1(R9, R11, Z20)
	COLUMN2(R9, R11, Z21)
	COLUMN0(R10, R12, Z22)
	COLUMN1(R10, R12, Z23)
	COLUMN2(R10, R12, Z24)
	POOL(Z0, Z1, Z2, Z3)
	POOL(Z4, Z5, Z6, Z7)
	POOL(Z8, Z9, Z10, Z11)
	POOL(Z12, Z13, Z14, Z15)

	MOVQ $64, AX            // four positions of four pixels
	CMPQ CX, $2
	JNE  next               // the next tile is not the last
	MOVQ last+56(FP), AX    // the last one goes back by 4 - last positions
	SUBQ $4, AX
	MOVQ AX, SI
	IMULQ R13, SI
	ADDQ SI, DI
	MOVQ AX, SI
	IMULQ BX, SI
	ADDQ SI, DX
	SHLQ $4, AX
	ADDQ $64, AX

next:
	ADDQ AX, R8
	ADDQ AX, R9
	ADDQ AX, R10
	ADDQ AX, R11
	ADDQ AX, R12
	DECQ CX
	JNZ  tile
	VZEROUPPER
	RET

// func firstBackwardAVX512(dw, grad *float32, winner *uint8, table *float32, n, f int)
//
// Sixteen channels of a row of pooled positions; f is in bytes. For each tap, the pixel of the
// winning place is selected from the four candidates in the table of firstCandidates.
//
//	Z0 gradient   Z1 winner   Z2 pixels   Z10..Z18 sums of the taps   Z19 sum of the bias
//	Z20 Dead
#define PICK(at, sum) \
	VBROADCASTF32X4 at(R8), Z2  \
	VPERMILPS       Z1, Z2, Z2  \
	VFMADD231PS     Z2, Z0, sum

TEXT ·firstBackwardAVX512(SB), NOSPLIT, $0-48
	MOVQ dw+0(FP), DI
	MOVQ grad+8(FP), SI
	MOVQ winner+16(FP), DX
	MOVQ table+24(FP), R8
	MOVQ n+32(FP), CX
	MOVQ f+40(FP), BX
	MOVQ BX, R13
	SHRQ $2, R13            // bytes of a row of winners

	MOVL         $4, AX
	VPBROADCASTD AX, Z20
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

position:
	VPMOVZXBD (DX), Z1
	VPTESTNMD Z20, Z1, K1   // not Dead
	VMOVUPS.Z (SI), K1, Z0
	VADDPS    Z0, Z19, Z19
	PICK(0, Z10)
	PICK(16, Z11)
	PICK(32, Z12)
	PICK(48, Z13)
	PICK(64, Z14)
	PICK(80, Z15)
	PICK(96, Z16)
	PICK(112, Z17)
	PICK(128, Z18)
	ADDQ      $144, R8
	ADDQ      BX, SI
	ADDQ      R13, DX
	DECQ      CX
	JNZ       position

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
