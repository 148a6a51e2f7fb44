#include "textflag.h"

// Resampling for AVX-512 with VBMI and VNNI. Target CPUs: Ice Lake and later, Zen 4 and later.

// func columnsNearAVX512(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)
//
// Blocks of 16 outputs from one window of 64 bytes at R8, two pixels of each in a step. Z8: the
// shuffle; Z15: the rounding. K1 keeps the upper byte of every word zero.
TEXT ·columnsNearAVX512(SB), NOSPLIT, $0-48
	MOVQ mid+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ base+16(FP), AX
	MOVQ table+24(FP), BX
	MOVQ blocks+32(FP), R12
	MOVQ steps+40(FP), R13
	MOVL         $128, CX
	VPBROADCASTD CX, Z15
	MOVQ         $0x5555555555555555, CX
	KMOVQ        CX, K1

near16:
	MOVLQSX   (AX), R8
	ADDQ      SI, R8
	ADDQ      $4, AX
	VMOVDQU64 (BX), Z8
	VMOVDQA64 Z15, Z0
	MOVQ      R13, CX

nearStep:
	ADDQ     $64, BX
	VPERMB.Z (R8), Z8, K1, Z2
	VPDPWSSD (BX), Z2, Z0
	ADDQ     $2, R8
	DECQ     CX
	JNZ      nearStep

	VPSRLD $8, Z0, Z0
	VPMOVDW Z0, (DI)
	ADDQ   $64, BX
	ADDQ   $32, DI
	DECQ   R12
	JNZ    near16
	VZEROUPPER
	RET

// func rowsAVX512(out *byte, ring *int16, off *int, w *int16, blocks, steps int)
//
// Blocks of 32 columns, two rows in a step. R10 and R11 are the rows' offsets in values, Z14 has
// their two weights. Z0 has the sums of the columns with bit 2 of their number clear, Z1 those of
// the others.
TEXT ·rowsAVX512(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DI
	MOVQ ring+8(FP), SI
	MOVQ off+16(FP), AX
	MOVQ w+24(FP), BX
	MOVQ blocks+32(FP), R12
	MOVQ steps+40(FP), R13
	MOVL         $(1<<19), CX
	VPBROADCASTD CX, Z15

rows32:
	VMOVDQA64 Z15, Z0
	VMOVDQA64 Z15, Z1
	MOVQ      AX, R8
	MOVQ      BX, R9
	MOVQ      R13, CX

rowsStep:
	MOVQ         0(R8), R10
	MOVQ         8(R8), R11
	VPBROADCASTD (R9), Z14
	VMOVDQU64    (SI)(R10*2), Z4
	VMOVDQU64    (SI)(R11*2), Z5
	VPUNPCKLWD   Z5, Z4, Z8
	VPUNPCKHWD   Z5, Z4, Z9
	VPDPWSSD     Z14, Z8, Z0
	VPDPWSSD     Z14, Z9, Z1
	ADDQ         $16, R8
	ADDQ         $4, R9
	DECQ         CX
	JNZ          rowsStep

	VPSRLD    $20, Z0, Z0
	VPSRLD    $20, Z1, Z1
	VPACKSSDW Z1, Z0, Z0
	VPMOVWB   Z0, (DI)
	ADDQ      $64, SI
	ADDQ      $32, DI
	DECQ      R12
	JNZ       rows32
	VZEROUPPER
	RET
