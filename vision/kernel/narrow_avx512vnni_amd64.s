#include "textflag.h"

// 1x1 convolutions for AVX-512 with VNNI, requantised in the tile. Target CPUs: those of
// avx512vnni_amd64.s, whose tiles, registers and pointers they have: fourteen positions at R9 and
// DX, R8 the step, R13 three and R14 five times the step.
//
// No scaled sum reaches 2^31, so the conversion to integers needs no limit, and packing saturates.

// The quarters of a register hold eight bytes of a position and eight of the next: first those of
// one position, then those of the other.
DATA narrowHalves<>+0(SB)/8, $0
DATA narrowHalves<>+8(SB)/8, $2
DATA narrowHalves<>+16(SB)/8, $4
DATA narrowHalves<>+24(SB)/8, $6
DATA narrowHalves<>+32(SB)/8, $1
DATA narrowHalves<>+40(SB)/8, $3
DATA narrowHalves<>+48(SB)/8, $5
DATA narrowHalves<>+56(SB)/8, $7
GLOBL narrowHalves<>(SB), RODATA|NOPTR, $64

#define X32(at, x, a, b) \
	VPBROADCASTD at, x       \
	VPDPBUSD     Z28, x, a   \
	VPDPBUSD     Z29, x, b

#define X16(at, x, a) \
	VPBROADCASTD at, x       \
	VPDPBUSD     Z28, x, a

// OUT32 stores 32 channels of two positions, whose sums are in a, b and c, d. Element 4*i+k of a is
// channel 8*i+k, that of b is channel 8*i+4+k, so packing brings eight channels together. y is the
// lower half of a.
#define OUT32(a, b, c, d, y) \
	VCVTDQ2PS a, a             \
	VCVTDQ2PS b, b             \
	VCVTDQ2PS c, c             \
	VCVTDQ2PS d, d             \
	VMULPS    Z28, a, a        \
	VMULPS    Z29, b, b        \
	VMULPS    Z28, c, c        \
	VMULPS    Z29, d, d        \
	VCVTPS2DQ a, a             \
	VCVTPS2DQ b, b             \
	VCVTPS2DQ c, c             \
	VCVTPS2DQ d, d             \
	VPACKSSDW b, a, a          \
	VPACKSSDW d, c, c          \
	VPACKUSWB c, a, a          \
	VPERMQ    a, Z30, a        \
	VMOVDQU32 y, (DI)          \
	VEXTRACTI64X4 $1, a, (DI)(R10*1) \
	LEAQ      (DI)(R10*2), DI

// OUT16 stores 16 channels of a position, in their order.
#define OUT16(a) \
	VPMAXSD   Z31, a, a \
	VCVTDQ2PS a, a      \
	VMULPS    Z28, a, a \
	VCVTPS2DQ a, a      \
	VPMOVUSDB a, (DI)   \
	ADDQ      R10, DI

