#include "textflag.h"
#include "ops_arm64.h"
#include "round_arm64.h"

// The body for NEON, which every arm64 CPU has. Target CPUs: Cortex-A53 (Raspberry Pi 3), A57
// (Jetson Nano), A72 (Raspberry Pi 4).
//
// x is passed as x-128, and the biases include 128 times the channel's weights. So a product is at
// most 128*127 in magnitude, and two of them fit a 16-bit lane: SMULL, SMLAL, then SADALP to 32
// bits, three instructions for 16 multiply-accumulates.

// func neonTiles4(dst unsafe.Pointer, dstStep int, x *int8, xStep, below, next, tiles, runs,
//	runLen, runStride int, w *int8, bias *int32, mult *float32)
//
// Tiles of four positions times 4 channels: at x, x+xStep, x+below, x+below+xStep. The next tile is
// next bytes further in x. Without mult, the sums are written to dst, with positions at a distance
// of dstStep. With mult, a tile is the window of a 2x2 pool: the maximum is scaled and rounded, and
// the 4 bytes are written to dst, with windows at a distance of dstStep. Steps are in bytes, runLen
// is a multiple of 16.
//
// The lanes are taps: each accumulator holds four parts of one sum.
//
//	               w: V16  V17  V18  V19   16 taps of a channel each
//	x[0]: V20,21      V0   V1   V2   V3
//	x[1]: V22,23      V4   V5   V6   V7
//	x[2]: V24,25      V8   V9   V10  V11
//	x[3]: V26,27      V12  V13  V14  V15   products in V28..V31
//
// R0 dst, R1 dstStep, R2 xStep, R3 tiles left, R4 runs, R5 runLen, R6 distance from the end of a
// run to the next one, R7 w, R8 bias; R9..R12 x of the four positions, R13 w, R14 runs left, R15
// bytes left, R19 x of the tile, R20 below, R21 next, R22 mult. 64 taps take 206 instructions: 192
// for the products, 4 LD1, 8 LDP and 2 for the loop. llvm-mca for cortex-a72: 128.3 cycles; the
// limit of the single multiply pipe is 128.
#define PRODUCTS(x, a0, a1, a2, a3) \
	SMULL(28, x, 16)  \
	SMULL(29, x, 17)  \
	SMULL(30, x, 18)  \
	SMULL(31, x, 19)  \
	SMLAL2(28, x, 16) \
	SMLAL2(29, x, 17) \
	SMLAL2(30, x, 18) \
	SMLAL2(31, x, 19) \
	SADALP(a0, 28)    \
	SADALP(a1, 29)    \
	SADALP(a2, 30)    \
	SADALP(a3, 31)

#define TAPS4(x0, x1, x2, x3) \
	VLD1.P 64(R13), [V16.B16, V17.B16, V18.B16, V19.B16] \
	PRODUCTS(x0, 0, 1, 2, 3)   \
	PRODUCTS(x1, 4, 5, 6, 7)   \
	PRODUCTS(x2, 8, 9, 10, 11) \
	PRODUCTS(x3, 12, 13, 14, 15)

#define TAPS4TWICE \
	FLDPQ.P 32(R9), (F20, F21)  \
	FLDPQ.P 32(R10), (F22, F23) \
	FLDPQ.P 32(R11), (F24, F25) \
	FLDPQ.P 32(R12), (F26, F27) \
	TAPS4(20, 22, 24, 26)       \
	TAPS4(21, 23, 25, 27)

// SUM adds the four parts of each sum in a0..a3 and the biases in V16. The sums of four channels
// are then in a0.
#define SUM(a0, a1, a2, a3) \
	VADDP a1, a0, a0 \
	VADDP a3, a2, a2 \
	VADDP a2, a0, a0 \
	VADD  V16.S4, a0, a0

TEXT ·neonTiles4(SB), NOSPLIT, $0-104
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD x+16(FP), R19
	MOVD xStep+24(FP), R2
	MOVD below+32(FP), R20
	MOVD next+40(FP), R21
	MOVD tiles+48(FP), R3
	MOVD runs+56(FP), R4
	MOVD runLen+64(FP), R5
	MOVD runStride+72(FP), R6
	MOVD w+80(FP), R7
	MOVD bias+88(FP), R8
	MOVD mult+96(FP), R22
	SUB  R5, R6, R6

