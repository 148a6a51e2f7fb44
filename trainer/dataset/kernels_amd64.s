#include "textflag.h"

// The sums of Pearson's correlation. Rows are 64 bytes apart and have w pixels, 32 to 64. A row is
// read in blocks. The last block ends with the row, and pixels that were already counted are masked
// out. So no byte outside the rectangle is read.
//
//	row of w:  [block][block][block]
//	                      [mask|block]
//
// Pixels are widened to 16 bits. The plain sums stay in 16 bits: a lane adds at most 256 pixels of
// 255, which is 65,280.

// 16 words of 0, then 16 words of -1. Loaded at word n, it keeps the last n of 16 words.
DATA ·wordMask+0(SB)/8, $0
DATA ·wordMask+8(SB)/8, $0
DATA ·wordMask+16(SB)/8, $0
DATA ·wordMask+24(SB)/8, $0
DATA ·wordMask+32(SB)/8, $-1
DATA ·wordMask+40(SB)/8, $-1
DATA ·wordMask+48(SB)/8, $-1
DATA ·wordMask+56(SB)/8, $-1
GLOBL ·wordMask(SB), RODATA|NOPTR, $64

#define ADD16(a, b) \
	VPADDW   a, Y0, Y0  \
	VPADDW   b, Y1, Y1  \
	VPMADDWD a, a, Y12  \
	VPMADDWD b, b, Y13  \
	VPMADDWD a, b, Y14  \
	VPADDD   Y12, Y2, Y2 \
	VPADDD   Y13, Y3, Y3 \
	VPADDD   Y14, Y4, Y4

// TOTAL stores the sum of the 8 lanes of y in offset(DI).
#define TOTAL(y, x, offset) \
	VEXTRACTI128 $1, y, X12      \
	VPADDD       X12, x, x       \
	VPSHUFD      $0x4e, x, X12   \
	VPADDD       X12, x, x       \
	VPSHUFD      $0xb1, x, X12   \
	VPADDD       X12, x, x       \
	VMOVD        x, offset(DI)

// WORDS makes 8 lanes of 32 bits from 16 lanes of 16 bits.
#define WORDS(y) \
	VPSRLD $16, y, Y12       \
	VPSLLD $16, y, y         \
	VPSRLD $16, y, y         \
	VPADDD Y12, y, y

// func sumsAVX2(s *sums, a, b *byte, w, h int)
//
// Y0, Y1: sums of a and b in words. Y2, Y3, Y4: sums of aa, bb and ab in double words. Y5: mask of
// the last block. Target CPUs: Haswell and later, Zen and later.
TEXT ·sumsAVX2(SB), NOSPLIT, $0-40
	MOVQ s+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ w+24(FP), BX
	MOVQ h+32(FP), CX

	// The last block holds w - 16*floor((w-1)/16) new pixels, 1 to 16, at its end.
	LEAQ    -1(BX), AX
	ANDQ    $15, AX
	INCQ    AX
	LEAQ    ·wordMask(SB), R8
	VMOVDQU (R8)(AX*2), Y5
	SUBQ    $16, BX          // start of the last block

	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4

row:
	XORQ AX, AX

block:
	VPMOVZXBW (SI)(AX*1), Y6
	VPMOVZXBW (DX)(AX*1), Y7
	ADD16(Y6, Y7)
	ADDQ      $16, AX
	CMPQ      AX, BX
	JLT       block

	VPMOVZXBW (SI)(BX*1), Y6
	VPMOVZXBW (DX)(BX*1), Y7
	VPAND     Y5, Y6, Y6
	VPAND     Y5, Y7, Y7
	ADD16(Y6, Y7)

	ADDQ $64, SI
	ADDQ $64, DX
	DECQ CX
	JNZ  row

	WORDS(Y0)
	WORDS(Y1)
	TOTAL(Y0, X0, 0)
	TOTAL(Y1, X1, 4)
	TOTAL(Y2, X2, 8)
	TOTAL(Y3, X3, 12)
	TOTAL(Y4, X4, 16)
	VZEROUPPER
	RET

#define ADD64(a, b) \
	VPSADBW  Z7, a, Z12  \
	VPSADBW  Z7, b, Z13  \
	VPADDD   Z12, Z0, Z0 \
	VPADDD   Z13, Z1, Z1 \
	VPXORD   Z6, a, Z14  \
	VPXORD   Z6, b, Z15  \
	VPDPBUSD Z14, a, Z2  \
	VPDPBUSD Z15, b, Z3  \
	VPDPBUSD Z15, a, Z4

#define FOLD(z, y, yhigh) \
	VEXTRACTI64X4 $1, z, yhigh \
	VPADDD        yhigh, y, y

// func sumsAVX512(s *sums, a, b *byte, w, h int)
//
// A row is one masked load. VPDPBUSD multiplies unsigned by signed bytes, so the second factor is
// p-128, and 128 times the plain sum is added at the end. Where the mask is 0, the first factor is
// 0 too.
//
// Z0, Z1: sums of a and b. Z2, Z3, Z4: sums of a(a-128), b(b-128) and a(b-128). Z6: 128s. Z7: 0.
// K1: the row's pixels. Target CPUs: Ice Lake and later, Zen 4 and later.
TEXT ·sumsAVX512(SB), NOSPLIT, $0-40
	MOVQ s+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ h+32(FP), BX

	MOVQ  $64, CX
	SUBQ  w+24(FP), CX
	MOVQ  $-1, AX
	SHRQ  CX, AX
	KMOVQ AX, K1

	MOVQ         $0x80808080, AX
	VPBROADCASTD AX, Z6
	VPXORD       Z7, Z7, Z7
	VPXORD       Z0, Z0, Z0
	VPXORD       Z1, Z1, Z1
	VPXORD       Z2, Z2, Z2
	VPXORD       Z3, Z3, Z3
	VPXORD       Z4, Z4, Z4

