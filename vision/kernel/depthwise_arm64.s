#include "textflag.h"
#include "ops_arm64.h"
#include "round_arm64.h"

// TWO sets V28 (channels 0..7) and V29 (8..15) to the products of two taps: x at a and b times the
// weights wa and wb. With x-128 a product is at most 128*127 in magnitude, so two of them fit 16
// bits. ONE does it for one tap. The pointers move to the next window.
//
// A tap is sixteen channels, or with PIXEL one pixel for all channels.
#define CHANNELS(at, x) \
	VLD1.P (at)(R6), [x.B16] \
	VEOR   V9.B16, x.B16, x.B16

#define PIXEL(at, x) \
	VLD1R.P (at)(R6), [x.B16] \
	VEOR    V9.B16, x.B16, x.B16

#define ONE(LOAD, a, wa) \
	LOAD(a, V10)       \
	SMULL(28, 10, wa)  \
	SMULL2(29, 10, wa)

#define TWO(LOAD, a, wa, b, wb) \
	ONE(LOAD, a, wa)   \
	LOAD(b, V11)       \
	SMLAL(28, 11, wb)  \
	SMLAL2(29, 11, wb)

// WIDEN adds the products to the sums a..d and stores the result in V20..V23.
#define WIDEN(a, b, c, d) \
	SADDW(20, a, 28)   \
	SADDW2(21, b, 28)  \
	SADDW(22, c, 29)   \
	SADDW2(23, d, 29)

// WINDOW computes one output of sixteen channels.
#define WINDOW(LOAD) \
	TWO(LOAD, R2, 0, R3, 1)     \
	WIDEN(16, 17, 18, 19)       \
	TWO(LOAD, R4, 2, R9, 3)     \
	WIDEN(20, 21, 22, 23)       \
	TWO(LOAD, R10, 4, R11, 5)   \
	WIDEN(20, 21, 22, 23)       \
	TWO(LOAD, R12, 6, R13, 7)   \
	WIDEN(20, 21, 22, 23)       \
	ONE(LOAD, R14, 8)           \
	WIDEN(20, 21, 22, 23)       \
	ROUND                       \
	VST1.P [V20.B16], (R0)(R1)

// RECORD loads the depthwiseRecord at R8.
#define RECORD \
	VLD1.P 64(R8), [V0.B16, V1.B16, V2.B16, V3.B16]     \
	VLD1.P 64(R8), [V4.B16, V5.B16, V6.B16, V7.B16]     \
	VLD1.P 16(R8), [V8.B16]                             \
	VLD1.P 64(R8), [V16.S4, V17.S4, V18.S4, V19.S4]     \
	VLD1   (R8), [V12.S4, V13.S4, V14.S4, V15.S4]       \
	VMOVI  $128, V9.B16

// func neonDepthwise(dst *uint8, dstStep int, row0, row1, row2 *uint8,
//	column, xStep, n int, w *depthwiseRecord)
//
// A row of n outputs of sixteen channels: 3x3 windows with any stride, sum and scale, requantised.
// 79 instructions for 144 multiply-accumulates.
//
//	R2 R3 R4, R9 R10 R11, R12 R13 R14  x of the taps, row by row
//	R0 dst, R1 dstStep, R6 distance of two windows, R7 windows left
//	V0..V8   weights of the taps, V9 128, V10 V11 x
//	V12..V15 mult, V16..V19 bias, V20..V23 sums, V28 V29 products
TEXT ·neonDepthwise(SB), NOSPLIT, $0-72
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD row0+16(FP), R2
	MOVD row1+24(FP), R9
	MOVD row2+32(FP), R12
	MOVD column+40(FP), R5
	MOVD xStep+48(FP), R6
	MOVD n+56(FP), R7
	MOVD w+64(FP), R8
	ADD  R5, R2, R3
	ADD  R5, R3, R4
	ADD  R5, R9, R10
	ADD  R5, R10, R11
	ADD  R5, R12, R13
	ADD  R5, R13, R14
	RECORD

window:
	WINDOW(CHANNELS)
	SUBS $1, R7, R7
	BNE  window
	RET

// func neonPlain(dst *uint8, dstStep int, x *uint8, row, xStep, n int, w *depthwiseRecord)
//
// The same for windows over one channel, in a first layer without a pool.
TEXT ·neonPlain(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD x+16(FP), R2
	MOVD row+24(FP), R5
	MOVD xStep+32(FP), R6
	MOVD n+40(FP), R7
	MOVD w+48(FP), R8
	ADD  R5, R2, R9
	ADD  R5, R9, R12
	ADD  $1, R2, R3
	ADD  $2, R2, R4
	ADD  $1, R9, R10
	ADD  $2, R9, R11
	ADD  $1, R12, R13
	ADD  $2, R12, R14
	RECORD

window:
	WINDOW(PIXEL)
	SUBS $1, R7, R7
	BNE  window
	RET