tile4:
	MOVD R19, R9
	ADD  R2, R9, R10
	ADD  R20, R9, R11
	ADD  R20, R10, R12
	ADD  R21, R19, R19
	MOVD R7, R13
	MOVD R4, R14
	VMOVI $0, V0.B16
	VMOVI $0, V1.B16
	VMOVI $0, V2.B16
	VMOVI $0, V3.B16
	VMOVI $0, V4.B16
	VMOVI $0, V5.B16
	VMOVI $0, V6.B16
	VMOVI $0, V7.B16
	VMOVI $0, V8.B16
	VMOVI $0, V9.B16
	VMOVI $0, V10.B16
	VMOVI $0, V11.B16
	VMOVI $0, V12.B16
	VMOVI $0, V13.B16
	VMOVI $0, V14.B16
	VMOVI $0, V15.B16

run4:
	SUBS $64, R5, R15
	BLT  rest4

sixtyFour4:
	TAPS4TWICE
	TAPS4TWICE
	SUBS $64, R15, R15
	BGE  sixtyFour4

rest4:
	ADDS $64, R15, R15
	BEQ  runDone4

sixteen4:
	FMOVQ.P 16(R9), F20
	FMOVQ.P 16(R10), F22
	FMOVQ.P 16(R11), F24
	FMOVQ.P 16(R12), F26
	TAPS4(20, 22, 24, 26)
	SUBS $16, R15, R15
	BNE  sixteen4

runDone4:
	ADD  R6, R9, R9
	ADD  R6, R10, R10
	ADD  R6, R11, R11
	ADD  R6, R12, R12
	SUBS $1, R14, R14
	BNE  run4

	VLD1   (R8), [V16.S4]
	SUM(V0.S4, V1.S4, V2.S4, V3.S4)
	SUM(V4.S4, V5.S4, V6.S4, V7.S4)
	SUM(V8.S4, V9.S4, V10.S4, V11.S4)
	SUM(V12.S4, V13.S4, V14.S4, V15.S4)
	CBNZ   R22, pool4
	VST1.P [V0.S4], (R0)(R1)
	VST1.P [V4.S4], (R0)(R1)
	VST1.P [V8.S4], (R0)(R1)
	VST1.P [V12.S4], (R0)(R1)
	SUBS   $1, R3, R3
	BNE    tile4
	RET

pool4:
	SMAX(0, 0, 4)
	SMAX(8, 8, 12)
	VLD1   (R22), [V12.S4]
	SMAX(0, 0, 8)
	SCVTF(0, 0)
	FMUL(0, 0, 12)
	FCVTNS(0, 0)
	SQXTN(0, 0)
	SQXTUN(0, 0)
	VST1.P V0.S[0], (R0)(R1)
	SUBS   $1, R3, R3
	BNE    tile4
	RET

// func neonTile2(dst *int32, dstStep int, x *int8, xStep, runs, runLen, runStride int,
//	w *int8, bias *int32)
//
// The same for one tile of two positions, for the rest of a row.
TEXT ·neonTile2(SB), NOSPLIT, $0-72
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD x+16(FP), R9
	MOVD xStep+24(FP), R10
	MOVD runs+32(FP), R4
	MOVD runLen+40(FP), R5
	MOVD runStride+48(FP), R6
	MOVD w+56(FP), R13
	MOVD bias+64(FP), R8
	ADD  R9, R10, R10
	SUB  R5, R6, R6
	VMOVI $0, V0.B16
	VMOVI $0, V1.B16
	VMOVI $0, V2.B16
	VMOVI $0, V3.B16
	VMOVI $0, V4.B16
	VMOVI $0, V5.B16
	VMOVI $0, V6.B16
	VMOVI $0, V7.B16

run2:
	MOVD R5, R15

