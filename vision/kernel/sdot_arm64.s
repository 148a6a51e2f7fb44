#include "textflag.h"
#include "ops_arm64.h"
#include "round_arm64.h"

// The body for NEON with the dot product instructions. Target CPUs: Cortex-A55, A75, A76 (Raspberry
// Pi 5), A78AE (Orin).
//
// SDOT multiplies signed bytes: x is passed as x-128, and the biases include 128 times the
// channel's weights.

// func sdotTiles4(dst unsafe.Pointer, dstStep int, x *int8, xStep, below, next, tiles, runs,
//	runLen, runStride int, w *int8, bias *int32, mult *float32)
//
// Tiles of four positions times 16 channels: at x, x+xStep, x+below, x+below+xStep. The next tile
// is next bytes further in x. Without mult, the sums are written to dst, with positions at a
// distance of dstStep. With mult, a tile is the window of a 2x2 pool: the maximum is scaled and
// rounded, and the 16 bytes are written to dst, with windows at a distance of dstStep. Steps are in
// bytes, runLen is a multiple of 16.
//
// A register of weights has four channels times four taps:
//
//	            w: V24   V25   V26   V27      then V28..V31 for the next four taps
//	               c0-3  c4-7  c8-11 c12-15
//	x[0]: V16,17   V0    V1    V2    V3
//	x[1]: V18,19   V4    V5    V6    V7       lane e of x is multiplied with
//	x[2]: V20,21   V8    V9    V10   V11      weights e of a group of 16 taps
//	x[3]: V22,23   V12   V13   V14   V15
//
// R0 dst, R1 dstStep, R2 xStep, R3 tiles left, R4 runs, R5 runLen, R6 distance from the end of a
// run to the next one, R7 w, R8 bias; R9..R12 x of the four positions, R13 w, R14 runs left, R15
// bytes left, R19 x of the tile, R20 below, R21 next, R22 mult. 64 taps take 282 instructions: 256
// SDOT, 16 LD1, 8 LDP and 2 for the loop. llvm-mca for neoverse-n1, the server version of
// Cortex-A76: 128.1 cycles; the limit of the two vector pipes is 128.
#define LANE4(w0, w1, w2, w3, x0, x1, x2, x3, e) \
	SDOT(0, w0, x0, e) \
	SDOT(1, w1, x0, e) \
	SDOT(2, w2, x0, e) \
	SDOT(3, w3, x0, e) \
	SDOT(4, w0, x1, e) \
	SDOT(5, w1, x1, e) \
	SDOT(6, w2, x1, e) \
	SDOT(7, w3, x1, e) \
	SDOT(8, w0, x2, e) \
	SDOT(9, w1, x2, e) \
	SDOT(10, w2, x2, e) \
	SDOT(11, w3, x2, e) \
	SDOT(12, w0, x3, e) \
	SDOT(13, w1, x3, e) \
	SDOT(14, w2, x3, e) \
	SDOT(15, w3, x3, e)

#define TAPS4(x0, x1, x2, x3) \
	VLD1.P 64(R13), [V24.B16, V25.B16, V26.B16, V27.B16] \
	LANE4(24, 25, 26, 27, x0, x1, x2, x3, 0) \
	VLD1.P 64(R13), [V28.B16, V29.B16, V30.B16, V31.B16] \
	LANE4(28, 29, 30, 31, x0, x1, x2, x3, 1) \
	VLD1.P 64(R13), [V24.B16, V25.B16, V26.B16, V27.B16] \
	LANE4(24, 25, 26, 27, x0, x1, x2, x3, 2) \
	VLD1.P 64(R13), [V28.B16, V29.B16, V30.B16, V31.B16] \
	LANE4(28, 29, 30, 31, x0, x1, x2, x3, 3)

#define TAPS4TWICE \
	FLDPQ.P 32(R9), (F16, F17)  \
	FLDPQ.P 32(R10), (F18, F19) \
	FLDPQ.P 32(R11), (F20, F21) \
	FLDPQ.P 32(R12), (F22, F23) \
	TAPS4(16, 18, 20, 22)       \
	TAPS4(17, 19, 21, 23)

TEXT ·sdotTiles4(SB), NOSPLIT, $0-104
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
	VLD1 (R8), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R8), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1 (R8), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1 (R8), [V12.S4, V13.S4, V14.S4, V15.S4]

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
	FMOVQ.P 16(R9), F16
	FMOVQ.P 16(R10), F18
	FMOVQ.P 16(R11), F20
	FMOVQ.P 16(R12), F22
	TAPS4(16, 18, 20, 22)
	SUBS $16, R15, R15
	BNE  sixteen4

runDone4:
	ADD  R6, R9, R9
	ADD  R6, R10, R10
	ADD  R6, R11, R11
	ADD  R6, R12, R12
	SUBS $1, R14, R14
	BNE  run4

	CBNZ   R22, pool4
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], (R0)(R1)
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], (R0)(R1)
	VST1.P [V8.S4, V9.S4, V10.S4, V11.S4], (R0)(R1)
	VST1.P [V12.S4, V13.S4, V14.S4, V15.S4], (R0)(R1)
	SUBS   $1, R3, R3
	BNE    tile4
	RET

