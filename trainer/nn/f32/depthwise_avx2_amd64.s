#include "textflag.h"

// Depthwise 3x3 convolutions for AVX2 with FMA. Target CPUs: Haswell and later, Zen and later.
//
// Eight channels of a row of positions. Steps, strides and c are in bytes.
//
//	Y0..Y8 the nine taps   R9, R10, R11 the three rows of the window
//	R8 one position of x   R12 one position of the row   R13, R14 c and 2*c   CX positions left
#define WINDOW \
	LEAQ (R9)(R10*2), R11  \
	ADDQ R9, R10           \
	MOVQ R13, R12          \
	LEAQ (R13)(R13*1), R14

#define TAPS \
	VMOVUPS (AX), Y0           \
	VMOVUPS (AX)(R13*1), Y1    \
	ADDQ    R14, AX            \
	VMOVUPS (AX), Y2           \
	VMOVUPS (AX)(R13*1), Y3    \
	ADDQ    R14, AX            \
	VMOVUPS (AX), Y4           \
	VMOVUPS (AX)(R13*1), Y5    \
	ADDQ    R14, AX            \
	VMOVUPS (AX), Y6           \
	VMOVUPS (AX)(R13*1), Y7    \
	VMOVUPS (AX)(R14*1), Y8

#define NEXT \
	ADDQ R8, R9   \
	ADDQ R8, R10  \
	ADDQ R8, R11  \
	ADDQ R12, DI  \
	DECQ CX

// func depthwiseAVX2(dst, x *float32, n, step, rowStride int, w, bias *float32, c, relu6 int)
TEXT ·depthwiseAVX2(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ n+16(FP), CX
	MOVQ step+24(FP), R8
	MOVQ rowStride+32(FP), R10
	MOVQ bias+48(FP), BX
	MOVQ c+56(FP), R13
	MOVQ x+8(FP), R9
	MOVQ w+40(FP), AX
	WINDOW
	TAPS
	VMOVUPS (BX), Y9

	MOVQ         relu6+64(FP), DX
	VPXOR        Y14, Y14, Y14
	MOVL         $0x40c00000, AX // 6
	VMOVD        AX, X15
	VPBROADCASTD X15, Y15

position:
	VMOVAPS     Y9, Y10
	VFMADD231PS (R9), Y0, Y10
	VFMADD231PS (R9)(R13*1), Y1, Y10
	VFMADD231PS (R9)(R14*1), Y2, Y10
	VFMADD231PS (R10), Y3, Y10
	VFMADD231PS (R10)(R13*1), Y4, Y10
	VFMADD231PS (R10)(R14*1), Y5, Y10
	VFMADD231PS (R11), Y6, Y10
	VFMADD231PS (R11)(R13*1), Y7, Y10
	VFMADD231PS (R11)(R14*1), Y8, Y10
	TESTQ       DX, DX
	JZ          store
	VMAXPS      Y14, Y10, Y10        // 0 for NaN
	VMINPS      Y15, Y10, Y10
store:
	VMOVUPS     Y10, (DI)
	NEXT
	JNZ position
	VZEROUPPER
	RET

#define SCATTER(at, tap) \
	VMOVUPS     at, Y11        \
	VFMADD231PS tap, Y10, Y11  \
	VMOVUPS     Y11, at

// func depthwiseInputAVX2(dx, grad *float32, n, step, rowStride int, w *float32, c int)
TEXT ·depthwiseInputAVX2(SB), NOSPLIT, $0-56
	MOVQ grad+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ step+24(FP), R8
	MOVQ rowStride+32(FP), R10
	MOVQ c+48(FP), R13
	MOVQ dx+0(FP), R9
	MOVQ w+40(FP), AX
	WINDOW
	TAPS

scatter:
	VMOVUPS (DI), Y10
	SCATTER((R9), Y0)
	SCATTER((R9)(R13*1), Y1)
	SCATTER((R9)(R14*1), Y2)
	SCATTER((R10), Y3)
	SCATTER((R10)(R13*1), Y4)
	SCATTER((R10)(R14*1), Y5)
	SCATTER((R11), Y6)
	SCATTER((R11)(R13*1), Y7)
	SCATTER((R11)(R14*1), Y8)
	NEXT
	JNZ scatter
	VZEROUPPER
	RET

// func depthwiseWeightsAVX2(dw, grad, x *float32, n, step, rowStride, c int)
TEXT ·depthwiseWeightsAVX2(SB), NOSPLIT, $0-56
	MOVQ grad+8(FP), DI
	MOVQ n+24(FP), CX
	MOVQ step+32(FP), R8
	MOVQ rowStride+40(FP), R10
	MOVQ c+48(FP), R13
	MOVQ x+16(FP), R9
	MOVQ dw+0(FP), AX
	WINDOW
	TAPS

weights:
	VMOVUPS     (DI), Y10
	VFMADD231PS (R9), Y10, Y0
	VFMADD231PS (R9)(R13*1), Y10, Y1
	VFMADD231PS (R9)(R14*1), Y10, Y2
	VFMADD231PS (R10), Y10, Y3
	VFMADD231PS (R10)(R13*1), Y10, Y4
	VFMADD231PS (R10)(R14*1), Y10, Y5
	VFMADD231PS (R11), Y10, Y6
	VFMADD231PS (R11)(R13*1), Y10, Y7
	VFMADD231PS (R11)(R14*1), Y10, Y8
	NEXT
	JNZ weights

	MOVQ    dw+0(FP), AX
	VMOVUPS Y0, (AX)
	VMOVUPS Y1, (AX)(R13*1)
	ADDQ    R14, AX
	VMOVUPS Y2, (AX)
	VMOVUPS Y3, (AX)(R13*1)
	ADDQ    R14, AX
	VMOVUPS Y4, (AX)
	VMOVUPS Y5, (AX)(R13*1)
	ADDQ    R14, AX
	VMOVUPS Y6, (AX)
	VMOVUPS Y7, (AX)(R13*1)
	VMOVUPS Y8, (AX)(R14*1)
	VZEROUPPER
	RET
