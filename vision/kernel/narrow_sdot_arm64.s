#include "textflag.h"
#include "ops_arm64.h"
#include "narrow_arm64.h"

// 1x1 convolutions with the dot product instructions, requantised in the tile. Target CPUs: those
// of sdot_arm64.s, whose registers and weights they have.
//
//	            w: V24   V25   V26   V27      then V28..V31 for the next four taps
//	               c0-3  c4-7  c8-11 c12-15
//	x[0]: V16,17   V0    V1    V2    V3
//	x[1]: V18,19   V4    V5    V6    V7
//	x[2]: V20,21   V8    V9    V10   V11
//	x[3]: V22,23   V12   V13   V14   V15
//
// R0 dst, R1 dstStep, R2 xStep, R3 tiles left, R5 taps, R7 w, R8 sums' start, R22 mult, R23
// addends; R9..R12 x of the positions, R13 w, R15 taps left, R19 x of the tile.

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

#define LANES4(x0, x1, x2, x3, e, f) \
	VLD1.P 64(R13), [V24.B16, V25.B16, V26.B16, V27.B16] \
	LANE4(24, 25, 26, 27, x0, x1, x2, x3, e) \
	VLD1.P 64(R13), [V28.B16, V29.B16, V30.B16, V31.B16] \
	LANE4(28, 29, 30, 31, x0, x1, x2, x3, f)

#define TAPS4TWICE \
	FLDPQ.P 32(R9), (F16, F17)  \
	FLDPQ.P 32(R10), (F18, F19) \
	FLDPQ.P 32(R11), (F20, F21) \
	FLDPQ.P 32(R12), (F22, F23) \
	LANES4(16, 18, 20, 22, 0, 1) \
	LANES4(16, 18, 20, 22, 2, 3) \
	LANES4(17, 19, 21, 23, 0, 1) \
	LANES4(17, 19, 21, 23, 2, 3)

// OUT rounds and stores the sixteen channels of a position.
#define OUT(a) \
	VLD1 (R23), [V28.S4, V29.S4, V30.S4, V31.S4] \
	ROUNDED(28, a, (a+1), (a+2), (a+3), 24, 25, 26, 27) \
	VST1.P [V28.B16], (R0)(R1)

#define SCALES VLD1 (R22), [V24.S4, V25.S4, V26.S4, V27.S4]

// func sdotNarrow4(dst *uint8, dstStep int, x *int8, xStep, tiles, taps int, w *int8,
//	s *scaledSums)
//
// Tiles of four positions times 16 channels. taps is a multiple of 8. 64 taps take 282
// instructions, a tile 88 more.
TEXT ·sdotNarrow4(SB), NOSPLIT, $0-64
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD x+16(FP), R19
	MOVD xStep+24(FP), R2
	MOVD tiles+32(FP), R3
	MOVD taps+40(FP), R5
	MOVD w+48(FP), R7
	MOVD s+56(FP), R22
	ADD  $64, R22, R8
	ADD  $128, R22, R23

tile4:
	MOVD R19, R9
	ADD  R2, R9, R10
	ADD  R2, R10, R11
	ADD  R2, R11, R12
	ADD  R2, R12, R19
	MOVD R7, R13
	VLD1 (R8), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R8), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1 (R8), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1 (R8), [V12.S4, V13.S4, V14.S4, V15.S4]
	SUBS $64, R5, R15
	BLT  rest4

sixtyFour4:
	TAPS4TWICE
	TAPS4TWICE
	SUBS $64, R15, R15
	BGE  sixtyFour4

rest4:
	ADDS $64, R15, R15
	BEQ  end4
	SUBS $16, R15, R15
	BLT  eight4

sixteen4:
	FMOVQ.P 16(R9), F16
	FMOVQ.P 16(R10), F18
	FMOVQ.P 16(R11), F20
	FMOVQ.P 16(R12), F22
	LANES4(16, 18, 20, 22, 0, 1)
	LANES4(16, 18, 20, 22, 2, 3)
	SUBS $16, R15, R15
	BGE  sixteen4

eight4:
	TBZ  $3, R15, end4
	FMOVD (R9), F16
	FMOVD (R10), F18
	FMOVD (R11), F20
	FMOVD (R12), F22
	LANES4(16, 18, 20, 22, 0, 1)

end4:
	SCALES
	OUT(0)
	OUT(4)
	OUT(8)
	OUT(12)
	SUBS $1, R3, R3
	BNE  tile4
	RET

#define LANE2(w0, w1, w2, w3, e) \
	SDOT(0, w0, 16, e) \
	SDOT(1, w1, 16, e) \
	SDOT(2, w2, 16, e) \
	SDOT(3, w3, 16, e) \
	SDOT(4, w0, 17, e) \
	SDOT(5, w1, 17, e) \
	SDOT(6, w2, 17, e) \
	SDOT(7, w3, 17, e)

#define LANES2(e, f) \
	VLD1.P 64(R13), [V24.B16, V25.B16, V26.B16, V27.B16] \
	LANE2(24, 25, 26, 27, e) \
	VLD1.P 64(R13), [V28.B16, V29.B16, V30.B16, V31.B16] \
	LANE2(28, 29, 30, 31, f)

// func sdotNarrow2(dst *uint8, dstStep int, x *int8, xStep, taps int, w *int8, s *scaledSums)
//
// One tile of two positions, for the rest of a row.
TEXT ·sdotNarrow2(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD x+16(FP), R9
	MOVD xStep+24(FP), R10
	MOVD taps+32(FP), R15
	MOVD w+40(FP), R13
	MOVD s+48(FP), R22
	ADD  R9, R10, R10
	ADD  $64, R22, R8
	ADD  $128, R22, R23
	VLD1 (R8), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R8), [V4.S4, V5.S4, V6.S4, V7.S4]
	SUBS $16, R15, R15
	BLT  eight2

sixteen2:
	FMOVQ.P 16(R9), F16
	FMOVQ.P 16(R10), F17
	LANES2(0, 1)
	LANES2(2, 3)
	SUBS $16, R15, R15
	BGE  sixteen2

eight2:
	TBZ  $3, R15, end2
	FMOVD (R9), F16
	FMOVD (R10), F17
	LANES2(0, 1)

end2:
	SCALES
	OUT(0)
	OUT(4)
	RET
