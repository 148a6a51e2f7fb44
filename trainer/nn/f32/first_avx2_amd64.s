#include "textflag.h"

// The first layer for AVX2 with FMA: 3x3 windows with stride 2 over one channel, ReLU, 2 x 2 pool.
// Target CPUs: Haswell and later, Zen and later.

// func firstForwardAVX2(dst *float32, winner *uint8, x *float32, rowStride int, w, bias *float32,
//	tiles, last, f int)
//
// Eight channels of a row, two pooled positions at a time; rowStride and f are in bytes. The last
// tile starts "last" positions after the one before it.
//
//	Y0..Y3, Y4..Y7 the four places of each pooled position     Y8 weight     Y9, Y15 pixels
//	Y10..Y13 the places 1, 2, 3 and Dead     Y14 zero
//	R8..R12 the five rows of pixels under a pooled position

// TAP adds one tap of all windows. Arguments: its row in the upper (u) and the lower (l) windows,
// its weight, and its column in bytes, by place and position.
#define TAP(u, l, a0, a1, b0, b1) \
	VMOVUPS      (SI), Y8     \
	ADDQ         R13, SI      \
	VBROADCASTSS a0(u), Y9    \
	VBROADCASTSS a1(u), Y15   \
	VFMADD231PS  Y9, Y8, Y0   \
	VFMADD231PS  Y15, Y8, Y1  \
	VBROADCASTSS a0(l), Y9    \
	VBROADCASTSS a1(l), Y15   \
	VFMADD231PS  Y9, Y8, Y2   \
	VFMADD231PS  Y15, Y8, Y3  \
	VBROADCASTSS b0(u), Y9    \
	VBROADCASTSS b1(u), Y15   \
	VFMADD231PS  Y9, Y8, Y4   \
	VFMADD231PS  Y15, Y8, Y5  \
	VBROADCASTSS b0(l), Y9    \
	VBROADCASTSS b1(l), Y15   \
	VFMADD231PS  Y9, Y8, Y6   \
	VFMADD231PS  Y15, Y8, Y7

#define ROW(u, l) \
	TAP(u, l, 0, 8, 16, 24)  \
	TAP(u, l, 4, 12, 20, 28) \
	TAP(u, l, 8, 16, 24, 32)

// POOL keeps the first largest of four places if it is positive, and steps to the next position. Y8
// holds the winner, Y9 a mask.
#define POOL(a, b, c, d) \
	VCMPPS       $0x1e, a, b, Y9    \
	VBLENDVPS    Y9, b, a, a        \
	VBLENDVPS    Y9, Y10, Y14, Y8   \
	VCMPPS       $0x1e, a, c, Y9    \
	VBLENDVPS    Y9, c, a, a        \
	VBLENDVPS    Y9, Y11, Y8, Y8    \
	VCMPPS       $0x1e, a, d, Y9    \
	VBLENDVPS    Y9, d, a, a        \
	VBLENDVPS    Y9, Y12, Y8, Y8    \
	VCMPPS       $0x1a, Y14, a, Y9  \
	VBLENDVPS    Y9, Y14, a, a      \
	VBLENDVPS    Y9, Y13, Y8, Y8    \
	VMOVUPS      a, (DI)            \
	VEXTRACTI128 $1, Y8, X9         \
	VPACKSSDW    X9, X8, X8         \
	VPACKUSWB    X8, X8, X8         \
	VMOVQ        X8, (DX)           \
	ADDQ         R13, DI            \
	ADDQ         BX, DX

