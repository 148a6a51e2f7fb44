#include "textflag.h"

// Bodies for AVX-512 with VNNI. Target CPUs: Ice Lake servers and later, Zen 4 and later.
//
// In VPDPBUSD signed, unsigned, sum, the unsigned operand must be a register. So x is broadcast to
// a register, and the weights are memory operands.

// Pointers to the positions of a tile of 14: R9 (relative to SI) points to position 0, DX to
// position 7. R8 is the step, R13 three and R14 five times the step, so that 0 to 6 steps can be
// reached from each pointer.

// W32 and W16: the weights of the next four values, for 32 and 16 channels.
#define W32 \
	VMOVDQU32 (BX), Z28         \
	VMOVDQU32 (BX)(R10*1), Z29

#define W16 \
	VMOVDQU32 (BX), Z28

// X32 and X16: four values of one position times the weights.
#define X32(at, x, a, b) \
	VPBROADCASTD at, x       \
	VPDPBUSD     Z28, x, a   \
	VPDPBUSD     Z29, x, b

#define X16(at, x, a) \
	VPBROADCASTD at, x       \
	VPDPBUSD     Z28, x, a

#define STORE32(a, b) \
	VMOVDQU32 a, (DI)    \
	VMOVDQU32 b, 64(DI)  \
	ADDQ      R10, DI

#define STORE16(a) \
	VMOVDQU32 a, (DI)    \
	ADDQ      R10, DI

// func rows14x32VNNI(dst *int32, dstStep int, x *uint8, xStep, runs, runLen, runStride int,
//	w *int8, wStep int, bias *int32)
//
// Fourteen positions times 32 channels. Steps and strides are in bytes. All 32 registers are used:
//
//	           w: Z28   Z29
//	x[0]:         Z0    Z1
//	x[1]:         Z2    Z3
//	  ...
//	x[13]:        Z26   Z27     x through Z30 and Z31
//
// 28 VPDPBUSD for 16 loads, two of which are weights: at two VPDPBUSD per cycle, L2 delivers 9
// bytes of weights per cycle.
TEXT ·rows14x32VNNI(SB), NOSPLIT, $0-80
	MOVQ dst+0(FP), DI
	MOVQ x+16(FP), SI
	MOVQ xStep+24(FP), R8
	MOVQ runs+32(FP), CX
	MOVQ runLen+40(FP), R11
	MOVQ runStride+48(FP), R12
	MOVQ w+56(FP), BX
	MOVQ wStep+64(FP), R10
	MOVQ bias+72(FP), AX
	LEAQ (R8)(R8*2), R13
	LEAQ (R8)(R8*4), R14
	VMOVDQU32 (AX), Z0
	VMOVDQU32 64(AX), Z1
	VMOVDQA32 Z0, Z2
	VMOVDQA32 Z1, Z3
	VMOVDQA32 Z0, Z4
	VMOVDQA32 Z1, Z5
	VMOVDQA32 Z0, Z6
	VMOVDQA32 Z1, Z7
	VMOVDQA32 Z0, Z8
	VMOVDQA32 Z1, Z9
	VMOVDQA32 Z0, Z10
	VMOVDQA32 Z1, Z11
	VMOVDQA32 Z0, Z12
	VMOVDQA32 Z1, Z13
	VMOVDQA32 Z0, Z14
	VMOVDQA32 Z1, Z15
	VMOVDQA32 Z0, Z16
	VMOVDQA32 Z1, Z17
	VMOVDQA32 Z0, Z18
	VMOVDQA32 Z1, Z19
	VMOVDQA32 Z0, Z20
	VMOVDQA32 Z1, Z21
	VMOVDQA32 Z0, Z22
	VMOVDQA32 Z1, Z23
	VMOVDQA32 Z0, Z24
	VMOVDQA32 Z1, Z25
	VMOVDQA32 Z0, Z26
	VMOVDQA32 Z1, Z27

run14x32:
	MOVQ SI, R9
	LEAQ (SI)(R13*2), DX
	ADDQ R8, DX
	MOVQ R11, AX

