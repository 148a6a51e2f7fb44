#include "textflag.h"

// Scores of positions for AVX2. Target CPUs: Haswell and later, Zen and later.
//
// func scoresAVX2(dst *float32, x *byte, v *float32, n, channels int, base float32)
//
// One position after the other, 32 channels at a time.
//
//	Y0..Y3 the 32 sums   Y4..Y7 products   X15 base   AX channel
TEXT ·scoresAVX2(SB), NOSPLIT, $0-44
	MOVQ   dst+0(FP), DI
	MOVQ   x+8(FP), SI
	MOVQ   v+16(FP), BX
	MOVQ   n+24(FP), CX
	MOVQ   channels+32(FP), R8
	VMOVSS base+40(FP), X15

position:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ   AX, AX

channels:
	VPMOVZXBD (SI)(AX*1), Y4
	VPMOVZXBD 8(SI)(AX*1), Y5
	VPMOVZXBD 16(SI)(AX*1), Y6
	VPMOVZXBD 24(SI)(AX*1), Y7
	VCVTDQ2PS Y4, Y4
	VCVTDQ2PS Y5, Y5
	VCVTDQ2PS Y6, Y6
	VCVTDQ2PS Y7, Y7
	VMULPS    (BX)(AX*4), Y4, Y4
	VMULPS    32(BX)(AX*4), Y5, Y5
	VMULPS    64(BX)(AX*4), Y6, Y6
	VMULPS    96(BX)(AX*4), Y7, Y7
	VADDPS    Y4, Y0, Y0
	VADDPS    Y5, Y1, Y1
	VADDPS    Y6, Y2, Y2
	VADDPS    Y7, Y3, Y3
	ADDQ      $32, AX
	CMPQ      AX, R8
	JLT       channels
	ADDQ      R8, SI

	VADDPS       Y2, Y0, Y0
	VADDPS       Y3, Y1, Y1
	VADDPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VMOVHLPS     X0, X0, X1
	VADDPS       X1, X0, X0
	VMOVSHDUP    X0, X1
	VADDSS       X1, X0, X0
	VADDSS       X0, X15, X0
	VMOVSS       X0, (DI)
	ADDQ         $4, DI
	DECQ         CX
	JNZ          position

	VZEROUPPER
	RET