sixteen2:
	VLD1.P  64(R13), [V16.B16, V17.B16, V18.B16, V19.B16]
	FMOVQ.P 16(R9), F20
	FMOVQ.P 16(R10), F22
	PRODUCTS(20, 0, 1, 2, 3)
	PRODUCTS(22, 4, 5, 6, 7)
	SUBS $16, R15, R15
	BNE  sixteen2

	ADD  R6, R9, R9
	ADD  R6, R10, R10
	SUBS $1, R4, R4
	BNE  run2

	VLD1   (R8), [V16.S4]
	SUM(V0.S4, V1.S4, V2.S4, V3.S4)
	SUM(V4.S4, V5.S4, V6.S4, V7.S4)
	VST1.P [V0.S4], (R0)(R1)
	VST1   [V4.S4], (R0)
	RET

// func neonExpand(panel *byte, x *uint8, row, steps int)
//
// Lays out the pixels of the first layer. A step has four pooled outputs, which are eight positions
// wide. The nine pixels of every window are four pairs, whose products share a 32-bit sum, and a
// ninth pixel. A B C are the window's rows:
//
//	panel +0:    top positions     A0 A1 B0 B1 C0 C1 A2 B2    signed bytes: x - 128
//	panel +1536: bottom positions, the same
//	panel +3072: C2 of an output's four positions as 16 bits:
//	             top left, top right, bottom left, bottom right
//
// R0..R2 parts of the panel, R3 steps left, R4..R8 five rows of x; V30 is 128.
TEXT ·neonExpand(SB), NOSPLIT, $0-32
	MOVD  panel+0(FP), R0
	MOVD  x+8(FP), R4
	MOVD  row+16(FP), R9
	MOVD  steps+24(FP), R3
	ADD   $1536, R0, R1
	ADD   $3072, R0, R2
	ADD   R9, R4, R5
	ADD   R9, R5, R6
	ADD   R9, R6, R7
	ADD   R9, R7, R8
	VMOVI $0x80, V30.B16

expand:
	FMOVQ 2(R4), F16
	FMOVQ.P 16(R4), F0
	FMOVQ 2(R5), F17
	FMOVQ.P 16(R5), F1
	FMOVQ 2(R6), F18
	FMOVQ.P 16(R6), F2
	FMOVQ 2(R7), F19
	FMOVQ.P 16(R7), F5
	FMOVQ 2(R8), F20
	FMOVQ.P 16(R8), F6
	VEOR  V30.B16, V0.B16, V0.B16
	VEOR  V30.B16, V1.B16, V1.B16
	VEOR  V30.B16, V2.B16, V2.B16
	VEOR  V30.B16, V5.B16, V5.B16
	VEOR  V30.B16, V6.B16, V6.B16
	VEOR  V30.B16, V16.B16, V16.B16
	VEOR  V30.B16, V17.B16, V17.B16
	VEOR  V30.B16, V18.B16, V18.B16
	VEOR  V30.B16, V19.B16, V19.B16
	VEOR  V30.B16, V20.B16, V20.B16
	VTRN1 V17.B16, V16.B16, V3.B16 // A2 B2 of the top positions
	VTRN1 V19.B16, V18.B16, V7.B16 // and of the bottom ones
	VMOV  V2.B16, V4.B16           // the top's last row is the bottom's first
	VST4.P [V0.H8, V1.H8, V2.H8, V3.H8], 64(R0)
	VST4.P [V4.H8, V5.H8, V6.H8, V7.H8], 64(R1)
	VSHL  $8, V18.H8, V18.H8
	VSHL  $8, V20.H8, V20.H8
	SSHR8(18, 18)
	SSHR8(20, 20)
	VZIP1 V20.S4, V18.S4, V0.S4
	VZIP2 V20.S4, V18.S4, V1.S4
	FSTPQ.P (F0, F1), 32(R2)
	SUBS  $1, R3, R3
	BNE   expand
	RET

