#include "textflag.h"
#include "ops_arm64.h"
#include "narrow_arm64.h"

// 1x1 convolutions with NEON, requantised in the tile. Target CPUs: those of neon_arm64.s, whose
// registers and weights they have: four positions times 4 channels, the lanes are taps.
//
//	               w: V16  V17  V18  V19   16 taps of a channel each
//	x[0]: V20,21      V0   V1   V2   V3
//	x[1]: V22,23      V4   V5   V6   V7
//	x[2]: V24,25      V8   V9   V10  V11
//	x[3]: V26,27      V12  V13  V14  V15   products in V28..V31
//
// A product of x-128 and a weight is at most 128*127 in magnitude, so two of them always fit 16
// bits. Most weights of a trained layer are far smaller than the largest, and four products fit
// too: then a sum takes five instructions for 32 taps instead of six. packNarrowNEON decides it for
// each 32 taps of 4 channels, from the weights alone, so no x can overflow.
//
// R0 dst, R1 dstStep, R2 xStep, R3 tiles left, R4 taps after the groups of 32, R6 kinds of the
// groups, R7 w, R8 what the sums start with; R9..R12 x of the positions, R13 w, R14 kinds left, R15
// taps left, R19 x of the tile, R22 mult.

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

// HALVES multiplies eight taps.
#define HALVES(x, a0, a1, a2, a3) \
	SMULL(28, x, 16)  \
	SMULL(29, x, 17)  \
	SMULL(30, x, 18)  \
	SMULL(31, x, 19)  \
	SADALP(a0, 28)    \
	SADALP(a1, 29)    \
	SADALP(a2, 30)    \
	SADALP(a3, 31)

#define WEIGHTS VLD1.P 64(R13), [V16.B16, V17.B16, V18.B16, V19.B16]

#define TAPS4(x0, x1, x2, x3) \
	WEIGHTS                    \
	PRODUCTS(x0, 0, 1, 2, 3)   \
	PRODUCTS(x1, 4, 5, 6, 7)   \
	PRODUCTS(x2, 8, 9, 10, 11) \
	PRODUCTS(x3, 12, 13, 14, 15)

// LONG multiplies 32 taps, with the second sixteen weights in V24..V27. Its products stay in 16
// bits, because each lane adds four of them and the magnitudes of the four weights add up to 255 at
// most.
#define LONG(x, y, a0, a1, a2, a3) \
	SMULL(28, x, 16)  \
	SMULL(29, x, 17)  \
	SMULL(30, x, 18)  \
	SMULL(31, x, 19)  \
	SMLAL2(28, x, 16) \
	SMLAL2(29, x, 17) \
	SMLAL2(30, x, 18) \
	SMLAL2(31, x, 19) \
	SMLAL(28, y, 24)  \
	SMLAL(29, y, 25)  \
	SMLAL(30, y, 26)  \
	SMLAL(31, y, 27)  \
	SMLAL2(28, y, 24) \
	SMLAL2(29, y, 25) \
	SMLAL2(30, y, 26) \
	SMLAL2(31, y, 27) \
	SADALP(a0, 28)    \
	SADALP(a1, 29)    \
	SADALP(a2, 30)    \
	SADALP(a3, 31)

// SUM adds the four parts of each sum in a0..a3. The sums of four channels are then in a0.
#define SUM(a0, a1, a2, a3) \
	VADDP a1, a0, a0 \
	VADDP a3, a2, a2 \
	VADDP a2, a0, a0

// func neonNarrow4(dst *uint8, dstStep int, x *int8, xStep, tiles, taps int, w *int8,
//	s *narrowedNEON)
//
// Tiles of four positions times 4 channels. taps is a multiple of 8. 32 taps take 89 instructions
// if four products fit, otherwise 105; a tile takes 54 more.
//
// The kinds are the bits of a word from the highest: 1 if four products fit. After the last group
// is one more 1, and then zeros.
TEXT ·neonNarrow4(SB), NOSPLIT, $0-64
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD x+16(FP), R19
	MOVD xStep+24(FP), R2
	MOVD tiles+32(FP), R3
	MOVD taps+40(FP), R4
	MOVD w+48(FP), R7
	MOVD s+56(FP), R8
	AND  $31, R4, R4
	ADD  $64, R8, R22
	MOVD 96(R8), R6

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
	MOVD R6, R14
	B    next4

