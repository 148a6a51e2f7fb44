// Requantising for AVX2.

// BOUNDS sets Y14 to 255.0, the upper limit. Values are limited before the conversion, which turns
// a value too large for int32 into the smallest int32. The lower limit is the saturation of the
// packing.
#define BOUNDS \
	MOVL         $0x437f0000, AX \
	VMOVD        AX, X14         \
	VPBROADCASTD X14, Y14

// BYTES16 requantises the sums in Y0 (channels 0..7) and Y1 (8..15) to 16 bytes in X0. VPACKSSDW
// puts the quarters in the order 0 2 1 3.
#define BYTES16(mult, mult2) \
	VCVTDQ2PS  Y0, Y0              \
	VCVTDQ2PS  Y1, Y1              \
	VMULPS     mult, Y0, Y0        \
	VMULPS     mult2, Y1, Y1     \
	VMINPS     Y14, Y0, Y0         \
	VMINPS     Y14, Y1, Y1         \
	VCVTPS2DQ  Y0, Y0              \
	VCVTPS2DQ  Y1, Y1              \
	VPACKSSDW  Y1, Y0, Y0          \
	VPERMQ     $0xd8, Y0, Y0       \
	VEXTRACTI128 $1, Y0, X1        \
	VPACKUSWB  X1, X0, X0
