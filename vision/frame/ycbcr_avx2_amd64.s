#include "textflag.h"

// Luma of Y, Cb and Cr for AVX2. Target CPUs: Haswell and later, Zen and later.
//
// Eight pixels in 32 bits each. Red, green and blue are computed as in image/color, in 1/65536, and
// cut to whole numbers from 0 to 255. Then they are multiplied by the luma weights. Luma is defined
// on colours, so this step cannot be skipped.
//
//	Y0 luma, later times 65793   Y1 Cb - 128   Y2 Cr - 128
//	Y3 red   Y4 green   Y5 blue   Y6 product   Y7 128
//	Y8 65793   Y9 91881   Y10 22554   Y11 46802   Y12 116130
//	Y13 zero   Y14 255   Y15 1 in the upper words

// R 4899 and B 1868.
DATA redBlue<>+0x00(SB)/8, $0x074c1323074c1323
DATA redBlue<>+0x08(SB)/8, $0x074c1323074c1323
DATA redBlue<>+0x10(SB)/8, $0x074c1323074c1323
DATA redBlue<>+0x18(SB)/8, $0x074c1323074c1323
GLOBL redBlue<>(SB), RODATA|NOPTR, $32

// G 9617, and the rounding 8192 for the 1 of Y15.
DATA greenHalf<>+0x00(SB)/8, $0x2000259120002591
DATA greenHalf<>+0x08(SB)/8, $0x2000259120002591
DATA greenHalf<>+0x10(SB)/8, $0x2000259120002591
DATA greenHalf<>+0x18(SB)/8, $0x2000259120002591
GLOBL greenHalf<>(SB), RODATA|NOPTR, $32

#define BROADCAST(value, x, y) \
	MOVL         value, AX \
	VMOVD        AX, x     \
	VPBROADCASTD x, y

#define CONSTANTS \
	MOVQ dst+0(FP), DI            \
	MOVQ y+8(FP), SI              \
	MOVQ cb+16(FP), R8            \
	MOVQ cr+24(FP), R9            \
	MOVQ n+32(FP), CX             \
	BROADCAST($128, X7, Y7)       \
	BROADCAST($65793, X8, Y8)     \
	BROADCAST($91881, X9, Y9)     \
	BROADCAST($22554, X10, Y10)   \
	BROADCAST($46802, X11, Y11)   \
	BROADCAST($116130, X12, Y12)  \
	BROADCAST($255, X14, Y14)     \
	BROADCAST($0x10000, X15, Y15) \
	VPXOR Y13, Y13, Y13

#define CUT(y) \
	VPSRAD  $16, y, y  \
	VPMAXSD Y13, y, y  \
	VPMINSD Y14, y, y

// LUMA8 writes the grey values of the eight pixels in Y0, Y1 and Y2 to DI.
#define LUMA8 \
	VPSUBD    Y7, Y1, Y1          \
	VPSUBD    Y7, Y2, Y2          \
	VPMULLD   Y8, Y0, Y0          \
	VPMULLD   Y9, Y2, Y3          \
	VPADDD    Y0, Y3, Y3          \
	CUT(Y3)                       \
	VPMULLD   Y10, Y1, Y4         \
	VPMULLD   Y11, Y2, Y6         \
	VPSUBD    Y4, Y0, Y4          \
	VPSUBD    Y6, Y4, Y4          \
	CUT(Y4)                       \
	VPMULLD   Y12, Y1, Y5         \
	VPADDD    Y0, Y5, Y5          \
	CUT(Y5)                       \
	VPSLLD    $16, Y5, Y5         \
	VPOR      Y5, Y3, Y3          \
	VPOR      Y15, Y4, Y4         \
	VPMADDWD  redBlue<>(SB), Y3, Y3 \
	VPMADDWD  greenHalf<>(SB), Y4, Y4 \
	VPADDD    Y4, Y3, Y3          \
	VPSRLD    $14, Y3, Y3         \
	VEXTRACTI128 $1, Y3, X4       \
	VPACKUSDW X4, X3, X3          \
	VPACKUSWB X3, X3, X3          \
	VMOVQ     X3, (DI)

// func lumaYCCAVX2(dst, y, cb, cr *byte, n int)
//
// n pixels, a positive multiple of 8.
TEXT ·lumaYCCAVX2(SB), NOSPLIT, $0-40
	CONSTANTS

full8:
	VPMOVZXBD (SI), Y0
	VPMOVZXBD (R8), Y1
	VPMOVZXBD (R9), Y2
	LUMA8
	ADDQ $8, SI
	ADDQ $8, R8
	ADDQ $8, R9
	ADDQ $8, DI
	SUBQ $8, CX
	JNZ  full8
	VZEROUPPER
	RET

// func lumaYCCHalfAVX2(dst, y, cb, cr *byte, n int)
//
// n pixels, a positive multiple of 8, with n/2 colours.
TEXT ·lumaYCCHalfAVX2(SB), NOSPLIT, $0-40
	CONSTANTS

half8:
	VPMOVZXBD  (SI), Y0
	VMOVD      (R8), X1
	VPUNPCKLBW X1, X1, X1
	VPMOVZXBD  X1, Y1
	VMOVD      (R9), X2
	VPUNPCKLBW X2, X2, X2
	VPMOVZXBD  X2, Y2
	LUMA8
	ADDQ $8, SI
	ADDQ $4, R8
	ADDQ $4, R9
	ADDQ $8, DI
	SUBQ $8, CX
	JNZ  half8
	VZEROUPPER
	RET