group14x32:
	W32
	X32((R9), Z30, Z0, Z1)
	X32((R9)(R8*1), Z31, Z2, Z3)
	X32((R9)(R8*2), Z30, Z4, Z5)
	X32((R9)(R13*1), Z31, Z6, Z7)
	X32((R9)(R8*4), Z30, Z8, Z9)
	X32((R9)(R14*1), Z31, Z10, Z11)
	X32((R9)(R13*2), Z30, Z12, Z13)
	X32((DX), Z31, Z14, Z15)
	X32((DX)(R8*1), Z30, Z16, Z17)
	X32((DX)(R8*2), Z31, Z18, Z19)
	X32((DX)(R13*1), Z30, Z20, Z21)
	X32((DX)(R8*4), Z31, Z22, Z23)
	X32((DX)(R14*1), Z30, Z24, Z25)
	X32((DX)(R13*2), Z31, Z26, Z27)
	ADDQ $64, BX
	ADDQ $4, R9
	ADDQ $4, DX
	SUBQ $4, AX
	JNZ  group14x32

	ADDQ R12, SI
	DECQ CX
	JNZ  run14x32

	MOVQ dstStep+8(FP), R10
	STORE32(Z0, Z1)
	STORE32(Z2, Z3)
	STORE32(Z4, Z5)
	STORE32(Z6, Z7)
	STORE32(Z8, Z9)
	STORE32(Z10, Z11)
	STORE32(Z12, Z13)
	STORE32(Z14, Z15)
	STORE32(Z16, Z17)
	STORE32(Z18, Z19)
	STORE32(Z20, Z21)
	STORE32(Z22, Z23)
	STORE32(Z24, Z25)
	STORE32(Z26, Z27)
	VZEROUPPER
	RET

