#include "textflag.h"

// Luma for NEON. Target CPUs: every arm64, tuned for Cortex-A53 and A72.
//
// The weights have 14 bits, UMULL takes 8. So each weight is 128*high + low (R 38, 35; G 75, 17; B
// 14, 76), and a pixel is
//
//	(sum of c*high + (sum of c*low >> 7) + 64) >> 7
//
// which is exactly the rounded sum of c*weight, because the bits that the inner shift drops are
// below those of the outer shift. Both sums stay below 1<<15, so 16-bit lanes are enough. V16, V17,
// V18: high weights of R, G, B; V19, V20, V21: low ones. V4, V5: high sums of 8 pixels each; V6,
// V7: low sums.

// Instructions that Go's assembler does not know.
#define UMULL(n, m, d)  WORD $(0x2e20c000 | (m)<<16 | (n)<<5 | (d)) // umull  Vd.8h, Vn.8b, Vm.8b
#define UMULL2(n, m, d) WORD $(0x6e20c000 | (m)<<16 | (n)<<5 | (d)) // umull2 Vd.8h, Vn.16b, Vm.16b
#define UMLAL(n, m, d)  WORD $(0x2e208000 | (m)<<16 | (n)<<5 | (d)) // umlal  Vd.8h, Vn.8b, Vm.8b
#define UMLAL2(n, m, d) WORD $(0x6e208000 | (m)<<16 | (n)<<5 | (d)) // umlal2 Vd.8h, Vn.16b, Vm.16b
#define RSHRN7(n, d)    WORD $(0x0f098c00 | (n)<<5 | (d))           // rshrn  Vd.8b, Vn.8h, #7
#define RSHRN72(n, d)   WORD $(0x4f098c00 | (n)<<5 | (d))           // rshrn2 Vd.16b, Vn.8h, #7

#define CONSTANTS \
	VMOVI $38, V16.B16 \
	VMOVI $75, V17.B16 \
	VMOVI $14, V18.B16 \
	VMOVI $35, V19.B16 \
	VMOVI $17, V20.B16 \
	VMOVI $76, V21.B16

// LUMA16 computes 16 pixels into V8 from the registers with the numbers r, 1 and b.
#define LUMA16(r, b) \
	UMULL(1, 17, 4)            \
	UMULL2(1, 17, 5)           \
	UMULL(1, 20, 6)            \
	UMULL2(1, 20, 7)           \
	UMLAL(r, 16, 4)            \
	UMLAL2(r, 16, 5)           \
	UMLAL(r, 19, 6)            \
	UMLAL2(r, 19, 7)           \
	UMLAL(b, 18, 4)            \
	UMLAL2(b, 18, 5)           \
	UMLAL(b, 21, 6)            \
	UMLAL2(b, 21, 7)           \
	VUSRA $7, V6.H8, V4.H8     \
	VUSRA $7, V7.H8, V5.H8     \
	RSHRN7(4, 8)               \
	RSHRN72(5, 8)

// func lumaBGRNEON(dst, src *byte, n int)
//
// n pixels, a positive multiple of 16.
TEXT ·lumaBGRNEON(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	CONSTANTS

bgr16:
	VLD3.P 48(R1), [V0.B16, V1.B16, V2.B16]
	LUMA16(2, 0)
	VST1.P [V8.B16], 16(R0)
	SUBS   $16, R2, R2
	BNE    bgr16
	RET

// func lumaRGBANEON(dst, src *byte, n int)
//
// n pixels, a positive multiple of 16.
TEXT ·lumaRGBANEON(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	CONSTANTS

rgba16:
	VLD4.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]
	LUMA16(0, 2)
	VST1.P [V8.B16], 16(R0)
	SUBS   $16, R2, R2
	BNE    rgba16
	RET