pool4:
	SMAX(0, 0, 4)
	SMAX(1, 1, 5)
	SMAX(2, 2, 6)
	SMAX(3, 3, 7)
	SMAX(8, 8, 12)
	SMAX(9, 9, 13)
	SMAX(10, 10, 14)
	SMAX(11, 11, 15)
	SMAX(20, 0, 8)
	SMAX(21, 1, 9)
	SMAX(22, 2, 10)
	SMAX(23, 3, 11)
	VLD1   (R22), [V12.S4, V13.S4, V14.S4, V15.S4]
	ROUND
	VST1.P [V20.B16], (R0)(R1)
	SUBS   $1, R3, R3
	BNE    tile4
	RET

// func sdotTile2(dst *int32, dstStep int, x *int8, xStep, runs, runLen, runStride int,
//	w *int8, bias *int32)
//
// The same for one tile of two positions, for the rest of a row.
#define LANE2(w0, w1, w2, w3, e) \
	SDOT(0, w0, 16, e) \
	SDOT(1, w1, 16, e) \
	SDOT(2, w2, 16, e) \
	SDOT(3, w3, 16, e) \
	SDOT(4, w0, 17, e) \
	SDOT(5, w1, 17, e) \
	SDOT(6, w2, 17, e) \
	SDOT(7, w3, 17, e)

TEXT ·sdotTile2(SB), NOSPLIT, $0-72
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
	VLD1 (R8), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R8), [V4.S4, V5.S4, V6.S4, V7.S4]

run2:
	MOVD R5, R15

sixteen2:
	FMOVQ.P 16(R9), F16
	FMOVQ.P 16(R10), F17
	VLD1.P  64(R13), [V24.B16, V25.B16, V26.B16, V27.B16]
	LANE2(24, 25, 26, 27, 0)
	VLD1.P  64(R13), [V28.B16, V29.B16, V30.B16, V31.B16]
	LANE2(28, 29, 30, 31, 1)
	VLD1.P  64(R13), [V24.B16, V25.B16, V26.B16, V27.B16]
	LANE2(24, 25, 26, 27, 2)
	VLD1.P  64(R13), [V28.B16, V29.B16, V30.B16, V31.B16]
	LANE2(28, 29, 30, 31, 3)
	SUBS $16, R15, R15
	BNE  sixteen2

	ADD  R6, R9, R9
	ADD  R6, R10, R10
	SUBS $1, R4, R4
	BNE  run2

	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], (R0)(R1)
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R0)
	RET

// func sdotExpand(panel *byte, x *uint8, row, steps int)
//
// Lays out the pixels of the first layer. A step has four pooled outputs, which are eight positions
// wide. Eight of the nine pixels of a window are in two products of four pixels; the ninth selects
// the table row with which the sum starts. A B C are the window's rows. An output has 48 bytes,
// each part for its four positions: top left, top right, bottom left, bottom right.
//
//	+0   A0 A1 B0 B1     signed bytes: x - 128
//	+16  C0 C1 A2 B2
//	+32  64 * C2         32 bits: the offset in the table
//
// R0 panel, R3 steps left, R4..R8 five rows of x; V30 is 128.
TEXT ·sdotExpand(SB), NOSPLIT, $0-32
	MOVD  panel+0(FP), R0
	MOVD  x+8(FP), R4
	MOVD  row+16(FP), R2
	MOVD  steps+24(FP), R3
	ADD   R2, R4, R5
	ADD   R2, R5, R6
	ADD   R2, R6, R7
	ADD   R2, R7, R8
	VMOVI $0x80, V30.B16

