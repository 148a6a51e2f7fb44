#include "textflag.h"
#include "ops_arm64.h"
#include "narrow_arm64.h"

// First layers: 3x3 windows with stride 2 over one channel, without a pool. Sums are rounded in
// place. Other strides, sums and scales use neonPlain.

// func sdotPlain2(dst *uint8, dstStep int, x *uint8, row, steps, last int, w *sdotRecord)
//
// Steps of eight outputs of sixteen channels. Three bytes of a row are one operand of SDOT, with a
// weight of 0 for the fourth: lane i of the sixteen bytes at x are those of output 2i, and at x+2
// those of output 2i+1. The last step starts last bytes before the end of the one before it, and
// computes some outputs again. An output takes 31 instructions.
//
//	V0..V11   weights of three rows, four channels each
//	V12..V15  mult
//	V16..V21  x of three rows: the even outputs and the odd ones
//	V22..V25  sums, V26..V29 addends of rounding, V30 is 128
//
//	R0 dst, R1 dstStep, R2 R3 R4 x of three rows, R7 steps left, R10 bias, R12 addends, R13 last
#define LANE(x, e, k) \
	SDOT(22, k, x, e)     \
	SDOT(23, (k+1), x, e) \
	SDOT(24, (k+2), x, e) \
	SDOT(25, (k+3), x, e)

#define OUT(x0, x1, x2, e) \
	VLD1 (R10), [V22.S4, V23.S4, V24.S4, V25.S4] \
	LANE(x0, e, 0)             \
	LANE(x1, e, 4)             \
	LANE(x2, e, 8)             \
	VLD1 (R12), [V26.S4, V27.S4, V28.S4, V29.S4] \
	ROUNDED(26, 22, 23, 24, 25, 12, 13, 14, 15)  \
	VST1.P [V26.B16], (R0)(R1)

#define TWO(e) \
	OUT(16, 17, 18, e) \
	OUT(19, 20, 21, e)

TEXT ·sdotPlain2(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD x+16(FP), R2
	MOVD row+24(FP), R5
	MOVD steps+32(FP), R7
	MOVD last+40(FP), R13
	MOVD w+48(FP), R8
	ADD  R5, R2, R3
	ADD  R5, R3, R4
	VLD1.P 64(R8), [V0.B16, V1.B16, V2.B16, V3.B16]
	VLD1.P 64(R8), [V4.B16, V5.B16, V6.B16, V7.B16]
	VLD1.P 64(R8), [V8.B16, V9.B16, V10.B16, V11.B16]
	VLD1.P 64(R8), [V12.S4, V13.S4, V14.S4, V15.S4]
	MOVD R8, R10
	ADD  $64, R8, R12
	MUL  R13, R1, R14
	LSL  $1, R13, R13
	VMOVI $0x80, V30.B16

step:
	FMOVQ 2(R2), F19
	FMOVQ.P 16(R2), F16
	FMOVQ 2(R3), F20
	FMOVQ.P 16(R3), F17
	FMOVQ 2(R4), F21
	FMOVQ.P 16(R4), F18
	VEOR  V30.B16, V16.B16, V16.B16
	VEOR  V30.B16, V17.B16, V17.B16
	VEOR  V30.B16, V18.B16, V18.B16
	VEOR  V30.B16, V19.B16, V19.B16
	VEOR  V30.B16, V20.B16, V20.B16
	VEOR  V30.B16, V21.B16, V21.B16
	TWO(0)
	TWO(1)
	TWO(2)
	TWO(3)
	SUBS  $1, R7, R7
	BEQ   done
	CMP   $1, R7
	BNE   step
	SUB   R13, R2, R2   // the last step
	SUB   R13, R3, R3
	SUB   R13, R4, R4
	SUB   R14, R0, R0
	B     step

done:
	RET

// func neonPlain2(dst *uint8, dstStep int, x *uint8, row, steps, last int, w *plainRecord)
//
// The same with NEON, in steps of four outputs. The pixels are 16-bit lanes, so no sum of products
// must be widened. An output takes 58 instructions.
//
//	V0 V2 V4, V1 V3 V5  pixels 0 to 7 and 1 to 8 of three rows
//	V6..V9              sums, V10..V13 addends of rounding
//	V14..V31            weights of the taps, 8 channels each; V28..V31 also hold mult
#define TAP(x, i, k) \
	SMLALH(6, k, x, i)       \
	SMLALH2(7, k, x, i)      \
	SMLALH(8, (k+1), x, i)   \
	SMLALH2(9, (k+1), x, i)

// ROW adds the three pixels from lane i on; the third may be in another register.
#define ROW(x, i, y, j, k) \
	TAP(x, i, k)         \
	TAP(x, (i+1), (k+2)) \
	TAP(y, j, (k+4))

#define OUT4(i, j, y0, y1, y2) \
	VLD1 (R10), [V6.S4, V7.S4, V8.S4, V9.S4]     \
	VLD1 (R11), [V28.S4, V29.S4, V30.S4, V31.S4] \
	ROW(0, i, y0, j, 14)       \
	ROW(2, i, y1, j, 20)       \
	ROW(4, i, y2, j, 26)       \
	VLD1 (R12), [V10.S4, V11.S4, V12.S4, V13.S4] \
	VLD1 (R9), [V28.S4, V29.S4, V30.S4, V31.S4]  \
	ROUNDED(10, 6, 7, 8, 9, 28, 29, 30, 31)      \
	VST1.P [V10.B16], (R0)(R1)

TEXT ·neonPlain2(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD x+16(FP), R2
	MOVD row+24(FP), R5
	MOVD steps+32(FP), R7
	MOVD last+40(FP), R13
	MOVD w+48(FP), R8
	ADD  R5, R2, R3
	ADD  R5, R3, R4
	VLD1.P 64(R8), [V14.H8, V15.H8, V16.H8, V17.H8]
	VLD1.P 64(R8), [V18.H8, V19.H8, V20.H8, V21.H8]
	VLD1.P 64(R8), [V22.H8, V23.H8, V24.H8, V25.H8]
	VLD1.P 32(R8), [V26.H8, V27.H8]
	MOVD R8, R11
	ADD  $64, R8, R9
	ADD  $64, R9, R10
	ADD  $64, R10, R12
	MUL  R13, R1, R14
	LSL  $1, R13, R13

step4:
	FMOVD 1(R2), F1
	FMOVD.P 8(R2), F0
	FMOVD 1(R3), F3
	FMOVD.P 8(R3), F2
	FMOVD 1(R4), F5
	FMOVD.P 8(R4), F4
	VUXTL V0.B8, V0.H8
	VUXTL V1.B8, V1.H8
	VUXTL V2.B8, V2.H8
	VUXTL V3.B8, V3.H8
	VUXTL V4.B8, V4.H8
	VUXTL V5.B8, V5.H8
	OUT4(0, 2, 0, 2, 4)
	OUT4(2, 4, 0, 2, 4)
	OUT4(4, 6, 0, 2, 4)
	OUT4(6, 7, 1, 3, 5)
	SUBS  $1, R7, R7
	BEQ   done4
	CMP   $1, R7
	BNE   step4
	SUB   R13, R2, R2   // the last step
	SUB   R13, R3, R3
	SUB   R13, R4, R4
	SUB   R14, R0, R0
	B     step4

done4:
	RET
