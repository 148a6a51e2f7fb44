#include "textflag.h"

// Depthwise 3x3 convolutions for AVX-512 F. Target CPUs: Skylake-X and later, Zen 4 and later.
//
// 16 channels of a row of positions. Steps, strides and c are in bytes.
//
//	Z0..Z8 the nine taps   R9, R10, R11 the three rows of the window
//	R8 one position of x   R12 one position of the row   R13, R14 c and 2*c   CX positions left
#define WINDOW \
	LEAQ (R9)(R10*2), R11  \
	ADDQ R9, R10           \
	MOVQ R13, R12          \
	LEAQ (R13)(R13*1), R14

#define TAPS \
	VMOVUPS (AX), Z0           \
	VMOVUPS (AX)(R13*1), Z1    \
	ADDQ    R14, AX            \
	VMOVUPS (AX), Z2           \
	VMOVUPS (AX)(R13*1), Z3    \
	ADDQ    R14, AX            \
	VMOVUPS (AX), Z4           \
	VMOVUPS (AX)(R13*1), Z5    \
	ADDQ    R14, AX            \
	VMOVUPS (AX), Z6           \
	VMOVUPS (AX)(R13*1), Z7    \
	VMOVUPS (AX)(R14*1), Z8

#define NEXT \
	ADDQ R8, R9   \
	ADDQ R8, R10  \
	ADDQ R8, R11  \
	ADDQ R12, DI  \
	DECQ CX

// func depthwiseAVX512(dst, x *float32, n, step, rowStride int, w, bias *float32, c, relu6 int)
TEXT ·depthwiseAVX512(SB), NOSPLIT, $0-72
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
	VMOVUPS (BX), Z9

	MOVQ         relu6+64(FP), DX
	VPXORD       Z30, Z30, Z30
	MOVL         $0x40c00000, AX // 6
	VPBROADCASTD AX, Z31

position:
	VMOVAPS     Z9, Z10
	VFMADD231PS (R9), Z0, Z10
	VFMADD231PS (R9)(R13*1), Z1, Z10
	VFMADD231PS (R9)(R14*1), Z2, Z10
	VFMADD231PS (R10), Z3, Z10
	VFMADD231PS (R10)(R13*1), Z4, Z10
	VFMADD231PS (R10)(R14*1), Z5, Z10
	VFMADD231PS (R11), Z6, Z10
	VFMADD231PS (R11)(R13*1), Z7, Z10
	VFMADD231PS (R11)(R14*1), Z8, Z10
	TESTQ       DX, DX
	JZ          store
	VMAXPS      Z30, Z10, Z10        // 0 for NaN
	VMINPS      Z31, Z10, Z10
store:
	VMOVUPS     Z10, (DI)
	NEXT
	JNZ position
	VZEROUPPER
	RET

#define SCATTER(at, tap) \
	VMOVUPS     at, Z11        \
	VFMADD231PS tap, Z10, Z11  \
	VMOVUPS     Z11, at

// func depthwiseInputAVX512(dx, grad *float32, n, step, rowStride int, w *float32, c int)
TEXT ·depthwiseInputAVX512(SB), NOSPLIT, $0-56
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
	VMOVUPS (DI), Z10
	SCATTER((R9), Z0)
	SCATTER((R9)(R13*1), Z1)
	SCATTER((R9)(R14*1), Z2)
	SCATTER((R10), Z3)
	SCATTER((R10)(R13*1), Z4)
	SCATTER((R10)(R14*1), Z5)
	SCATTER((R11), Z6)
	SCATTER((R11)(R13*1), Z7)
	SCATTER((R11)(R14*1), Z8)
	NEXT
	JNZ scatter
	VZEROUPPER
	RET

// func depthwiseWeightsAVX512(dw, grad, x *float32, n, step, rowStride, c int)
TEXT ·depthwiseWeightsAVX512(SB), NOSPLIT, $0-56
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
	VMOVUPS     (DI), Z10
	VFMADD231PS (R9), Z10, Z0
	VFMADD231PS (R9)(R13*1), Z10, Z1
	VFMADD231PS (R9)(R14*1), Z10, Z2
	VFMADD231PS (R10), Z10, Z3
	VFMADD231PS (R10)(R13*1), Z10, Z4
	VFMADD231PS (R10)(R14*1), Z10, Z5
	VFMADD231PS (R11), Z10, Z6
	VFMADD231PS (R11)(R13*1), Z10, Z7
	VFMADD231PS (R11)(R14*1), Z10, Z8
	NEXT
	JNZ weights

	MOVQ    dw+0(FP), AX
	VMOVUPS Z0, (AX)
	VMOVUPS Z1, (AX)(R13*1)
	ADDQ    R14, AX
	VMOVUPS Z2, (AX)
	VMOVUPS Z3, (AX)(R13*1)
	ADDQ    R14, AX
	VMOVUPS Z4, (AX)
	VMOVUPS Z5, (AX)(R13*1)
	ADDQ    R14, AX
	VMOVUPS Z6, (AX)
	VMOVUPS Z7, (AX)(R13*1)
	VMOVUPS Z8, (AX)(R14*1)
	VZEROUPPER
	RET