long4:
	WEIGHTS
	VLD1.P 64(R13), [V24.B16, V25.B16, V26.B16, V27.B16]
	FLDPQ.P 32(R9), (F20, F21)
	LONG(20, 21, 0, 1, 2, 3)
	FLDPQ.P 32(R10), (F22, F23)
	LONG(22, 23, 4, 5, 6, 7)
	FLDPQ.P 32(R11), (F20, F21)
	LONG(20, 21, 8, 9, 10, 11)
	FLDPQ.P 32(R12), (F22, F23)
	LONG(22, 23, 12, 13, 14, 15)

next4:
	ADDS R14, R14, R14
	BEQ  rest4
	BCS  long4
	FLDPQ.P 32(R9), (F20, F21)
	FLDPQ.P 32(R10), (F22, F23)
	FLDPQ.P 32(R11), (F24, F25)
	FLDPQ.P 32(R12), (F26, F27)
	TAPS4(20, 22, 24, 26)
	TAPS4(21, 23, 25, 27)
	B    next4

rest4:
	SUBS $16, R4, R15
	BLT  eight4
	FMOVQ.P 16(R9), F20
	FMOVQ.P 16(R10), F22
	FMOVQ.P 16(R11), F24
	FMOVQ.P 16(R12), F26
	TAPS4(20, 22, 24, 26)

eight4:
	TBZ  $3, R15, end4
	FMOVD (R9), F20
	FMOVD (R10), F22
	FMOVD (R11), F24
	FMOVD (R12), F26
	WEIGHTS
	HALVES(20, 0, 1, 2, 3)
	HALVES(22, 4, 5, 6, 7)
	HALVES(24, 8, 9, 10, 11)
	HALVES(26, 12, 13, 14, 15)

end4:
	VLD1 (R22), [V17.S4, V18.S4]
	SUM(V0.S4, V1.S4, V2.S4, V3.S4)
	SUM(V4.S4, V5.S4, V6.S4, V7.S4)
	SUM(V8.S4, V9.S4, V10.S4, V11.S4)
	SUM(V12.S4, V13.S4, V14.S4, V15.S4)
	VMOV   V18.B16, V28.B16
	VMOV   V18.B16, V29.B16
	VMOV   V18.B16, V30.B16
	VMOV   V18.B16, V31.B16
	ROUNDED(28, 0, 4, 8, 12, 17, 17, 17, 17)
	VST1.P V28.S[0], (R0)(R1)
	VST1.P V28.S[1], (R0)(R1)
	VST1.P V28.S[2], (R0)(R1)
	VST1.P V28.S[3], (R0)(R1)
	SUBS   $1, R3, R3
	BNE    tile4
	RET

// func neonNarrow2(dst *uint8, dstStep int, x *int8, xStep, taps int, w *int8, s *narrowedNEON)
//
// One tile of two positions, for the rest of a row.
TEXT ·neonNarrow2(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD dstStep+8(FP), R1
	MOVD x+16(FP), R9
	MOVD xStep+24(FP), R10
	MOVD taps+32(FP), R15
	MOVD w+40(FP), R13
	MOVD s+48(FP), R8
	ADD  R9, R10, R10
	ADD  $64, R8, R22
	VLD1 (R8), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R8), [V4.S4, V5.S4, V6.S4, V7.S4]
	SUBS $16, R15, R15
	BLT  eight2

sixteen2:
	FMOVQ.P 16(R9), F20
	FMOVQ.P 16(R10), F22
	WEIGHTS
	PRODUCTS(20, 0, 1, 2, 3)
	PRODUCTS(22, 4, 5, 6, 7)
	SUBS $16, R15, R15
	BGE  sixteen2

eight2:
	TBZ  $3, R15, end2
	FMOVD (R9), F20
	FMOVD (R10), F22
	WEIGHTS
	HALVES(20, 0, 1, 2, 3)
	HALVES(22, 4, 5, 6, 7)

end2:
	VLD1 (R22), [V17.S4, V18.S4]
	SUM(V0.S4, V1.S4, V2.S4, V3.S4)
	SUM(V4.S4, V5.S4, V6.S4, V7.S4)
	VMOV   V18.B16, V28.B16
	VMOV   V18.B16, V29.B16
	FMLA(28, 0, 17)
	FMLA(29, 4, 17)
	FCVTNU(28, 28)
	FCVTNU(29, 29)
	UQXTN(28, 28)
	UQXTN2(28, 29)
	UQXTNB(28, 28)
	VST1.P V28.S[0], (R0)(R1)
	VST1   V28.S[1], (R0)
	RET