// func rows14x16VNNI(dst *int32, dstStep int, x *uint8, xStep, runs, runLen, runStride int,
//	w *int8, bias *int32)
//
// Fourteen positions times 16 channels, for a single block of 16. Sums are in Z0..Z13.
TEXT ·rows14x16VNNI(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ x+16(FP), SI
	MOVQ xStep+24(FP), R8
	MOVQ runs+32(FP), CX
	MOVQ runLen+40(FP), R11
	MOVQ runStride+48(FP), R12
	MOVQ w+56(FP), BX
	MOVQ bias+64(FP), AX
	LEAQ (R8)(R8*2), R13
	LEAQ (R8)(R8*4), R14
	VMOVDQU32 (AX), Z0
	VMOVDQA32 Z0, Z1
	VMOVDQA32 Z0, Z2
	VMOVDQA32 Z0, Z3
	VMOVDQA32 Z0, Z4
	VMOVDQA32 Z0, Z5
	VMOVDQA32 Z0, Z6
	VMOVDQA32 Z0, Z7
	VMOVDQA32 Z0, Z8
	VMOVDQA32 Z0, Z9
	VMOVDQA32 Z0, Z10
	VMOVDQA32 Z0, Z11
	VMOVDQA32 Z0, Z12
	VMOVDQA32 Z0, Z13

run14x16:
	MOVQ SI, R9
	LEAQ (SI)(R13*2), DX
	ADDQ R8, DX
	MOVQ R11, AX

group14x16:
	W16
	X16((R9), Z30, Z0)
	X16((R9)(R8*1), Z31, Z1)
	X16((R9)(R8*2), Z30, Z2)
	X16((R9)(R13*1), Z31, Z3)
	X16((R9)(R8*4), Z30, Z4)
	X16((R9)(R14*1), Z31, Z5)
	X16((R9)(R13*2), Z30, Z6)
	X16((DX), Z31, Z7)
	X16((DX)(R8*1), Z30, Z8)
	X16((DX)(R8*2), Z31, Z9)
	X16((DX)(R13*1), Z30, Z10)
	X16((DX)(R8*4), Z31, Z11)
	X16((DX)(R14*1), Z30, Z12)
	X16((DX)(R13*2), Z31, Z13)
	ADDQ $64, BX
	ADDQ $4, R9
	ADDQ $4, DX
	SUBQ $4, AX
	JNZ  group14x16

	ADDQ R12, SI
	DECQ CX
	JNZ  run14x16

	MOVQ dstStep+8(FP), R10
	STORE16(Z0)
	STORE16(Z1)
	STORE16(Z2)
	STORE16(Z3)
	STORE16(Z4)
	STORE16(Z5)
	STORE16(Z6)
	STORE16(Z7)
	STORE16(Z8)
	STORE16(Z9)
	STORE16(Z10)
	STORE16(Z11)
	STORE16(Z12)
	STORE16(Z13)
	VZEROUPPER
	RET

// func rows4x64VNNI(dst *int32, dstStep int, x *uint8, xStep, runs, runLen, runStride int,
//	w *int8, wStep int, bias *int32)
//
// Four positions times 64 channels, for short rows and dense layers. The sums of position p are in
// Z(4p)..Z(4p+3), weights in Z16..Z19, x in Z20..Z23.
#define X64(at, x, a, b, c, d) \
	VPBROADCASTD at, x       \
	VPDPBUSD     Z16, x, a   \
	VPDPBUSD     Z17, x, b   \
	VPDPBUSD     Z18, x, c   \
	VPDPBUSD     Z19, x, d

#define STORE64(a, b, c, d) \
	VMOVDQU32 a, (DI)    \
	VMOVDQU32 b, 64(DI)  \
	VMOVDQU32 c, 128(DI) \
	VMOVDQU32 d, 192(DI) \
	ADDQ      R10, DI

TEXT ·rows4x64VNNI(SB), NOSPLIT, $0-80
	MOVQ dst+0(FP), DI
	MOVQ x+16(FP), SI
	MOVQ xStep+24(FP), R8
	MOVQ runs+32(FP), CX
	MOVQ runLen+40(FP), R11
	MOVQ runStride+48(FP), R12
	MOVQ w+56(FP), BX
	MOVQ wStep+64(FP), R10
	MOVQ bias+72(FP), AX
	LEAQ (R8)(R8*2), R13
	LEAQ (R10)(R10*2), R14
	VMOVDQU32 (AX), Z0
	VMOVDQU32 64(AX), Z1
	VMOVDQU32 128(AX), Z2
	VMOVDQU32 192(AX), Z3
	VMOVDQA32 Z0, Z4
	VMOVDQA32 Z1, Z5
	VMOVDQA32 Z2, Z6
	VMOVDQA32 Z3, Z7
	VMOVDQA32 Z0, Z8
	VMOVDQA32 Z1, Z9
	VMOVDQA32 Z2, Z10
	VMOVDQA32 Z3, Z11
	VMOVDQA32 Z0, Z12
	VMOVDQA32 Z1, Z13
	VMOVDQA32 Z2, Z14
	VMOVDQA32 Z3, Z15

run4x64:
	MOVQ SI, R9
	MOVQ R11, AX

group4x64:
	VMOVDQU32 (BX), Z16
	VMOVDQU32 (BX)(R10*1), Z17
	VMOVDQU32 (BX)(R10*2), Z18
	VMOVDQU32 (BX)(R14*1), Z19
	X64((R9), Z20, Z0, Z1, Z2, Z3)
	X64((R9)(R8*1), Z21, Z4, Z5, Z6, Z7)
	X64((R9)(R8*2), Z22, Z8, Z9, Z10, Z11)
	X64((R9)(R13*1), Z23, Z12, Z13, Z14, Z15)
	ADDQ $64, BX
	ADDQ $4, R9
	SUBQ $4, AX
	JNZ  group4x64

	ADDQ R12, SI
	DECQ CX
	JNZ  run4x64

	MOVQ dstStep+8(FP), R10
	STORE64(Z0, Z1, Z2, Z3)
	STORE64(Z4, Z5, Z6, Z7)
	STORE64(Z8, Z9, Z10, Z11)
	STORE64(Z12, Z13, Z14, Z15)
	VZEROUPPER
	RET

// func rows4x16VNNI(dst *int32, dstStep int, x *uint8, xStep, runs, runLen, runStride int,
//	w *int8, bias *int32)
//
// Four positions times 16 channels. Sums are in Z0..Z3.
TEXT ·rows4x16VNNI(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ x+16(FP), SI
	MOVQ xStep+24(FP), R8
	MOVQ runs+32(FP), CX
	MOVQ runLen+40(FP), R11
	MOVQ runStride+48(FP), R12
	MOVQ w+56(FP), BX
	MOVQ bias+64(FP), AX
	LEAQ (R8)(R8*2), R13
	VMOVDQU32 (AX), Z0
	VMOVDQA32 Z0, Z1
	VMOVDQA32 Z0, Z2
	VMOVDQA32 Z0, Z3

run4x16:
	MOVQ SI, R9
	MOVQ R11, AX

group4x16:
	W16
	X16((R9), Z20, Z0)
	X16((R9)(R8*1), Z21, Z1)
	X16((R9)(R8*2), Z22, Z2)
	X16((R9)(R13*1), Z23, Z3)
	ADDQ $64, BX
	ADDQ $4, R9
	SUBQ $4, AX
	JNZ  group4x16

	ADDQ R12, SI
	DECQ CX
	JNZ  run4x16

	MOVQ dstStep+8(FP), R10
	STORE16(Z0)
	STORE16(Z1)
	STORE16(Z2)
	STORE16(Z3)
	VZEROUPPER
	RET

// CLAMP255 sets r to 255.0, the upper limit. Values are limited before the conversion, which turns
// a value too large for int32 into the smallest int32. The lower limit is the saturation of the
// packing, or a maximum of the sums with 0.
#define CLAMP255(r) \
	MOVL         $0x437f0000, AX \
	VPBROADCASTD AX, r

// func poolVNNI(dst *uint8, top, bottom *int32, n int, mult *float32, channels int)
//
// Sixteen channels at a time.
TEXT ·poolVNNI(SB), NOSPLIT, $0-48
	MOVQ   dst+0(FP), DI
	MOVQ   top+8(FP), SI
	MOVQ   bottom+16(FP), BX
	MOVQ   n+24(FP), CX
	MOVQ   mult+32(FP), DX
	MOVQ   channels+40(FP), R8
	SHLQ   $2, R8              // bytes of a position
	VPXORD Z31, Z31, Z31
	CLAMP255(Z30)

position:
	XORQ R9, R9

channel:
	VMOVDQU32 (SI), Z0
	VMOVDQU32 (BX), Z1
	VPMAXSD   (SI)(R8*1), Z0, Z0
	VPMAXSD   (BX)(R8*1), Z1, Z1
	VPMAXSD   Z31, Z0, Z0
	VPMAXSD   Z1, Z0, Z0
	VCVTDQ2PS Z0, Z0
	VMULPS    (DX)(R9*1), Z0, Z0
	VMINPS    Z30, Z0, Z0
	VCVTPS2DQ Z0, Z0
	VPMOVDB   Z0, (DI)
	ADDQ      $64, SI
	ADDQ      $64, BX
	ADDQ      $16, DI
	ADDQ      $64, R9
	CMPQ      R9, R8
	JNE       channel

	ADDQ R8, SI // skip the odd position, which was read together with the even one
	ADDQ R8, BX
	DECQ CX
	JNZ  position
	VZEROUPPER
	RET

// func requantizeVNNI(dst *uint8, sums *int32, mult *float32, channels, n int)
//
// n positions of channels, sixteen channels at a time.
TEXT ·requantizeVNNI(SB), NOSPLIT, $0-40
	MOVQ   dst+0(FP), DI
	MOVQ   sums+8(FP), SI
	MOVQ   mult+16(FP), BX
	MOVQ   channels+24(FP), R8
	MOVQ   n+32(FP), R9
	VPXORD Z31, Z31, Z31
	CLAMP255(Z30)

position:
	MOVQ BX, DX
	MOVQ R8, CX

requantize:
	VPMAXSD   (SI), Z31, Z0
	VCVTDQ2PS Z0, Z0
	VMULPS    (DX), Z0, Z0
	VMINPS    Z30, Z0, Z0
	VCVTPS2DQ Z0, Z0
	VPMOVDB   Z0, (DI)
	ADDQ      $64, SI
	ADDQ      $64, DX
	ADDQ      $16, DI
	SUBQ      $16, CX
	JNZ       requantize
	DECQ      R9
	JNZ       position
	VZEROUPPER
	RET

// func firstVNNI(dst, x *uint8, row, n int, records *firstRecord, channels int)
//
// One row of pooled outputs of the first layer. An output covers 5 x 5 pixels. Its four windows
// start at rows 0 and 2 and at columns 0 and 2. Each row of a window is one broadcast of four
// pixels; the weight of the last one is 0:
//
//	rows 0..4 from column 0: Z0 Z2 Z4 Z6 Z8, from column 2: Z1 Z3 Z5 Z7 Z9
//
// The pixels stay in registers for all channels. A record of sixteen channels takes 12 VPDPBUSD, 3
// maxima and the requantising. Only the bytes of the pooled output are written.
//
//	Z10..Z13 sums of windows (0,0) (0,1) (1,0) (1,1)
//	Z14..Z16 weights of the window's rows, Z20..Z23 results of four records
#define RECORD(base, out) \
	VMOVDQU32 base+192(BX), Z10       \
	VMOVDQU32 base+0(BX), Z14         \
	VMOVDQU32 base+64(BX), Z15        \
	VMOVDQU32 base+128(BX), Z16       \
	VMOVDQA32 Z10, Z11                \
	VMOVDQA32 Z10, Z12                \
	VMOVDQA32 Z10, Z13                \
	VPDPBUSD  Z14, Z0, Z10            \
	VPDPBUSD  Z14, Z1, Z11            \
	VPDPBUSD  Z14, Z4, Z12            \
	VPDPBUSD  Z14, Z5, Z13            \
	VPDPBUSD  Z15, Z2, Z10            \
	VPDPBUSD  Z15, Z3, Z11            \
	VPDPBUSD  Z15, Z6, Z12            \
	VPDPBUSD  Z15, Z7, Z13            \
	VPDPBUSD  Z16, Z4, Z10            \
	VPDPBUSD  Z16, Z5, Z11            \
	VPDPBUSD  Z16, Z8, Z12            \
	VPDPBUSD  Z16, Z9, Z13            \
	VPMAXSD   Z11, Z10, Z10           \
	VPMAXSD   Z13, Z12, Z12           \
	VPMAXSD   Z12, Z10, Z10           \
	VCVTDQ2PS Z10, Z10                \
	VMULPS    base+256(BX), Z10, Z10  \
	VMINPS    Z30, Z10, Z10           \
	VCVTPS2DQ Z10, out

TEXT ·firstVNNI(SB), NOSPLIT, $0-48
	MOVQ   dst+0(FP), DI
	MOVQ   x+8(FP), SI
	MOVQ   row+16(FP), R8
	MOVQ   n+24(FP), CX
	MOVQ   channels+40(FP), R10
	LEAQ   (R8)(R8*2), R9
	VPXORD Z31, Z31, Z31
	CLAMP255(Z30)

output:
	VPBROADCASTD (SI), Z0
	VPBROADCASTD 2(SI), Z1
	VPBROADCASTD (SI)(R8*1), Z2
	VPBROADCASTD 2(SI)(R8*1), Z3
	VPBROADCASTD (SI)(R8*2), Z4
	VPBROADCASTD 2(SI)(R8*2), Z5
	VPBROADCASTD (SI)(R9*1), Z6
	VPBROADCASTD 2(SI)(R9*1), Z7
	VPBROADCASTD (SI)(R8*4), Z8
	VPBROADCASTD 2(SI)(R8*4), Z9
	MOVQ         records+32(FP), BX
	MOVQ         R10, DX
	SUBQ         $64, DX
	JLT          sixteens

sixtyfour:
	RECORD(0, Z20)
	RECORD(320, Z21)
	RECORD(640, Z22)
	RECORD(960, Z23)
	VPACKSSDW Z21, Z20, Z20
	VPACKSSDW Z23, Z22, Z22
	VPACKUSWB Z22, Z20, Z20
	VMOVDQU32 Z20, (DI)
	ADDQ      $1280, BX
	ADDQ      $64, DI
	SUBQ      $64, DX
	JGE       sixtyfour

sixteens:
	ADDQ $64, DX
	JZ   next

sixteen:
	RECORD(0, Z20)
	VPMAXSD Z31, Z20, Z20
	VPMOVDB Z20, (DI)
	ADDQ    $320, BX
	ADDQ    $16, DI
	SUBQ    $16, DX
	JNZ     sixteen

next:
	ADDQ $4, SI
	DECQ CX
	JNZ  output
	VZEROUPPER
	RET