expand:
	FMOVQ   2(R4), F16
	FMOVQ   2(R5), F17
	FMOVQ   2(R6), F18
	FMOVQ   2(R7), F19
	FMOVQ   2(R8), F20
	FMOVQ.P 16(R4), F0
	FMOVQ.P 16(R5), F1
	FMOVQ.P 16(R6), F2
	FMOVQ.P 16(R7), F3
	FMOVQ.P 16(R8), F4
	VTRN1   V17.B16, V16.B16, V5.B16 // A2 B2 of the top positions
	VTRN1   V19.B16, V18.B16, V6.B16 // and of the bottom ones
	VEOR    V30.B16, V0.B16, V0.B16
	VEOR    V30.B16, V1.B16, V1.B16
	VEOR    V30.B16, V2.B16, V2.B16
	VEOR    V30.B16, V3.B16, V3.B16
	VEOR    V30.B16, V4.B16, V4.B16
	VEOR    V30.B16, V5.B16, V5.B16
	VEOR    V30.B16, V6.B16, V6.B16

	// Positions 0 to 3 and 4 to 7: the first product of the top in V21, V22, of the bottom in V23,
	// V24; the second products in V25 to V28.
	VZIP1 V1.H8, V0.H8, V21.H8
	VZIP2 V1.H8, V0.H8, V22.H8
	VZIP1 V3.H8, V2.H8, V23.H8
	VZIP2 V3.H8, V2.H8, V24.H8
	VZIP1 V5.H8, V2.H8, V25.H8
	VZIP2 V5.H8, V2.H8, V26.H8
	VZIP1 V6.H8, V4.H8, V27.H8
	VZIP2 V6.H8, V4.H8, V28.H8

	// 64 * C2 of the even positions' bytes, top and bottom, as 16 bits and then 32.
	VSHL   $8, V18.H8, V18.H8
	VSHL   $8, V20.H8, V20.H8
	VUSHR  $2, V18.H8, V18.H8
	VUSHR  $2, V20.H8, V20.H8
	VZIP1  V20.S4, V18.S4, V0.S4
	VZIP2  V20.S4, V18.S4, V1.S4
	VUXTL  V0.H4, V2.S4
	VUXTL2 V0.H8, V5.S4
	VUXTL  V1.H4, V16.S4
	VUXTL2 V1.H8, V19.S4

	// Two positions of the top and two of the bottom for each output.
	VZIP1  V23.D2, V21.D2, V0.D2
	VZIP1  V27.D2, V25.D2, V1.D2
	VZIP2  V23.D2, V21.D2, V3.D2
	VZIP2  V27.D2, V25.D2, V4.D2
	VZIP1  V24.D2, V22.D2, V6.D2
	VZIP1  V28.D2, V26.D2, V7.D2
	VZIP2  V24.D2, V22.D2, V17.D2
	VZIP2  V28.D2, V26.D2, V18.D2
	VST1.P [V0.B16, V1.B16, V2.B16], 48(R0)
	VST1.P [V3.B16, V4.B16, V5.B16], 48(R0)
	VST1.P [V6.B16, V7.B16], 32(R0)
	VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R0)
	SUBS   $1, R3, R3
	BNE    expand
	RET

// func sdotFirst(dst *uint8, dstStep int, panel *byte, n int, layer *sdotLayer)
// func sdotFirstAny(dst *uint8, dstStep int, panel *byte, n int, layer *sdotLayer)
//
// Pooled outputs times 16 channels of the first layer, from panels of sdotExpand.
//
//	w: V0..V7 product k of channels 4g..4g+3 at 2g+k
//	V12..V15 the scales, V16 a constant of rounding
//	x: V28, V29 the pixels of the two products, lanes 0 to 3 the four positions
//	V20..V23 the largest sums, V24..V27 the sums of one position
//
// R0 dst, R1 dstStep, R2 panel, R3 outputs left, R4 table, R5 constants of the scales; R6, R7 the
// four offsets, R8..R11 the rows of the table.
//
// An output takes 70 instructions: 32 SDOT, 12 SMAX, 10 to load the pixels and the start values of
// the sums, 13 to round and 3 others. sdotFirstAny, which rounds any sum with any scale, takes 75.
// llvm-mca for neoverse-n1: 28.8 cycles; the limit of the two vector pipes is 27.5.
#define SUMS(s0, s1, s2, s3, e) \
	SDOT(s0, 0, 28, e) \
	SDOT(s1, 2, 28, e) \
	SDOT(s2, 4, 28, e) \
	SDOT(s3, 6, 28, e) \
	SDOT(s0, 1, 29, e) \
	SDOT(s1, 3, 29, e) \
	SDOT(s2, 5, 29, e) \
	SDOT(s3, 7, 29, e)

#define OUTPUT \
	FLDPQ.P 32(R2), (F28, F29) \
	LDP.P   16(R2), (R6, R7)  \
	ADD     R6.UXTW, R4, R8   \
	ADD     R6>>32, R4, R9    \
	ADD     R7.UXTW, R4, R10  \
	ADD     R7>>32, R4, R11   \
	VLD1    (R8), [V20.S4, V21.S4, V22.S4, V23.S4] \
	VLD1    (R9), [V24.S4, V25.S4, V26.S4, V27.S4] \
	SUMS(20, 21, 22, 23, 0)   \
	SUMS(24, 25, 26, 27, 1)   \
	LARGEST                   \
	VLD1    (R10), [V24.S4, V25.S4, V26.S4, V27.S4] \
	SUMS(24, 25, 26, 27, 2)   \
	LARGEST                   \
	VLD1    (R11), [V24.S4, V25.S4, V26.S4, V27.S4] \
	SUMS(24, 25, 26, 27, 3)   \
	LARGEST

#define LAYER \
	MOVD   $0x4B400000, R6   \
	VDUP   R6, V16.S4        \
	VLD1.P 64(R5), [V0.B16, V1.B16, V2.B16, V3.B16]     \
	VLD1.P 64(R5), [V4.B16, V5.B16, V6.B16, V7.B16]     \
	VLD1.P 64(R5), [V12.B16, V13.B16, V14.B16, V15.B16] \
	ADD    $64, R5, R4

TEXT ·sdotFirst(SB), NOSPLIT, $0-40
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

TEXT ·sdotFirstAny(SB), NOSPLIT, $0-40
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
