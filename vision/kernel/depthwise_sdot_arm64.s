#include "textflag.h"
#include "ops_arm64.h"
#include "narrow_arm64.h"

// Depthwise convolutions with the dot product instructions. Target CPUs: those of sdot_arm64.s.
//
// A column of a window is three bytes of each channel, one for each row. Brought together with one
// TBL for four channels, they are one operand of SDOT; its fourth byte is 0. Neighbouring windows
// share columns: with stride 1 an output needs one new column, with stride 2 two.
//
//	V0..V3, V4..V7   weights of columns 0 and 1, four channels each
//	V8..V11          mult
//	V12..V15         the places of four channels in three registers of rows
//	V16..V27         three columns, in turns; the oldest also holds the weights of column 2, and
//	                 the addends of rounding
//	V28..V31         sums; before them, three rows of a new column and 128
//
//	R0 dst, R1 dstStep, R2 R3 R4 x of three rows, R5 bytes of a column, R7 outputs left
//	R10 bias, R11 weights of column 2, R12 addends of rounding

// COLUMN loads the next column into c0..c3, as x-128.
#define COLUMN(c0, c1, c2, c3) \
	VLD1.P (R2)(R5), [V28.B16]     \
	VLD1.P (R3)(R5), [V29.B16]     \
	VLD1.P (R4)(R5), [V30.B16]     \
	VMOVI  $0x80, V31.B16          \
	VEOR   V31.B16, V28.B16, V28.B16 \
	VEOR   V31.B16, V29.B16, V29.B16 \
	VEOR   V31.B16, V30.B16, V30.B16 \
	VTBL   V12.B16, [V28.B16, V29.B16, V30.B16], c0.B16 \
	VTBL   V13.B16, [V28.B16, V29.B16, V30.B16], c1.B16 \
	VTBL   V14.B16, [V28.B16, V29.B16, V30.B16], c2.B16 \
	VTBL   V15.B16, [V28.B16, V29.B16, V30.B16], c3.B16

#define COLUMNA COLUMN(V16, V17, V18, V19)
#define COLUMNB COLUMN(V20, V21, V22, V23)
#define COLUMNC COLUMN(V24, V25, V26, V27)

// LOADA, LOADB and LOADC load 64 bytes into the registers of a column.
#define LOADA(r) VLD1 (r), [V16.S4, V17.S4, V18.S4, V19.S4]
#define LOADB(r) VLD1 (r), [V20.S4, V21.S4, V22.S4, V23.S4]
#define LOADC(r) VLD1 (r), [V24.S4, V25.S4, V26.S4, V27.S4]

// SUMS computes the sums of a window from the columns a, b and c, given as the number of their
// first register.
#define SUMS(LOAD, a, b, c) \
	VLD1 (R10), [V28.S4, V29.S4, V30.S4, V31.S4] \
	SDOTV(28, 0, a)       \
	SDOTV(29, 1, (a+1))   \
	SDOTV(30, 2, (a+2))   \
	SDOTV(31, 3, (a+3))   \
	LOAD(R11)             \
	SDOTV(28, 4, b)       \
	SDOTV(29, 5, (b+1))   \
	SDOTV(30, 6, (b+2))   \
	SDOTV(31, 7, (b+3))   \
	SDOTV(28, a, c)       \
	SDOTV(29, (a+1), (c+1)) \
	SDOTV(30, (a+2), (c+2)) \
	SDOTV(31, (a+3), (c+3))

// STORE rounds the sums and stores the bytes.
#define STORE(LOAD, a, va) \
	LOAD(R12)                           \
	ROUNDED(a, 28, 29, 30, 31, 8, 9, 10, 11) \
	VST1.P [va.B16], (R0)(R1)

// STOREANY rounds any sum with any scale, as ROUND does.
#define STOREANY \
	SCVTF(28, 28)    \
	SCVTF(29, 29)    \
	SCVTF(30, 30)    \
	SCVTF(31, 31)    \
	FMUL(28, 28, 8)  \
	FMUL(29, 29, 9)  \
	FMUL(30, 30, 10) \
	FMUL(31, 31, 11) \
	FCVTNS(28, 28)   \
	FCVTNS(29, 29)   \
	FCVTNS(30, 30)   \
	FCVTNS(31, 31)   \
	SQXTN(28, 28)    \
	SQXTN2(28, 29)   \
	SQXTN(30, 30)    \
	SQXTN2(30, 31)   \
	SQXTUN(28, 28)   \
	SQXTUN2(28, 30)  \
	VST1.P [V28.B16], (R0)(R1)