TEXT ·firstForwardAVX2(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ winner+8(FP), DX
	MOVQ x+16(FP), R8
	MOVQ rowStride+24(FP), AX
	MOVQ tiles+48(FP), CX
	MOVQ f+64(FP), R13
	MOVQ R13, BX
	SHRQ $2, BX             // bytes of a row of winners
	LEAQ (R8)(AX*1), R9
	LEAQ (R8)(AX*2), R10
	LEAQ (R9)(AX*2), R11
	LEAQ (R10)(AX*2), R12

	MOVL         $1, AX
	VMOVD        AX, X10
	VPBROADCASTD X10, Y10
	VPADDD       Y10, Y10, Y11
	VPADDD       Y10, Y11, Y12
	VPADDD       Y11, Y11, Y13
	VPXOR        Y14, Y14, Y14

tile:
	MOVQ    bias+40(FP), SI
	VMOVUPS (SI), Y0
	VMOVAPS Y0, Y1
	VMOVAPS Y0, Y2
	VMOVAPS Y0, Y3
	VMOVAPS Y0, Y4
	VMOVAPS Y0, Y5
	VMOVAPS Y0, Y6
	VMOVAPS Y0, Y7
	MOVQ    w+32(FP), SI
	ROW(R8, R10)
	ROW(R9, R11)
	ROW(R10, R12)
	POOL(Y0, Y1, Y2, Y3)
	POOL(Y4, Y5, Y6, Y7)

	MOVQ  $32, AX           // two positions of four pixels
	CMPQ  CX, $2
	JNE   next              // the next tile is not the last
	MOVQ  last+56(FP), AX   // the last one goes back by 2 - last positions
	SUBQ  $2, AX
	MOVQ  AX, SI
	IMULQ R13, SI
	ADDQ  SI, DI
	MOVQ  AX, SI
	IMULQ BX, SI
	ADDQ  SI, DX
	SHLQ  $4, AX
	ADDQ  $32, AX

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

// func firstCandidates(table, x *float32, rowStride, n int)
//
// For each pooled position and each of the nine taps, it stores the four pixels that the tap sees
// at the places 0 to 3: table (n, 9, 4). rowStride is in bytes. One load of a row reads columns 0
// to 3, the other columns 1 to 4; the even and odd ones are taken from each.
#define CANDIDATES(u, l, at) \
	VMOVUPS (u), X0               \
	VMOVUPS (l), X1               \
	VMOVUPS 4(u), X2              \
	VMOVUPS 4(l), X3              \
	VSHUFPS $0x88, X1, X0, X4     \
	VSHUFPS $0xdd, X1, X0, X5     \
	VSHUFPS $0xdd, X3, X2, X6     \
	VMOVUPS X4, at(DI)            \
	VMOVUPS X5, (at+16)(DI)       \
	VMOVUPS X6, (at+32)(DI)

TEXT ·firstCandidates(SB), NOSPLIT, $0-32
	MOVQ table+0(FP), DI
	MOVQ x+8(FP), R8
	MOVQ rowStride+16(FP), AX
	MOVQ n+24(FP), CX
	LEAQ (R8)(AX*1), R9
	LEAQ (R8)(AX*2), R10
	LEAQ (R9)(AX*2), R11
	LEAQ (R10)(AX*2), R12

candidates:
	CANDIDATES(R8, R10, 0)
	CANDIDATES(R9, R11, 48)
	CANDIDATES(R10, R12, 96)
	ADDQ $144, DI
	ADDQ $16, R8
	ADDQ $16, R9
	ADDQ $16, R10
	ADDQ $16, R11
	ADDQ $16, R12
	DECQ CX
	JNZ  candidates
	RET

// func firstBackwardAVX2(dw, grad *float32, winner *uint8, table *float32, n, f int)
//
// Eight channels of a row of pooled positions; f is in bytes. For each tap, the pixel of the
// winning place is selected from the four candidates in the table of firstCandidates.
//
//	Y0 gradient   Y1 winner   Y2 pixels   Y3 Dead   Y4..Y12 sums of the taps   Y13 sum of the bias
#define PICK(at, sum) \
	VBROADCASTF128 at(R8), Y2  \
	VPERMILPS      Y1, Y2, Y2  \
	VFMADD231PS    Y2, Y0, sum

TEXT ·firstBackwardAVX2(SB), NOSPLIT, $0-48
	MOVQ dw+0(FP), DI
	MOVQ grad+8(FP), SI
	MOVQ winner+16(FP), DX
	MOVQ table+24(FP), R8
	MOVQ n+32(FP), CX
	MOVQ f+40(FP), BX
	MOVQ BX, R13
	SHRQ $2, R13            // bytes of a row of winners

	MOVL         $4, AX
	VMOVD        AX, X3
	VPBROADCASTD X3, Y3
	MOVQ         DI, AX
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

position:
	VPMOVZXBD (DX), Y1
	VPCMPEQD  Y3, Y1, Y0    // Dead
	VANDNPS   (SI), Y0, Y0
	VADDPS    Y0, Y13, Y13
	PICK(0, Y4)
	PICK(16, Y5)
	PICK(32, Y6)
	PICK(48, Y7)
	PICK(64, Y8)
	PICK(80, Y9)
	PICK(96, Y10)
	PICK(112, Y11)
	PICK(128, Y12)
	ADDQ      $144, R8
	ADDQ      BX, SI
	ADDQ      R13, DX
	DECQ      CX
	JNZ       position

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
