#include "textflag.h"

// Resampling for AVX2. Target CPUs: Haswell and later, Zen and later.

// func columnsNearAVX2(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)
//
// Blocks of 16 outputs from four windows of 16 bytes. R8..R11 point to the windows, DX moves them:
//
//	window      R8 (outputs 0..3)   R10 (8..11)   |   R9 (4..7)   R11 (12..15)
//	shuffled    Y2 low              Y2 high       |   Y3 low      Y3 high
//	sums        Y0                                |   Y1
//
// Y8, Y9: the shuffles; Y15: the rounding.
TEXT ·columnsNearAVX2(SB), NOSPLIT, $0-48
	MOVQ mid+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ base+16(FP), AX
	MOVQ table+24(FP), BX
	MOVQ blocks+32(FP), R12
	MOVQ steps+40(FP), R13
	MOVL         $128, CX
	VMOVD        CX, X15
	VPBROADCASTD X15, Y15

near16:
	MOVLQSX 0(AX), R8
	MOVLQSX 4(AX), R9
	MOVLQSX 8(AX), R10
	MOVLQSX 12(AX), R11
	ADDQ    SI, R8
	ADDQ    SI, R9
	ADDQ    SI, R10
	ADDQ    SI, R11
	ADDQ    $16, AX
	VMOVDQU 0(BX), Y8
	VMOVDQU 32(BX), Y9
	VMOVDQA Y15, Y0
	VMOVDQA Y15, Y1
	XORQ    DX, DX
	MOVQ    R13, CX

nearStep:
	ADDQ        $64, BX
	VMOVDQU     (R8)(DX*1), X2
	VMOVDQU     (R9)(DX*1), X3
	VINSERTI128 $1, (R10)(DX*1), Y2, Y2
	VINSERTI128 $1, (R11)(DX*1), Y3, Y3
	VPSHUFB     Y8, Y2, Y2
	VPSHUFB     Y9, Y3, Y3
	VPMADDWD    0(BX), Y2, Y2
	VPMADDWD    32(BX), Y3, Y3
	VPADDD      Y2, Y0, Y0
	VPADDD      Y3, Y1, Y1
	ADDQ        $2, DX
	DECQ        CX
	JNZ         nearStep

	VPSRLD    $8, Y0, Y0
	VPSRLD    $8, Y1, Y1
	VPACKSSDW Y1, Y0, Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $64, BX
	ADDQ      $32, DI
	DECQ      R12
	JNZ       near16
	VZEROUPPER
	RET

// func columnsFarAVX2(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)
//
// Blocks of 8 outputs, 16 pixels of each in a step. The pixels of outputs 0 to 7 are at AX, CX, DX,
// R8..R12; the sums of output i are in Yi.
#define POINT(i, reg) \
	MOVLQSX (4*i)(R13), reg \
	ADDQ    src+8(FP), reg

#define FAR16(i, reg, sum) \
	VPMOVZXBW (reg), Y8            \
	VPMADDWD  (32*i)(BX), Y8, Y8   \
	VPADDD    Y8, sum, sum         \
	ADDQ      $16, reg

TEXT ·columnsFarAVX2(SB), NOSPLIT, $0-48
	MOVQ mid+0(FP), DI
	MOVQ base+16(FP), R13
	MOVQ table+24(FP), BX
	MOVL         $128, CX
	VMOVD        CX, X15
	VPBROADCASTD X15, Y15

far8:
	POINT(0, AX)
	POINT(1, CX)
	POINT(2, DX)
	POINT(3, R8)
	POINT(4, R9)
	POINT(5, R10)
	POINT(6, R11)
	POINT(7, R12)
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	MOVQ  steps+40(FP), SI

farStep:
	FAR16(0, AX, Y0)
	FAR16(1, CX, Y1)
	FAR16(2, DX, Y2)
	FAR16(3, R8, Y3)
	FAR16(4, R9, Y4)
	FAR16(5, R10, Y5)
	FAR16(6, R11, Y6)
	FAR16(7, R12, Y7)
	ADDQ $256, BX
	DECQ SI
	JNZ  farStep

	VPHADDD      Y1, Y0, Y0
	VPHADDD      Y3, Y2, Y2
	VPHADDD      Y5, Y4, Y4
	VPHADDD      Y7, Y6, Y6
	VPHADDD      Y2, Y0, Y0           // each lane: outputs 0..3
	VPHADDD      Y6, Y4, Y4           // each lane: outputs 4..7
	VPERM2I128   $0x20, Y4, Y0, Y1
	VPERM2I128   $0x31, Y4, Y0, Y2
	VPADDD       Y2, Y1, Y0
	VPADDD       Y15, Y0, Y0
	VPSRLD       $8, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPACKSSDW    X1, X0, X0
	VMOVDQU      X0, (DI)
	ADDQ         $16, DI
	ADDQ         $32, R13
	DECQ         blocks+32(FP)
	JNZ          far8
	VZEROUPPER
	RET

// func rowsAVX2(out *byte, ring *int16, off *int, w *int16, blocks, steps int)
//
// Blocks of 32 columns, two rows in a step. R10 and R11 are the rows' offsets in values, Y14 has
// their two weights.
//
//	columns    0..3, 8..11    4..7, 12..15    16..19, 24..27    20..23, 28..31
//	sums       Y0             Y1              Y2                Y3
TEXT ·rowsAVX2(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DI
	MOVQ ring+8(FP), SI
	MOVQ off+16(FP), AX
	MOVQ w+24(FP), BX
	MOVQ blocks+32(FP), R12
	MOVQ steps+40(FP), R13
	MOVL         $(1<<19), CX
	VMOVD        CX, X15
	VPBROADCASTD X15, Y15

rows32:
	VMOVDQA Y15, Y0
	VMOVDQA Y15, Y1
	VMOVDQA Y15, Y2
	VMOVDQA Y15, Y3
	MOVQ    AX, R8
	MOVQ    BX, R9
	MOVQ    R13, CX

rowsStep:
	MOVQ         0(R8), R10
	MOVQ         8(R8), R11
	VPBROADCASTD (R9), Y14
	VMOVDQU      (SI)(R10*2), Y4
	VMOVDQU      (SI)(R11*2), Y5
	VMOVDQU      32(SI)(R10*2), Y6
	VMOVDQU      32(SI)(R11*2), Y7
	VPUNPCKLWD   Y5, Y4, Y8
	VPUNPCKHWD   Y5, Y4, Y9
	VPUNPCKLWD   Y7, Y6, Y10
	VPUNPCKHWD   Y7, Y6, Y11
	VPMADDWD     Y14, Y8, Y8
	VPMADDWD     Y14, Y9, Y9
	VPMADDWD     Y14, Y10, Y10
	VPMADDWD     Y14, Y11, Y11
	VPADDD       Y8, Y0, Y0
	VPADDD       Y9, Y1, Y1
	VPADDD       Y10, Y2, Y2
	VPADDD       Y11, Y3, Y3
	ADDQ         $16, R8
	ADDQ         $4, R9
	DECQ         CX
	JNZ          rowsStep

	VPSRLD    $20, Y0, Y0
	VPSRLD    $20, Y1, Y1
	VPSRLD    $20, Y2, Y2
	VPSRLD    $20, Y3, Y3
	VPACKSSDW Y1, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPACKUSWB Y2, Y0, Y0
	VPERMQ    $0xd8, Y0, Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $64, SI
	ADDQ      $32, DI
	DECQ      R12
	JNZ       rows32
	VZEROUPPER
	RET