// OUT is one output, with the columns from the oldest to the newest.
#define OUTABC SUMS(LOADA, 16, 20, 24) STORE(LOADA, 16, V16)
#define OUTBCA SUMS(LOADB, 20, 24, 16) STORE(LOADB, 20, V20)
#define OUTCAB SUMS(LOADC, 24, 16, 20) STORE(LOADC, 24, V24)

#define ARGUMENTS \
	MOVD dst+0(FP), R0       \
	MOVD dstStep+8(FP), R1   \
	MOVD row0+16(FP), R2     \
	MOVD row1+24(FP), R3     \
	MOVD row2+32(FP), R4     \
	MOVD column+40(FP), R5   \
	MOVD n+48(FP), R7        \
	MOVD w+56(FP), R8        \
	MOVD places+64(FP), R9   \
	VLD1 (R9), [V12.B16, V13.B16, V14.B16, V15.B16]   \
	VLD1.P 64(R8), [V0.B16, V1.B16, V2.B16, V3.B16]   \
	VLD1.P 64(R8), [V4.B16, V5.B16, V6.B16, V7.B16]   \
	MOVD R8, R11             \
	ADD  $64, R8, R8         \
	VLD1.P 64(R8), [V8.S4, V9.S4, V10.S4, V11.S4]     \
	MOVD R8, R10             \
	ADD  $64, R8, R12

// ZEROS makes the next column zeros.
#define ZEROS \
	MOVD zeros+72(FP), R2 \
	MOVD R2, R3           \
	MOVD R2, R4

// func sdotDepthwise1(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int,
//	w *sdotRecord, places, zeros *uint8, left, right int)
//
// A row of n outputs of sixteen channels: 3x3 windows with stride 1, requantised. If left is 1, the
// rows start with the second column of the first window, and its first column is zeros. If right is
// 1, the last column of the last window is zeros. 43 instructions for 144 multiply-accumulates.
TEXT ·sdotDepthwise1(SB), NOSPLIT, $0-96
	ARGUMENTS
	MOVD left+80(FP), R13
	MOVD right+88(FP), R14
	SUB  R14, R7, R7       // outputs without a column of zeros on the right
	MOVD R2, R15
	MOVD R3, R16
	MOVD R4, R17
	CBZ  R13, inside
	ZEROS
	COLUMNA
	MOVD R15, R2
	MOVD R16, R3
	MOVD R17, R4
	B    second

inside:
	COLUMNA

second:
	COLUMNB
	CBZ  R7, end3

next1:
	COLUMNC
	OUTABC
	SUBS $1, R7, R7
	BEQ  end1

next2:
	COLUMNA
	OUTBCA
	SUBS $1, R7, R7
	BEQ  end2

next3:
	COLUMNB
	OUTCAB
	SUBS $1, R7, R7
	BNE  next1

end3:
	CBZ  R14, done
	MOVD R14, R7
	MOVD $0, R14
	ZEROS
	B    next1

end1:
	CBZ  R14, done
	MOVD R14, R7
	MOVD $0, R14
	ZEROS
	B    next2

end2:
	CBZ  R14, done
	MOVD R14, R7
	MOVD $0, R14
	ZEROS
	B    next3

done:
	RET

// func sdotDepthwise2(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int,
//	w *sdotRecord, places *uint8)
//
// The same with stride 2, inside the rows: 55 instructions.
TEXT ·sdotDepthwise2(SB), NOSPLIT, $0-72
	ARGUMENTS
	COLUMNA

both1:
	COLUMNB
	COLUMNC
	OUTABC
	SUBS $1, R7, R7
	BEQ  done2
	COLUMNA
	COLUMNB
	OUTCAB
	SUBS $1, R7, R7
	BEQ  done2
	COLUMNC
	COLUMNA
	OUTBCA
	SUBS $1, R7, R7
	BNE  both1

done2:
	RET

// func sdotDepthwiseAny(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int,
//	w *sdotRecord, places *uint8, xStep int)
//
// The same with any stride, sum and scale; xStep is the distance of two windows.
TEXT ·sdotDepthwiseAny(SB), NOSPLIT, $0-80
	ARGUMENTS
	ADD  $64, R12, R10     // the biases without 0x4B000000
	MOVD xStep+72(FP), R6
	SUB  R5, R6, R6
	SUB  R5, R6, R6
	SUB  R5, R6, R6        // from the end of a window to the next

any:
	COLUMNA
	COLUMNB
	COLUMNC
	SUMS(LOADA, 16, 20, 24)
	STOREANY
	ADD  R6, R2, R2
	ADD  R6, R3, R3
	ADD  R6, R4, R4
	SUBS $1, R7, R7
	BNE  any
	RET
