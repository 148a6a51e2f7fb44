#include "textflag.h"

// Resampling for NEON. Target CPUs: every arm64, tuned for Cortex-A53 and A72.

// Instructions that Go's assembler does not know.
#define SMLAL(n, m, d)  WORD $(0x0e608000 | (m)<<16 | (n)<<5 | (d)) // smlal  Vd.4s, Vn.4h, Vm.4h
#define SMLAL2(n, m, d) WORD $(0x4e608000 | (m)<<16 | (n)<<5 | (d)) // smlal2 Vd.4s, Vn.8h, Vm.8h
#define RSHRN8(n, d)    WORD $(0x0f188c00 | (n)<<5 | (d))           // rshrn  Vd.4h, Vn.4s, #8
#define RSHRN82(n, d)   WORD $(0x4f188c00 | (n)<<5 | (d))           // rshrn2 Vd.8h, Vn.4s, #8
#define SHRN4(n, d)     WORD $(0x0f0c8400 | (n)<<5 | (d))           // shrn   Vd.8b, Vn.8h, #4
#define SHRN42(n, d)    WORD $(0x4f0c8400 | (n)<<5 | (d))           // shrn2  Vd.16b, Vn.8h, #4

// func columnsNearNEON(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)
//
// Blocks of 8 outputs from a window of 32 bytes at R6, two pixels of each in a step.
//
//	V0, V1: sums of outputs 0..3, 4..7    V2, V3: the window    V4, V5: its pixels as words
//	V6, V7: the places of the first and the second pixel        V16, V17: their weights
TEXT ·columnsNearNEON(SB), NOSPLIT, $0-48
	MOVD mid+0(FP), R0
	MOVD src+8(FP), R1
	MOVD base+16(FP), R2
	MOVD table+24(FP), R3
	MOVD blocks+32(FP), R4
	MOVD steps+40(FP), R5
	MOVD $2, R8

near8:
	MOVW.P 4(R2), R6
	ADD    R1, R6, R6
	VLD1.P 32(R3), [V6.B16, V7.B16]
	VEOR   V0.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	MOVD   R5, R7

nearStep:
	VLD1.P (R6)(R8), [V2.B16, V3.B16]
	VLD1.P 32(R3), [V16.H8, V17.H8]
	VTBL   V6.B16, [V2.B16, V3.B16], V4.B16
	VTBL   V7.B16, [V2.B16, V3.B16], V5.B16
	SMLAL(4, 16, 0)
	SMLAL2(4, 16, 1)
	SMLAL(5, 17, 0)
	SMLAL2(5, 17, 1)
	SUBS   $1, R7, R7
	BNE    nearStep

	RSHRN8(0, 0)
	RSHRN82(1, 0)
	VST1.P [V0.H8], 16(R0)
	SUBS   $1, R4, R4
	BNE    near8
	RET

// func columnsFarNEON(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)
//
// Blocks of 4 outputs, 8 pixels of each in a step. The pixels of outputs 0 to 3 are at R6 to R9,
// the sums of output i in Vi.
TEXT ·columnsFarNEON(SB), NOSPLIT, $0-48
	MOVD mid+0(FP), R0
	MOVD src+8(FP), R1
	MOVD base+16(FP), R2
	MOVD table+24(FP), R3
	MOVD blocks+32(FP), R4
	MOVD steps+40(FP), R5

far4:
	MOVW.P 4(R2), R6
	MOVW.P 4(R2), R7
	MOVW.P 4(R2), R8
	MOVW.P 4(R2), R9
	ADD    R1, R6, R6
	ADD    R1, R7, R7
	ADD    R1, R8, R8
	ADD    R1, R9, R9
	VEOR   V0.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	VEOR   V2.B16, V2.B16, V2.B16
	VEOR   V3.B16, V3.B16, V3.B16
	MOVD   R5, R10

farStep:
	VLD1.P 8(R6), [V4.B8]
	VLD1.P 8(R7), [V5.B8]
	VLD1.P 8(R8), [V6.B8]
	VLD1.P 8(R9), [V7.B8]
	VLD1.P 64(R3), [V16.H8, V17.H8, V18.H8, V19.H8]
	VUXTL  V4.B8, V4.H8
	VUXTL  V5.B8, V5.H8
	VUXTL  V6.B8, V6.H8
	VUXTL  V7.B8, V7.H8
	SMLAL(4, 16, 0)
	SMLAL(5, 17, 1)
	SMLAL(6, 18, 2)
	SMLAL(7, 19, 3)
	SMLAL2(4, 16, 0)
	SMLAL2(5, 17, 1)
	SMLAL2(6, 18, 2)
	SMLAL2(7, 19, 3)
	SUBS   $1, R10, R10
	BNE    farStep

	VADDP  V1.S4, V0.S4, V0.S4
	VADDP  V3.S4, V2.S4, V2.S4
	VADDP  V2.S4, V0.S4, V0.S4
	RSHRN8(0, 0)
	VST1.P [V0.H4], 8(R0)
	SUBS   $1, R4, R4
	BNE    far4
	RET

// func rowsNEON(out *byte, ring *int16, off *int, w *int16, blocks, steps int)
//
// Blocks of 32 columns, one row in a step. V0..V7 have the sums of 4 columns each, V16..V19 the
// row's values, V20 its weight, V21 the rounding. A sum is below 1<<29, so the last shift by 20 is
// done as a shift by 16, which takes every other halfword, and one by 4.
TEXT ·rowsNEON(SB), NOSPLIT, $0-48
	MOVD out+0(FP), R0
	MOVD ring+8(FP), R1
	MOVD off+16(FP), R2
	MOVD w+24(FP), R3
	MOVD blocks+32(FP), R4
	MOVD steps+40(FP), R5
	MOVD $(1<<19), R6
	VDUP R6, V21.S4

rows32:
	VMOV V21.B16, V0.B16
	VMOV V21.B16, V1.B16
	VMOV V21.B16, V2.B16
	VMOV V21.B16, V3.B16
	VMOV V21.B16, V4.B16
	VMOV V21.B16, V5.B16
	VMOV V21.B16, V6.B16
	VMOV V21.B16, V7.B16
	MOVD R2, R8
	MOVD R3, R9
	MOVD R5, R10

rowsStep:
	MOVD.P  8(R8), R11
	ADD     R11<<1, R1, R11
	VLD1R.P 2(R9), [V20.H8]
	VLD1    (R11), [V16.H8, V17.H8, V18.H8, V19.H8]
	SMLAL(16, 20, 0)
	SMLAL2(16, 20, 1)
	SMLAL(17, 20, 2)
	SMLAL2(17, 20, 3)
	SMLAL(18, 20, 4)
	SMLAL2(18, 20, 5)
	SMLAL(19, 20, 6)
	SMLAL2(19, 20, 7)
	SUBS    $1, R10, R10
	BNE     rowsStep

	VUZP2  V1.H8, V0.H8, V0.H8
	VUZP2  V3.H8, V2.H8, V2.H8
	VUZP2  V5.H8, V4.H8, V4.H8
	VUZP2  V7.H8, V6.H8, V6.H8
	SHRN4(0, 8)
	SHRN42(2, 8)
	SHRN4(4, 9)
	SHRN42(6, 9)
	VST1.P [V8.B16, V9.B16], 32(R0)
	ADD    $64, R1, R1
	SUBS   $1, R4, R4
	BNE    rows32
	RET
