#include "textflag.h"
#include "gather_amd64.h"

// Gather for AVX-512 F. Target CPUs: Skylake-X and later, Zen 4 and later.
//
// One block of a run, 128, 64 or 16 values, for all sums. dst and src point to the block of a
// window that starts at 0.
//
//	Z0..Z7 the sum   Z31 G   AX At of the term
//	R9 position of the sum in dst   R10, R11 the terms and how many are left
//
// Each FMA loads its own operand, which is the limit of a core with two loads per cycle. Eight sums
// hide the latency.

#define TERM \
	VBROADCASTSS (R10), Z31 \
	MOVLQSX      4(R10), AX

// func gather128AVX512(dst *float32, sums *Sum, count int, terms *Term, src *float32)
TEXT ·gather128AVX512(SB), NOSPLIT, $0-40
	BEGIN

sum:
	SUM
	VMOVUPS (R9), Z0
	VMOVUPS 64(R9), Z1
	VMOVUPS 128(R9), Z2
	VMOVUPS 192(R9), Z3
	VMOVUPS 256(R9), Z4
	VMOVUPS 320(R9), Z5
	VMOVUPS 384(R9), Z6
	VMOVUPS 448(R9), Z7

term:
	TERM
	VFMADD231PS (SI)(AX*1), Z31, Z0
	VFMADD231PS 64(SI)(AX*1), Z31, Z1
	VFMADD231PS 128(SI)(AX*1), Z31, Z2
	VFMADD231PS 192(SI)(AX*1), Z31, Z3
	VFMADD231PS 256(SI)(AX*1), Z31, Z4
	VFMADD231PS 320(SI)(AX*1), Z31, Z5
	VFMADD231PS 384(SI)(AX*1), Z31, Z6
	VFMADD231PS 448(SI)(AX*1), Z31, Z7
	PAST_TERM

	VMOVUPS Z0, (R9)
	VMOVUPS Z1, 64(R9)
	VMOVUPS Z2, 128(R9)
	VMOVUPS Z3, 192(R9)
	VMOVUPS Z4, 256(R9)
	VMOVUPS Z5, 320(R9)
	VMOVUPS Z6, 384(R9)
	VMOVUPS Z7, 448(R9)

next:
	PAST_SUM
	RET

// func gather64AVX512(dst *float32, sums *Sum, count int, terms *Term, src *float32)
TEXT ·gather64AVX512(SB), NOSPLIT, $0-40
	BEGIN

sum:
	SUM
	VMOVUPS (R9), Z0
	VMOVUPS 64(R9), Z1
	VMOVUPS 128(R9), Z2
	VMOVUPS 192(R9), Z3

term:
	TERM
	VFMADD231PS (SI)(AX*1), Z31, Z0
	VFMADD231PS 64(SI)(AX*1), Z31, Z1
	VFMADD231PS 128(SI)(AX*1), Z31, Z2
	VFMADD231PS 192(SI)(AX*1), Z31, Z3
	PAST_TERM

	VMOVUPS Z0, (R9)
	VMOVUPS Z1, 64(R9)
	VMOVUPS Z2, 128(R9)
	VMOVUPS Z3, 192(R9)

next:
	PAST_SUM
	RET

// func gather16AVX512(dst *float32, sums *Sum, count int, terms *Term, src *float32)
TEXT ·gather16AVX512(SB), NOSPLIT, $0-40
	BEGIN

sum:
	SUM
	VMOVUPS (R9), Z0

term:
	TERM
	VFMADD231PS (SI)(AX*1), Z31, Z0
	PAST_TERM

	VMOVUPS Z0, (R9)

next:
	PAST_SUM
	RET
