#include "textflag.h"

// For each quarter i of a register, the doublewords 4*tap + i of the four taps.
DATA depthwiseQuarters<>+0(SB)/4, $0
DATA depthwiseQuarters<>+4(SB)/4, $4
DATA depthwiseQuarters<>+8(SB)/4, $8
DATA depthwiseQuarters<>+12(SB)/4, $12
DATA depthwiseQuarters<>+16(SB)/4, $1
DATA depthwiseQuarters<>+20(SB)/4, $5
DATA depthwiseQuarters<>+24(SB)/4, $9
DATA depthwiseQuarters<>+28(SB)/4, $13
DATA depthwiseQuarters<>+32(SB)/4, $2
DATA depthwiseQuarters<>+36(SB)/4, $6
DATA depthwiseQuarters<>+40(SB)/4, $10
DATA depthwiseQuarters<>+44(SB)/4, $14
DATA depthwiseQuarters<>+48(SB)/4, $3
DATA depthwiseQuarters<>+52(SB)/4, $7
DATA depthwiseQuarters<>+56(SB)/4, $11
DATA depthwiseQuarters<>+60(SB)/4, $15
GLOBL depthwiseQuarters<>(SB), RODATA|NOPTR, $64

// In each quarter, byte 4*tap + channel goes to byte 4*channel + tap.
DATA depthwiseBytes<>+0(SB)/8, $0x0d0905010c080400
DATA depthwiseBytes<>+8(SB)/8, $0x0f0b07030e0a0602
GLOBL depthwiseBytes<>(SB), RODATA|NOPTR, $16

// Neighbouring windows share columns: with stride 1 an output loads one new column, with stride 2
// two. No scaled sum reaches 2^31, so rounding needs no upper limit.
//
//	SI DX R9   the rows, R8 the distance of columns, R10 that of outputs
//	Z10 to Z12 three columns in turns: three rows and a 0 of each channel
//	Z20 to Z22 weights of the three columns, Z23 bias, Z24 mult

#define COLUMN(x, z) \
	VMOVDQU32    (SI), x         \
	VINSERTI32X4 $1, (DX), z, z  \
	VINSERTI32X4 $2, (R9), z, z  \
	ADDQ         R8, SI          \
	ADDQ         R8, DX          \
	ADDQ         R8, R9          \
	VPERMD       z, Z25, z       \
	VPSHUFB      Z26, z, z

#define COLUMNA COLUMN(X10, Z10)
#define COLUMNB COLUMN(X11, Z11)
#define COLUMNC COLUMN(X12, Z12)

// SLIDE is one output, with its columns from left to right.
#define SLIDE(a, b, c) \
	VMOVDQA32 Z23, Z1     \
	VPDPBUSD  Z20, a, Z1  \
	VPDPBUSD  Z21, b, Z1  \
	VPDPBUSD  Z22, c, Z1  \
	VPMAXSD   Z31, Z1, Z1 \
	VCVTDQ2PS Z1, Z1      \
	VMULPS    Z24, Z1, Z1 \
	VCVTPS2DQ Z1, Z1      \
	VPMOVUSDB Z1, (DI)    \
	ADDQ      R10, DI

#define ARGUMENTS \
	MOVQ dst+0(FP), DI        \
	MOVQ dstStep+8(FP), R10   \
	MOVQ row0+16(FP), SI      \
	MOVQ row1+24(FP), DX      \
	MOVQ row2+32(FP), R9      \
	MOVQ column+40(FP), R8    \
	MOVQ n+48(FP), CX         \
	MOVQ w+56(FP), BX         \
	VMOVDQU32 (BX), Z20       \
	VMOVDQU32 64(BX), Z21     \
	VMOVDQU32 128(BX), Z22    \
	VMOVDQU32 192(BX), Z23    \
	VMOVDQU32 256(BX), Z24    \
	VMOVDQU32 depthwiseQuarters<>(SB), Z25    \
	VBROADCASTI32X4 depthwiseBytes<>(SB), Z26 \
	VPXORD    Z31, Z31, Z31

// LAST makes the last column zeros, for one more output. Without a column of zeros on the right, it
// ends the function.
#define LAST \
	TESTQ R12, R12            \
	JZ    done                \
	MOVQ  R12, CX             \
	XORQ  R12, R12            \
	MOVQ  zeros+64(FP), SI    \
	MOVQ  SI, DX              \
	MOVQ  SI, R9