row512:
	VMOVDQU8.Z (SI), K1, Z10
	VMOVDQU8.Z (DX), K1, Z11
	ADD64(Z10, Z11)
	ADDQ       $64, SI
	ADDQ       $64, DX
	DECQ       BX
	JNZ        row512

	VPSLLD $7, Z0, Z12
	VPADDD Z12, Z2, Z2
	VPADDD Z12, Z4, Z4
	VPSLLD $7, Z1, Z12
	VPADDD Z12, Z3, Z3
	FOLD(Z0, Y0, Y12)
	FOLD(Z1, Y1, Y12)
	FOLD(Z2, Y2, Y12)
	FOLD(Z3, Y3, Y12)
	FOLD(Z4, Y4, Y12)
	TOTAL(Y0, X0, 0)
	TOTAL(Y1, X1, 4)
	TOTAL(Y2, X2, 8)
	TOTAL(Y3, X3, 12)
	TOTAL(Y4, X4, 16)
	VZEROUPPER
	RET

// Number of set bits in each half byte, for VPSHUFB.
DATA ·halfBits+0(SB)/8, $0x0302020102010100
DATA ·halfBits+8(SB)/8, $0x0403030203020201
GLOBL ·halfBits(SB), RODATA|NOPTR, $16

// func closestAVX2(hashes *uint64, n int, to uint64) int
//
// Bits are counted by half bytes, four hashes in a register. Y0: to. Y1: halfBits. Y2: 0x0f bytes.
// Y3: 0. Y4, Y5: minimum so far; the upper half of each 64 bits stays 0. Target CPUs: Haswell and
// later, Zen and later.
#define LEAST4(offset, least) \
	VPXOR   offset(SI), Y0, Y6 \
	VPSRLW  $4, Y6, Y7         \
	VPAND   Y2, Y6, Y6         \
	VPAND   Y2, Y7, Y7         \
	VPSHUFB Y6, Y1, Y6         \
	VPSHUFB Y7, Y1, Y7         \
	VPADDB  Y6, Y7, Y7         \
	VPSADBW Y3, Y7, Y7         \
	VPMINUD Y7, least, least

TEXT ·closestAVX2(SB), NOSPLIT, $0-32
	MOVQ hashes+0(FP), SI
	MOVQ n+8(FP), CX

	VPBROADCASTQ   to+16(FP), Y0
	VBROADCASTI128 ·halfBits(SB), Y1
	MOVQ           $0x0f0f0f0f, AX
	MOVQ           AX, X2
	VPBROADCASTD   X2, Y2
	VPXOR          Y3, Y3, Y3
	MOVQ           $64, AX
	MOVQ           AX, X4
	VPBROADCASTQ   X4, Y4
	VMOVDQA        Y4, Y5

eight:
	LEAST4(0, Y4)
	LEAST4(32, Y5)
	ADDQ $64, SI
	SUBQ $8, CX
	JNZ  eight

	VPMINUD      Y5, Y4, Y4
	VEXTRACTI128 $1, Y4, X5
	VPMINUD      X5, X4, X4
	VPSHUFD      $0x4e, X4, X5
	VPMINUD      X5, X4, X4
	MOVQ         X4, AX
	MOVQ         AX, ret+24(FP)
	VZEROUPPER
	RET

#define LEAST8(offset, bits, least) \
	VPXORQ   offset(SI), Z0, bits \
	VPOPCNTQ bits, bits           \
	VPMINUQ  bits, least, least

// func closestAVX512(hashes *uint64, n int, to uint64) int
//
// Z0: to. Z1..Z4: minimum so far, in four registers to hide the latency of the minimum. Target CPUs
// with VPOPCNTDQ: Ice Lake and later, Zen 4 and later.
TEXT ·closestAVX512(SB), NOSPLIT, $0-32
	MOVQ hashes+0(FP), SI
	MOVQ n+8(FP), CX

	VPBROADCASTQ to+16(FP), Z0
	MOVQ         $64, AX
	VPBROADCASTQ AX, Z1
	VMOVDQA64    Z1, Z2
	VMOVDQA64    Z1, Z3
	VMOVDQA64    Z1, Z4
	SUBQ         $32, CX
	JLT          rest

thirtytwo:
	LEAST8(0, Z5, Z1)
	LEAST8(64, Z6, Z2)
	LEAST8(128, Z7, Z3)
	LEAST8(192, Z8, Z4)
	ADDQ $256, SI
	SUBQ $32, CX
	JGE  thirtytwo

rest:
	ADDQ $32, CX
	JZ   last

single:
	LEAST8(0, Z5, Z1)
	ADDQ $64, SI
	SUBQ $8, CX
	JNZ  single

last:
	VPMINUQ       Z2, Z1, Z1
	VPMINUQ       Z4, Z3, Z3
	VPMINUQ       Z3, Z1, Z1
	VEXTRACTI64X4 $1, Z1, Y2
	VPMINUD       Y2, Y1, Y1
	VEXTRACTI128  $1, Y1, X2
	VPMINUD       X2, X1, X1
	VPSHUFD       $0x4e, X1, X2
	VPMINUD       X2, X1, X1
	MOVQ          X1, AX
	MOVQ          AX, ret+24(FP)
	VZEROUPPER
	RET
