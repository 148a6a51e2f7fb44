#include "textflag.h"
#include "ops_arm64.h"
#include "narrow_arm64.h"

// Depthwise convolutions with NEON whose windows share columns: with stride 1 an output loads one
// new column, with stride 2 two. Target CPUs: those of neon_arm64.s.
//
//	V0..V8           weights of the taps, row by row
//	V10 V11          products; before them, 128
//	V12..V15         sums
//	V16..V24         three columns of three rows, in turns
//	V25..V28         addends of rounding
//	V9 V29..V31      mult
//
//	R0 dst, R1 dstStep, R2 R3 R4 x of three rows, R5 bytes of a column, R7 outputs left
//	R10 bias, R12 addends of rounding

// COLUMN loads the next column as x-128.
#define COLUMN(x, y, z) \
	VLD1.P (R2)(R5), [x.B16] \
	VLD1.P (R3)(R5), [y.B16] \
	VLD1.P (R4)(R5), [z.B16] \
	VMOVI  $0x80, V10.B16    \
	VEOR   V10.B16, x.B16, x.B16 \
	VEOR   V10.B16, y.B16, y.B16 \
	VEOR   V10.B16, z.B16, z.B16

#define COLUMNA COLUMN(V16, V17, V18)
#define COLUMNB COLUMN(V19, V20, V21)
#define COLUMNC COLUMN(V22, V23, V24)

// PAIR adds the products of two taps: x and y times the weights wx and wy. With x-128 a product is
// at most 128*127 in magnitude, so two of them fit 16 bits.
#define PAIR(x, wx, y, wy) \
	SMULL(10, x, wx)   \
	SMULL2(11, x, wx)  \
	SMLAL(10, y, wy)   \
	SMLAL2(11, y, wy)  \
	WIDEN

#define WIDEN \
	SADDW(12, 12, 10)  \
	SADDW2(13, 13, 10) \
	SADDW(14, 14, 11)  \
	SADDW2(15, 15, 11)

// OUT is one output. a, b and c are the first registers of its columns from left to right.
#define OUT(a, b, c) \
	VLD1 (R10), [V12.S4, V13.S4, V14.S4, V15.S4] \
	PAIR(a, 0, (a+1), 3)       \
	PAIR((a+2), 6, b, 1)       \
	PAIR((b+1), 4, (b+2), 7)   \
	PAIR(c, 2, (c+1), 5)       \
	SMULL(10, (c+2), 8)        \
	SMULL2(11, (c+2), 8)       \
	WIDEN                      \
	VLD1 (R12), [V25.S4, V26.S4, V27.S4, V28.S4] \
	ROUNDED(25, 12, 13, 14, 15, 9, 29, 30, 31)   \
	VST1.P [V25.B16], (R0)(R1)

#define ARGUMENTS \
	MOVD dst+0(FP), R0       \
	MOVD dstStep+8(FP), R1   \
	MOVD row0+16(FP), R2     \
	MOVD row1+24(FP), R3     \
	MOVD row2+32(FP), R4     \
	MOVD column+40(FP), R5   \
	MOVD n+48(FP), R7        \
	MOVD w+56(FP), R8        \
	VLD1.P 64(R8), [V0.B16, V1.B16, V2.B16, V3.B16]   \
	VLD1.P 64(R8), [V4.B16, V5.B16, V6.B16, V7.B16]   \
	VLD1.P 16(R8), [V8.B16]                           \
	ADD  $64, R8, R8         \
	VLD1.P 64(R8), [V28.S4, V29.S4, V30.S4, V31.S4]   \
	VMOV V28.B16, V9.B16     \
	MOVD R8, R10             \
	ADD  $64, R8, R12

// ZEROS makes the next column zeros.
#define ZEROS \
	MOVD zeros+64(FP), R2 \
	MOVD R2, R3           \
	MOVD R2, R4

// func neonDepthwise1(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int,
//	w *depthwiseRecord, zeros *uint8, left, right int)
//
// A row of n outputs of sixteen channels: 3x3 windows with stride 1, requantised. If left is 1, the
// rows start with the second column of the first window, and its first column is zeros. If right is
// 1, the last column of the last window is zeros. 64 instructions for 144 multiply-accumulates.
TEXT ·neonDepthwise1(SB), NOSPLIT, $0-88
	ARGUMENTS
	MOVD left+72(FP), R13
	MOVD right+80(FP), R14
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
	OUT(16, 19, 22)
	SUBS $1, R7, R7
	BEQ  end1

next2:
	COLUMNA
	OUT(19, 22, 16)
	SUBS $1, R7, R7
	BEQ  end2

next3:
	COLUMNB
	OUT(22, 16, 19)
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

// func neonDepthwise2(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int,
//	w *depthwiseRecord)
//
// The same with stride 2, inside the rows: 71 instructions.
TEXT ·neonDepthwise2(SB), NOSPLIT, $0-64
	ARGUMENTS
	COLUMNA

both1:
	COLUMNB
	COLUMNC
	OUT(16, 19, 22)
	SUBS $1, R7, R7
	BEQ  done2
	COLUMNA
	COLUMNB
	OUT(22, 16, 19)
	SUBS $1, R7, R7
	BEQ  done2
	COLUMNC
	COLUMNA
	OUT(19, 22, 16)
	SUBS $1, R7, R7
	BNE  both1

done2:
	RET
