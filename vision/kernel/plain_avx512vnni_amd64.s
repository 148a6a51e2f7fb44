#include "textflag.h"

// func plain16VNNI(dst *uint8, dstStep int, x *uint8, row, xStep, n int, w *firstRecord)
//
// A row of n outputs of sixteen channels: 3x3 windows over one channel, requantised. Each row of a
// window is one broadcast of four pixels; the weight of the last one is 0. Target CPUs: Ice Lake
// servers and later, Zen 4 and later.
//
//	SI         first pixel of the window, R8 distance of rows, R12 that of two windows
//	Z20 to Z22 weights of the three rows, Z23 bias, Z24 mult
TEXT ·plain16VNNI(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R10
	MOVQ x+16(FP), SI
	MOVQ row+24(FP), R8
	MOVQ xStep+32(FP), R12
	MOVQ n+40(FP), CX
	MOVQ w+48(FP), BX
	VMOVDQU32 (BX), Z20
	VMOVDQU32 64(BX), Z21
	VMOVDQU32 128(BX), Z22
	VMOVDQU32 192(BX), Z23
	VMOVDQU32 256(BX), Z24
	MOVL         $0x437f0000, AX // 255.0
	VPBROADCASTD AX, Z30
	VPXORD       Z31, Z31, Z31

window:
	VMOVDQA32    Z23, Z1
	VPBROADCASTD (SI), Z2
	VPBROADCASTD (SI)(R8*1), Z3
	VPBROADCASTD (SI)(R8*2), Z4
	VPDPBUSD     Z20, Z2, Z1
	VPDPBUSD     Z21, Z3, Z1
	VPDPBUSD     Z22, Z4, Z1
	VPMAXSD      Z31, Z1, Z1
	VCVTDQ2PS    Z1, Z1
	VMULPS       Z24, Z1, Z1
	VMINPS       Z30, Z1, Z1
	VCVTPS2DQ    Z1, Z1
	VPMOVDB      Z1, (DI)
	ADDQ         R12, SI
	ADDQ         R10, DI
	DECQ         CX
	JNZ          window
	VZEROUPPER
	RET
