#include "textflag.h"

// Luma for AVX-512 with VBMI and VNNI. Target CPUs: Ice Lake and later, Zen 4 and later.
//
// The weights have 14 bits, VPDPBUSD takes 7. So each weight is 128*high + low (R 38, 35; G 75, 17;
// B 14, 76), and a pixel is
//
//	(((64 + sum of c*high) << 7) + sum of c*low) >> 14
//
// which is exactly the rounded sum of c*weight, because 64 << 7 is half of 1 << 14. Z8, Z9: high
// and low weights; Z10: 64; Z12: spreads 48 bytes of BGR to 16 pixels of four; Z13: order of the
// packed result. K1 limits the loads of 16 BGR pixels to 48 bytes.

// The fourth byte of a pixel has weight 0.
DATA spread512<>+0x00(SB)/8, $0x3f0504033f020100
DATA spread512<>+0x08(SB)/8, $0x3f0b0a093f080706
DATA spread512<>+0x10(SB)/8, $0x3f11100f3f0e0d0c
DATA spread512<>+0x18(SB)/8, $0x3f1716153f141312
DATA spread512<>+0x20(SB)/8, $0x3f1d1c1b3f1a1918
DATA spread512<>+0x28(SB)/8, $0x3f2322213f201f1e
DATA spread512<>+0x30(SB)/8, $0x3f2928273f262524
DATA spread512<>+0x38(SB)/8, $0x3f2f2e2d3f2c2b2a
GLOBL spread512<>(SB), RODATA|NOPTR, $64

// Packing works within lanes. This table puts the 4-byte groups of 64 pixels in order.
DATA order512<>+0x00(SB)/8, $0x0000000400000000
DATA order512<>+0x08(SB)/8, $0x0000000c00000008
DATA order512<>+0x10(SB)/8, $0x0000000500000001
DATA order512<>+0x18(SB)/8, $0x0000000d00000009
DATA order512<>+0x20(SB)/8, $0x0000000600000002
DATA order512<>+0x28(SB)/8, $0x0000000e0000000a
DATA order512<>+0x30(SB)/8, $0x0000000700000003
DATA order512<>+0x38(SB)/8, $0x0000000f0000000b
GLOBL order512<>(SB), RODATA|NOPTR, $64

#define CONSTANTS(high, low) \
	MOVL         high, AX           \
	VPBROADCASTD AX, Z8             \
	MOVL         low, AX            \
	VPBROADCASTD AX, Z9             \
	MOVL         $64, AX            \
	VPBROADCASTD AX, Z10            \
	VMOVDQU64    order512<>(SB), Z13

#define LOADBGR(at, z) \
	VMOVDQU8.Z at(SI), K1, z \
	VPERMB     z, Z12, z

#define LUMA16(z, t) \
	VMOVDQA64 Z10, t     \
	VPDPBUSD  Z8, z, t   \
	VPSLLD    $7, t, t   \
	VPDPBUSD  Z9, z, t   \
	VPSRLD    $14, t, t

#define STORE64 \
	VPACKSSDW Z5, Z4, Z4  \
	VPACKSSDW Z7, Z6, Z6  \
	VPACKUSWB Z6, Z4, Z4  \
	VPERMD    Z4, Z13, Z4 \
	VMOVDQU64 Z4, (DI)

// func lumaBGRAVX512(dst, src *byte, n int)
//
// n pixels, a positive multiple of 64.
TEXT ·lumaBGRAVX512(SB), NOSPLIT, $0-24
	MOVQ      dst+0(FP), DI
	MOVQ      src+8(FP), SI
	MOVQ      n+16(FP), CX
	CONSTANTS($0x00264b0e, $0x0023114c)
	VMOVDQU64 spread512<>(SB), Z12
	MOVQ      $0x0000ffffffffffff, AX
	KMOVQ     AX, K1

bgr64:
	LOADBGR(0, Z0)
	LOADBGR(48, Z1)
	LOADBGR(96, Z2)
	LOADBGR(144, Z3)
	LUMA16(Z0, Z4)
	LUMA16(Z1, Z5)
	LUMA16(Z2, Z6)
	LUMA16(Z3, Z7)
	STORE64
	ADDQ $192, SI
	ADDQ $64, DI
	SUBQ $64, CX
	JNZ  bgr64
	VZEROUPPER
	RET

// func lumaRGBAAVX512(dst, src *byte, n int)
//
// n pixels, a positive multiple of 64.
TEXT ·lumaRGBAAVX512(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	CONSTANTS($0x000e4b26, $0x004c1123)

rgba64:
	VMOVDQU64 0(SI), Z0
	VMOVDQU64 64(SI), Z1
	VMOVDQU64 128(SI), Z2
	VMOVDQU64 192(SI), Z3
	LUMA16(Z0, Z4)
	LUMA16(Z1, Z5)
	LUMA16(Z2, Z6)
	LUMA16(Z3, Z7)
	STORE64
	ADDQ $256, SI
	ADDQ $64, DI
	SUBQ $64, CX
	JNZ  rgba64
	VZEROUPPER
	RET