// func depthwise16Slide1VNNI(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int,
//	w *firstRecord, zeros *uint8, left, right int)
//
// A row of n outputs of sixteen channels: 3x3 windows with stride 1, requantised. If left is 1, the
// rows start with the second column of the first window, and its first column is zeros. If right is
// 1, the last column of the last window is zeros.
TEXT ·depthwise16Slide1VNNI(SB), NOSPLIT, $0-88
	ARGUMENTS
	MOVQ right+80(FP), R12
	SUBQ R12, CX           // outputs without a column of zeros on the right
	CMPQ left+72(FP), $0
	JEQ  inside
	VPXORD Z10, Z10, Z10
	JMP  second

inside:
	COLUMNA

second:
	COLUMNB
	TESTQ CX, CX
	JZ    end3

next1:
	COLUMNC
	SLIDE(Z10, Z11, Z12)
	DECQ CX
	JZ   end1

next2:
	COLUMNA
	SLIDE(Z11, Z12, Z10)
	DECQ CX
	JZ   end2

next3:
	COLUMNB
	SLIDE(Z12, Z10, Z11)
	DECQ CX
	JNZ  next1

end3:
	LAST
	JMP next1

end1:
	LAST
	JMP next2

end2:
	LAST
	JMP next3

done:
	VZEROUPPER
	RET

// func depthwise16Slide2VNNI(dst *uint8, dstStep int, row0, row1, row2 *uint8, column, n int,
//	w *firstRecord)
//
// The same with stride 2, inside the rows.
TEXT ·depthwise16Slide2VNNI(SB), NOSPLIT, $0-64
	ARGUMENTS
	COLUMNA

both:
	COLUMNB
	COLUMNC
	SLIDE(Z10, Z11, Z12)
	DECQ CX
	JZ   done2
	COLUMNA
	COLUMNB
	SLIDE(Z12, Z10, Z11)
	DECQ CX
	JZ   done2
	COLUMNC
	COLUMNA
	SLIDE(Z11, Z12, Z10)
	DECQ CX
	JNZ  both

done2:
	VZEROUPPER
	RET

// TAPS adds the products of a row of the window to the sums in Z1. The sixteen channels of three
// columns fill three quarters of Z0, the last quarter is 0. Two permutations put the four taps of
// each channel side by side, in the order of the channels.
#define TAPS(row, w) \
	VMOVDQU      (row), X0                    \
	VINSERTI32X4 $1, (row)(R8*1), Z0, Z0      \
	VINSERTI32X4 $2, (row)(R8*2), Z0, Z0      \
	VPERMD       Z0, Z25, Z0                  \
	VPSHUFB      Z26, Z0, Z0                  \
	VPDPBUSD     w, Z0, Z1

// func depthwise16VNNI(dst *uint8, dstStep int, row0, row1, row2 *uint8,
//	column, xStep, n int, w *firstRecord)
//
// A row of n outputs of sixteen channels: 3x3 windows, requantised. Target CPUs: Ice Lake servers
// and later, Zen 4 and later.
//
//	SI DX R9   the rows under the window, R8 the distance of its columns, R12 that of two windows
//	Z20 to Z22 weights of the three rows, Z23 bias, Z24 mult
//	Z25 Z26    the permutations
TEXT ·depthwise16VNNI(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R10
	MOVQ row0+16(FP), SI
	MOVQ row1+24(FP), DX
	MOVQ row2+32(FP), R9
	MOVQ column+40(FP), R8
	MOVQ xStep+48(FP), R12
	MOVQ n+56(FP), CX
	MOVQ w+64(FP), BX
	VMOVDQU32 (BX), Z20
	VMOVDQU32 64(BX), Z21
	VMOVDQU32 128(BX), Z22
	VMOVDQU32 192(BX), Z23
	VMOVDQU32 256(BX), Z24
	VMOVDQU32 depthwiseQuarters<>(SB), Z25
	VBROADCASTI32X4 depthwiseBytes<>(SB), Z26
	MOVL         $0x437f0000, AX // 255.0
	VPBROADCASTD AX, Z30
	VPXORD       Z31, Z31, Z31

window:
	VMOVDQA32 Z23, Z1
	TAPS(SI, Z20)
	TAPS(DX, Z21)
	TAPS(R9, Z22)
	VPMAXSD   Z31, Z1, Z1
	VCVTDQ2PS Z1, Z1
	VMULPS    Z24, Z1, Z1
	VMINPS    Z30, Z1, Z1
	VCVTPS2DQ Z1, Z1
	VPMOVDB   Z1, (DI)
	ADDQ      R12, SI
	ADDQ      R12, DX
	ADDQ      R12, R9
	ADDQ      R10, DI
	DECQ      CX
	JNZ       window
	VZEROUPPER
	RET