// func neonFirst(dst *uint8, dstStep int, panel *byte, n int, layer *byte)
// func neonFirstAny(dst *uint8, dstStep int, panel *byte, n int, layer *byte)
//
// Pooled outputs times 16 channels of the first layer, from panels of neonExpand. packFirstNEON
// lays out layer.
//
//	w: V0..V7 pair k of taps of channels 0 to 7 and 8 to 15 at 2k and 2k+1
//	   V8, V9 the ninth tap of these channels
//	x: V28..V31 the pairs of a position, each in all lanes; V10 the ninth pixel of four positions
//	V20..V23 the largest sums, V24..V27 the sums of one position, V11 and V17..V19 products
//	V12..V15 the scales, V16 a constant of rounding
//
// R0 dst, R1 dstStep, R2, R6, R7 parts of the panel, R3 outputs left, R4 biases, R5 constants of
// the scales.
//
// An output takes 149 instructions: 112 for the products, 12 SMAX, 9 loads, 13 to round and 3
// others. neonFirstAny, which rounds any sum with any scale, takes 154. llvm-mca for cortex-a72:
// 91.4 cycles; the limit of the single multiply pipe is 80.
#define PAIRS(xa, a0, a1, xb, b0, b1, s0, s1, s2, s3) \
	SMULL(11, xa, a0)  \
	SMULL2(17, xa, a0) \
	SMULL(18, xa, a1)  \
	SMULL2(19, xa, a1) \
	SMLAL(11, xb, b0)  \
	SMLAL2(17, xb, b0) \
	SMLAL(18, xb, b1)  \
	SMLAL2(19, xb, b1) \
	SADALP(s0, 11)     \
	SADALP(s1, 17)     \
	SADALP(s2, 18)     \
	SADALP(s3, 19)

#define NINE(s0, s1, s2, s3, i) \
	SMLALH(s0, 8, 10, i)  \
	SMLALH2(s1, 8, 10, i) \
	SMLALH(s2, 9, 10, i)  \
	SMLALH2(s3, 9, 10, i) \
	PAIRS(28, 0, 1, 29, 2, 3, s0, s1, s2, s3) \
	PAIRS(30, 4, 5, 31, 6, 7, s0, s1, s2, s3)

#define POSITION(r, i) \
	VLD1    (R4), [V24.S4, V25.S4, V26.S4, V27.S4]  \
	VLD4R.P 8(r), [V28.H8, V29.H8, V30.H8, V31.H8] \
	NINE(24, 25, 26, 27, i) \
	LARGEST

#define OUTPUT \
	FMOVD.P 8(R7), F10                              \
	VLD1    (R4), [V20.S4, V21.S4, V22.S4, V23.S4]  \
	VLD4R.P 8(R2), [V28.H8, V29.H8, V30.H8, V31.H8] \
	NINE(20, 21, 22, 23, 0) \
	POSITION(R2, 1)         \
	POSITION(R6, 2)         \
	POSITION(R6, 3)

#define LAYER \
	ADD    $1536, R2, R6     \
	ADD    $3072, R2, R7     \
	MOVD   $0x4B400000, R8   \
	VDUP   R8, V16.S4        \
	VLD1.P 64(R5), [V0.B16, V1.B16, V2.B16, V3.B16]     \
	VLD1.P 64(R5), [V4.B16, V5.B16, V6.B16, V7.B16]     \
	VLD1.P 32(R5), [V8.B16, V9.B16]                     \
	VLD1.P 64(R5), [V12.B16, V13.B16, V14.B16, V15.B16] \
	ADD    $64, R5, R4

