#include "textflag.h"
#include "gather_amd64.h"

// Gather for AVX2 with FMA. Target CPUs: Haswell and later, Zen and later.
//
// One block of a run, 64 or 16 values, for all sums. dst and src point to the block of a window
// that starts at 0.
//
//	Y0..Y7 the sum   Y15 G   AX At of the term
//	R9 position of the sum in dst   R10, R11 the terms and how many are left
//
// Each FMA loads its own operand, which is the limit of a core with two loads per cycle. Eight sums
// hide the latency.

#define TERM \
	VBROADCASTSS (R10), Y15 \
	MOVLQSX      4(R10), AX

// func gather64AVX2(dst *float32, sums *Sum, count int, terms *Term, src *float32)
TEXT ·gather64AVX2(SB), NOSPLIT, $0-40
	BEGIN

sum:
	SUM
	VMOVUPS (R9), Y0
	VMOVUPS 32(R9), Y1
	VMOVUPS 64(R9), Y2
	VMOVUPS 96(R9), Y3
	VMOVUPS 128(R9), Y4
	VMOVUPS 160(R9), Y5
	VMOVUPS 192(R9), Y6
	VMOVUPS 224(R9), Y7

term:
	TERM
	VFMADD231PS (SI)(AX*1), Y15, Y0
	VFMADD231PS 32(SI)(AX*1), Y15, Y1
	VFMADD231PS 64(SI)(AX*1), Y15, Y2
	VFMADD231PS 96(SI)(AX*1), Y15, Y3
	VFMADD231PS 128(SI)(AX*1), Y15, Y4
	VFMADD231PS 160(SI)(AX*1), Y15, Y5
	VFMADD231PS 192(SI)(AX*1), Y15, Y6
	VFMADD231PS 224(SI)(AX*1), Y15, Y7
	PAST_TERM

	VMOVUPS Y0, (R9)
	VMOVUPS Y1, 32(R9)
	VMOVUPS Y2, 64(R9)
	VMOVUPS Y3, 96(R9)
	VMOVUPS Y4, 128(R9)
	VMOVUPS Y5, 160(R9)
	VMOVUPS Y6, 192(R9)
	VMOVUPS Y7, 224(R9)

next:
	PAST_SUM
	RET

// func gather16AVX2(dst *float32, sums *Sum, count int, terms *Term, src *float32)
TEXT ·gather16AVX2(SB), NOSPLIT, $0-40
	BEGIN

sum:
	SUM
	VMOVUPS (R9), Y0
	VMOVUPS 32(R9), Y1

term:
	TERM
	VFMADD231PS (SI)(AX*1), Y15, Y0
	VFMADD231PS 32(SI)(AX*1), Y15, Y1
	PAST_TERM

	VMOVUPS Y0, (R9)
	VMOVUPS Y1, 32(R9)

next:
	PAST_SUM
	RET
