#include "textflag.h"

// Sampling rows of points, bilinearly, for AVX-512 (F, BW). Target CPUs: Ice Lake and later, Zen 4 and later.

// func sampleAVX512(dst *float32, n int, s *sampling)
//
// n times 16 points. A point is moved into the picture (fill mode "nearest"). Then the two pixels of its row, and the two below, are fetched as
// four bytes each, of which the first two count. Where the picture ends earlier, its last four bytes are fetched and shifted: what falls out of
// them has the weight 0.
//
//	Z0 x   Z1 y   Z2 x in the picture, pixels   Z3 y in the picture, its fraction   Z4 place of the pixel   Z5 weights of left and right
//	Z6 place of the four bytes   Z7 bits to shift   Z8, Z9 steps of x and y   Z10, Z11 largest x and y   Z12 (1, width) in words
//	Z13 last   Z14 bytes 0 and 1 to words   Z15 zero   Z16 256   Z17 scale   Z18 white   Z19 width   K2 the upper words
DATA twoBytes512<>+0(SB)/8, $0x8005800480018000
DATA twoBytes512<>+8(SB)/8, $0x800d800c80098008
GLOBL twoBytes512<>(SB), RODATA|NOPTR, $16

TEXT ·sampleAVX512(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ s+16(FP), BX
	MOVQ 0(BX), SI

	VPBROADCASTD 16(BX), Z8
	VPBROADCASTD 20(BX), Z9
	VPMULLD 168(BX), Z8, Z0
	VPMULLD 168(BX), Z9, Z1
	VPBROADCASTD 8(BX), Z2
	VPBROADCASTD 12(BX), Z3
	VPADDD  Z2, Z0, Z0
	VPADDD  Z3, Z1, Z1
	VPSLLD  $4, Z8, Z8
	VPSLLD  $4, Z9, Z9
	VPBROADCASTD 24(BX), Z10
	VPBROADCASTD 28(BX), Z11
	VPBROADCASTD 36(BX), Z12
	VPBROADCASTD 32(BX), Z13
	VBROADCASTI32X4 twoBytes512<>(SB), Z14
	VPXORD       Z15, Z15, Z15
	MOVL         $256, AX
	VPBROADCASTD AX, Z16
	VMOVUPS      104(BX), Z17
	MOVL         $0x3f800000, AX
	VPBROADCASTD AX, Z18
	VMOVDQU32    40(BX), Z19
	MOVL         $0xaaaaaaaa, AX
	KMOVD        AX, K2

points:
	VPMAXSD   Z15, Z0, Z2
	VPMINSD   Z10, Z2, Z2
	VPMAXSD   Z15, Z1, Z3
	VPMINSD   Z11, Z3, Z3
	VPSRLD    $16, Z2, Z4
	VMOVDQU16 Z3, K2, Z4     // whole x in the lower word, whole y in the upper
	VPMADDWD Z12, Z4, Z4
	VPSLLD   $16, Z2, Z2
	VPSRLD   $24, Z2, Z2      // fraction of x
	VPSLLD   $16, Z2, Z5
	VPSUBD   Z2, Z5, Z5
	VPADDD   Z16, Z5, Z5 // 256 - fraction, fraction
	VPSLLD   $16, Z3, Z3
	VPSRLD   $24, Z3, Z3      // fraction of y

	VPMINSD    Z13, Z4, Z6
	VPSUBD     Z6, Z4, Z7
	VPSLLD     $3, Z7, Z7
	KXNORW     K1, K1, K1
	VPGATHERDD (SI)(Z6*1), K1, Z2
	VPSRLVD    Z7, Z2, Z2
	VPSHUFB    Z14, Z2, Z2
	VPMADDWD   Z5, Z2, Z2   // above

	VPADDD     Z19, Z4, Z4
	VPMINSD    Z13, Z4, Z6
	VPSUBD     Z6, Z4, Z7
	VPSLLD     $3, Z7, Z7
	KXNORW     K1, K1, K1
	VPGATHERDD (SI)(Z6*1), K1, Z4
	VPSRLVD    Z7, Z4, Z4
	VPSHUFB    Z14, Z4, Z4
	VPMADDWD   Z5, Z4, Z4   // below

	VPSUBD    Z2, Z4, Z4
	VPMULLD   Z3, Z4, Z4
	VPSLLD    $8, Z2, Z2
	VPADDD    Z4, Z2, Z2
	VCVTDQ2PS Z2, Z2
	VMULPS    Z17, Z2, Z2
	VMINPS    Z18, Z2, Z2
	VMOVUPS   Z2, (DI)

	VPADDD Z8, Z0, Z0
	VPADDD Z9, Z1, Z1
	ADDQ   $64, DI
	DECQ   CX
	JNZ    points
	VZEROUPPER
	RET