// func narrow14x32VNNI(dst *uint8, dstStep int, x *uint8, xStep, taps int, w *int8, wStep int,
//	s *narrowRecord)
//
// Fourteen positions times 32 channels, as in rows14x32VNNI. The sums are in Z0..Z27.
TEXT ·narrow14x32VNNI(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ x+16(FP), R9
	MOVQ xStep+24(FP), R8
	MOVQ taps+32(FP), AX
	MOVQ w+40(FP), BX
	MOVQ wStep+48(FP), R10
	MOVQ s+56(FP), CX
	LEAQ (R8)(R8*2), R13
	LEAQ (R8)(R8*4), R14
	LEAQ (R9)(R13*2), DX
	ADDQ R8, DX
	VMOVDQU32 (CX), Z0
	VMOVDQU32 64(CX), Z1
	VMOVDQA32 Z0, Z2
	VMOVDQA32 Z1, Z3
	VMOVDQA32 Z0, Z4
	VMOVDQA32 Z1, Z5
	VMOVDQA32 Z0, Z6
	VMOVDQA32 Z1, Z7
	VMOVDQA32 Z0, Z8
	VMOVDQA32 Z1, Z9
	VMOVDQA32 Z0, Z10
	VMOVDQA32 Z1, Z11
	VMOVDQA32 Z0, Z12
	VMOVDQA32 Z1, Z13
	VMOVDQA32 Z0, Z14
	VMOVDQA32 Z1, Z15
	VMOVDQA32 Z0, Z16
	VMOVDQA32 Z1, Z17
	VMOVDQA32 Z0, Z18
	VMOVDQA32 Z1, Z19
	VMOVDQA32 Z0, Z20
	VMOVDQA32 Z1, Z21
	VMOVDQA32 Z0, Z22
	VMOVDQA32 Z1, Z23
	VMOVDQA32 Z0, Z24
	VMOVDQA32 Z1, Z25
	VMOVDQA32 Z0, Z26
	VMOVDQA32 Z1, Z27

group14x32:
	VMOVDQU32 (BX), Z28
	VMOVDQU32 (BX)(R10*1), Z29
	X32((R9), Z30, Z0, Z1)
	X32((R9)(R8*1), Z31, Z2, Z3)
	X32((R9)(R8*2), Z30, Z4, Z5)
	X32((R9)(R13*1), Z31, Z6, Z7)
	X32((R9)(R8*4), Z30, Z8, Z9)
	X32((R9)(R14*1), Z31, Z10, Z11)
	X32((R9)(R13*2), Z30, Z12, Z13)
	X32((DX), Z31, Z14, Z15)
	X32((DX)(R8*1), Z30, Z16, Z17)
	X32((DX)(R8*2), Z31, Z18, Z19)
	X32((DX)(R13*1), Z30, Z20, Z21)
	X32((DX)(R8*4), Z31, Z22, Z23)
	X32((DX)(R14*1), Z30, Z24, Z25)
	X32((DX)(R13*2), Z31, Z26, Z27)
	ADDQ $64, BX
	ADDQ $4, R9
	ADDQ $4, DX
	SUBQ $4, AX
	JNZ  group14x32

	MOVQ dstStep+8(FP), R10
	VMOVDQU32 128(CX), Z28
	VMOVDQU32 192(CX), Z29
	VMOVDQU64 narrowHalves<>(SB), Z30
	OUT32(Z0, Z1, Z2, Z3, Y0)
	OUT32(Z4, Z5, Z6, Z7, Y4)
	OUT32(Z8, Z9, Z10, Z11, Y8)
	OUT32(Z12, Z13, Z14, Z15, Y12)
	OUT32(Z16, Z17, Z18, Z19, Y16)
	OUT32(Z20, Z21, Z22, Z23, Y20)
	OUT32(Z24, Z25, Z26, Z27, Y24)
	VZEROUPPER
	RET

// func narrow14x16VNNI(dst *uint8, dstStep int, x *uint8, xStep, taps int, w *int8,
//	s *narrowRecord)
//
// Fourteen positions times 16 channels. The sums are in Z0..Z13.
TEXT ·narrow14x16VNNI(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R10
	MOVQ x+16(FP), R9
	MOVQ xStep+24(FP), R8
	MOVQ taps+32(FP), AX
	MOVQ w+40(FP), BX
	MOVQ s+48(FP), CX
	LEAQ (R8)(R8*2), R13
	LEAQ (R8)(R8*4), R14
	LEAQ (R9)(R13*2), DX
	ADDQ R8, DX
	VMOVDQU32 (CX), Z0
	VMOVDQA32 Z0, Z1
	VMOVDQA32 Z0, Z2
	VMOVDQA32 Z0, Z3
	VMOVDQA32 Z0, Z4
	VMOVDQA32 Z0, Z5
	VMOVDQA32 Z0, Z6
	VMOVDQA32 Z0, Z7
	VMOVDQA32 Z0, Z8
	VMOVDQA32 Z0, Z9
	VMOVDQA32 Z0, Z10
	VMOVDQA32 Z0, Z11
	VMOVDQA32 Z0, Z12
	VMOVDQA32 Z0, Z13

group14x16:
	VMOVDQU32 (BX), Z28
	X16((R9), Z30, Z0)
	X16((R9)(R8*1), Z31, Z1)
	X16((R9)(R8*2), Z30, Z2)
	X16((R9)(R13*1), Z31, Z3)
	X16((R9)(R8*4), Z30, Z4)
	X16((R9)(R14*1), Z31, Z5)
	X16((R9)(R13*2), Z30, Z6)
	X16((DX), Z31, Z7)
	X16((DX)(R8*1), Z30, Z8)
	X16((DX)(R8*2), Z31, Z9)
	X16((DX)(R13*1), Z30, Z10)
	X16((DX)(R8*4), Z31, Z11)
	X16((DX)(R14*1), Z30, Z12)
	X16((DX)(R13*2), Z31, Z13)
	ADDQ $64, BX
	ADDQ $4, R9
	ADDQ $4, DX
	SUBQ $4, AX
	JNZ  group14x16

	VMOVDQU32 128(CX), Z28
	VPXORD    Z31, Z31, Z31
	OUT16(Z0)
	OUT16(Z1)
	OUT16(Z2)
	OUT16(Z3)
	OUT16(Z4)
	OUT16(Z5)
	OUT16(Z6)
	OUT16(Z7)
	OUT16(Z8)
	OUT16(Z9)
	OUT16(Z10)
	OUT16(Z11)
	OUT16(Z12)
	OUT16(Z13)
	VZEROUPPER
	RET
