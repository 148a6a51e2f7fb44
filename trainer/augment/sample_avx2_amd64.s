#include "textflag.h"

// Bilinear sampling of rows of points for AVX2. Target CPUs: Haswell and later, Zen and later.

// func sampleAVX2(dst *float32, n int, s *sampling)
//
// n times 8 points. A point is moved into the image (fill mode "nearest"). Then one fetch reads its
// four pixels from the pairs: upper left, lower left, upper right, lower right. A pixel outside the
// image has any value, and the weight 0.
//
//	Y0 x   Y1 y   Y2 x in the image, then upper pixels   Y3 y in the image, then its fraction
//	Y4 whole x and y, then lower pixels   Y5 weights of left and right   Y6 four pixels
//	Y7 zero, then place of the pixel   Y8, Y9 steps of x and y   Y10, Y11 largest x and y
//	Y12 (1, width) in words
//	Y13 scale   Y14 lower bytes of words   Y15 mask of a fetch
DATA whole<>+0(SB)/4, $256
DATA whole<>+4(SB)/4, $256
DATA whole<>+8(SB)/4, $256
DATA whole<>+12(SB)/4, $256
DATA whole<>+16(SB)/4, $256
DATA whole<>+20(SB)/4, $256
DATA whole<>+24(SB)/4, $256
DATA whole<>+28(SB)/4, $256
GLOBL whole<>(SB), RODATA|NOPTR, $32
DATA white<>+0(SB)/4, $0x3f800000
DATA white<>+4(SB)/4, $0x3f800000
DATA white<>+8(SB)/4, $0x3f800000
DATA white<>+12(SB)/4, $0x3f800000
DATA white<>+16(SB)/4, $0x3f800000
DATA white<>+20(SB)/4, $0x3f800000
DATA white<>+24(SB)/4, $0x3f800000
DATA white<>+28(SB)/4, $0x3f800000
GLOBL white<>(SB), RODATA|NOPTR, $32

TEXT ·sampleAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ s+16(FP), BX
	MOVQ 0(BX), SI

	VPBROADCASTD 16(BX), Y8
	VPBROADCASTD 20(BX), Y9
	VPMULLD 100(BX), Y8, Y0
	VPMULLD 100(BX), Y9, Y1
	VPBROADCASTD 8(BX), Y2
	VPBROADCASTD 12(BX), Y3
	VPADDD  Y2, Y0, Y0
	VPADDD  Y3, Y1, Y1
	VPSLLD  $3, Y8, Y8
	VPSLLD  $3, Y9, Y9
	VPBROADCASTD 24(BX), Y10
	VPBROADCASTD 28(BX), Y11
	VPBROADCASTD 32(BX), Y12
	VMOVUPS      36(BX), Y13
	VPCMPEQD     Y14, Y14, Y14
	VPSRLW       $8, Y14, Y14

points:
	VPXOR    Y7, Y7, Y7
	VPMAXSD  Y7, Y0, Y2
	VPMINSD  Y10, Y2, Y2
	VPMAXSD  Y7, Y1, Y3
	VPMINSD  Y11, Y3, Y3
	VPSRLD   $16, Y2, Y4
	VPBLENDW $0xaa, Y3, Y4, Y4   // whole x in the lower word, whole y in the upper
	VPMADDWD Y12, Y4, Y7         // the place, not in Y4: qemu 7.2 ignores a place there
	VPSLLD   $16, Y2, Y2
	VPSRLD   $24, Y2, Y2      // fraction of x
	VPSLLD   $16, Y2, Y5
	VPSUBD   Y2, Y5, Y5
	VPADDD   whole<>(SB), Y5, Y5 // 256 - fraction, fraction
	VPSLLD   $16, Y3, Y3
	VPSRLD   $24, Y3, Y3      // fraction of y

	VPCMPEQD   Y15, Y15, Y15
	VPXOR      Y6, Y6, Y6 // otherwise this fetch would wait for the last one
	VPGATHERDD Y15, (SI)(Y7*2), Y6
	VPAND      Y14, Y6, Y2
	VPMADDWD   Y5, Y2, Y2   // above
	VPSRLW     $8, Y6, Y4
	VPMADDWD   Y5, Y4, Y4   // below

	VPSUBD    Y2, Y4, Y4
	VPMULLD   Y3, Y4, Y4
	VPSLLD    $8, Y2, Y2
	VPADDD    Y4, Y2, Y2
	VCVTDQ2PS Y2, Y2
	VMULPS    Y13, Y2, Y2
	VMINPS    white<>(SB), Y2, Y2
	VMOVUPS   Y2, (DI)

	VPADDD Y8, Y0, Y0
	VPADDD Y9, Y1, Y1
	ADDQ   $32, DI
	DECQ   CX
	JNZ    points
	VZEROUPPER
	RET

// func pairAVX2(dst, above, below *byte, n int)
//
// n times 16 pixels, each with the one below it.
TEXT ·pairAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ above+8(FP), SI
	MOVQ below+16(FP), DX
	MOVQ n+24(FP), CX

pixels:
	VPMOVZXBW (SI), Y0
	VPMOVZXBW (DX), Y1
	VPSLLW    $8, Y1, Y1
	VPOR      Y1, Y0, Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $16, SI
	ADDQ      $16, DX
	ADDQ      $32, DI
	DECQ      CX
	JNZ       pixels
	VZEROUPPER
	RET
