#include "textflag.h"

// Bilinear sampling of rows of points for AVX-512 (F, BW). Target CPUs: Ice Lake and later, Zen 4
// and later.

// func sampleAVX512(dst *float32, n int, s *sampling)
//
// n times 16 points. A point is moved into the image (fill mode "nearest"). Then one fetch reads
// its four pixels from the pairs: upper left, lower left, upper right, lower right. A pixel outside
// the image has any value, and the weight 0.
//
//	Z0 x   Z1 y   Z2 x in the image, then upper pixels   Z3 y in the image, then its fraction
//	Z4 place of the pixel, then lower pixels   Z5 weights of left and right   Z6 four pixels
//	Z8, Z9 steps of x and y   Z10, Z11 largest x and y   Z12 (1, width) in words
//	Z14 lower bytes of words   Z15 zero   Z16 256   Z17 scale   Z18 white   K2 the upper words
TEXT ·sampleAVX512(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ s+16(FP), BX
	MOVQ 0(BX), SI

	VPBROADCASTD 16(BX), Z8
	VPBROADCASTD 20(BX), Z9
	VPMULLD 100(BX), Z8, Z0
	VPMULLD 100(BX), Z9, Z1
	VPBROADCASTD 8(BX), Z2
	VPBROADCASTD 12(BX), Z3
	VPADDD  Z2, Z0, Z0
	VPADDD  Z3, Z1, Z1
	VPSLLD  $4, Z8, Z8
	VPSLLD  $4, Z9, Z9
	VPBROADCASTD 24(BX), Z10
	VPBROADCASTD 28(BX), Z11
	VPBROADCASTD 32(BX), Z12
	VMOVUPS      36(BX), Z17
	MOVL         $0x00ff00ff, AX
	VPBROADCASTD AX, Z14
	VPXORD       Z15, Z15, Z15
	MOVL         $256, AX
	VPBROADCASTD AX, Z16
	MOVL         $0x3f800000, AX
	VPBROADCASTD AX, Z18
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

	KXNORW     K1, K1, K1
	VPXORD     Z6, Z6, Z6 // otherwise this fetch would wait for the last one
	VPGATHERDD (SI)(Z4*2), K1, Z6
	VPANDD     Z14, Z6, Z2
	VPMADDWD   Z5, Z2, Z2   // above
	VPSRLW     $8, Z6, Z4
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