TEXT ·neonFirst(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD panel+16(FP), R2
	MOVD n+24(FP), R3
	MOVD layer+32(FP), R5
	LAYER

output:
	OUTPUT
	ROUNDFAST
	VST1.P [V20.B16], (R0)(R1)
	SUBS   $1, R3, R3
	BNE    output
	RET

TEXT ·neonFirstAny(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD panel+16(FP), R2
	MOVD n+24(FP), R3
	MOVD layer+32(FP), R5
	LAYER

outputAny:
	OUTPUT
	ROUND
	VST1.P [V20.B16], (R0)(R1)
	SUBS   $1, R3, R3
	BNE    outputAny
	RET

// func neonSigned(dst *int8, dstRow int, x *uint8, row, rows, n int)
//
// Copies n bytes, 16 or more, of each row as x-128. The last 16 of a row may overlap those before
// them.
//
// R0 dst, R2 x, R4 rows left; R5 dst and R6 x within the row, R7 bytes left; V30 is 128.
TEXT ·neonSigned(SB), NOSPLIT, $0-48
	MOVD  dst+0(FP), R0
	MOVD  dstRow+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  row+24(FP), R3
	MOVD  rows+32(FP), R4
	MOVD  n+40(FP), R8
	VMOVI $0x80, V30.B16

row:
	MOVD R0, R5
	MOVD R2, R6
	SUBS $64, R8, R7
	BLT  rest

sixtyFour:
	VLD1.P  64(R6), [V0.B16, V1.B16, V2.B16, V3.B16]
	VEOR    V30.B16, V0.B16, V0.B16
	VEOR    V30.B16, V1.B16, V1.B16
	VEOR    V30.B16, V2.B16, V2.B16
	VEOR    V30.B16, V3.B16, V3.B16
	VST1.P  [V0.B16, V1.B16, V2.B16, V3.B16], 64(R5)
	SUBS    $64, R7, R7
	BGE     sixtyFour

rest:
	ADDS $64, R7, R7
	BEQ  rowDone

sixteen:
	SUBS $16, R7, R7
	BGE  whole
	ADD  R7, R6, R6      // back to the last 16 bytes
	ADD  R7, R5, R5
	MOVD $0, R7

whole:
	FMOVQ.P 16(R6), F0
	VEOR    V30.B16, V0.B16, V0.B16
	FMOVQ.P F0, 16(R5)
	CBNZ    R7, sixteen

rowDone:
	ADD  R1, R0, R0
	ADD  R3, R2, R2
	SUBS $1, R4, R4
	BNE  row
	RET

// func neonRequantize(dst *uint8, sums *int32, mult *float32, channels, n int)
//
// n positions of channels, a multiple of 16.
TEXT ·neonRequantize(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD sums+8(FP), R1
	MOVD mult+16(FP), R4
	MOVD channels+24(FP), R5
	MOVD n+32(FP), R6

position:
	MOVD R4, R2
	MOVD R5, R3

requantize:
	VLD1.P 64(R1), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1.P 64(R2), [V12.S4, V13.S4, V14.S4, V15.S4]
	ROUND
	VST1.P [V20.B16], 16(R0)
	SUBS   $16, R3, R3
	BNE    requantize
	SUBS   $1, R6, R6
	BNE    position
	RET

// func neonPool(dst *uint8, top, bottom *int32, n int, mult *float32, channels int)
//
// n pooled outputs; channels is a multiple of 16. R1 top and R2 bottom, R8 and R9 the same one
// position further, R3 outputs left, R6 bytes of a position, R7 channels left.
TEXT ·neonPool(SB), NOSPLIT, $0-48
	MOVD dst+0(FP), R0
	MOVD top+8(FP), R1
	MOVD bottom+16(FP), R2
	MOVD n+24(FP), R3
	MOVD mult+32(FP), R4
	MOVD channels+40(FP), R5
	LSL  $2, R5, R6

output:
	ADD  R6, R1, R8
	ADD  R6, R2, R9
	MOVD R4, R10
	MOVD R5, R7

sixteen:
	VLD1.P 64(R1), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1.P 64(R8), [V24.S4, V25.S4, V26.S4, V27.S4]
	LARGEST
	VLD1.P 64(R2), [V24.S4, V25.S4, V26.S4, V27.S4]
	LARGEST
	VLD1.P 64(R9), [V24.S4, V25.S4, V26.S4, V27.S4]
	LARGEST
	VLD1.P 64(R10), [V12.S4, V13.S4, V14.S4, V15.S4]
	ROUND
	VST1.P [V20.B16], 16(R0)
	SUBS   $16, R7, R7
	BNE    sixteen

	MOVD R8, R1 // the next output starts after the odd position
	MOVD R9, R2
	SUBS $1, R3, R3
	BNE  output
	RET
