// Maximum and rounding of the sums of 16 channels in V20..V23, for both instruction sets. Needs
// ops_arm64.h.

// LARGEST sets V20..V23 to the maximum of V20..V23 and V24..V27.
#define LARGEST \
	SMAX(20, 20, 24) \
	SMAX(21, 21, 25) \
	SMAX(22, 22, 26) \
	SMAX(23, 23, 27)

// ROUND turns the sums into 16 bytes in V20: clamp(round(float32(sum) * mult), 0, 255) with the
// scales in V12..V15. FCVTNS rounds to nearest even. It and the narrowing instructions saturate.
#define ROUND \
	SCVTF(20, 20)   \
	SCVTF(21, 21)   \
	SCVTF(22, 22)   \
	SCVTF(23, 23)   \
	FMUL(20, 20, 12) \
	FMUL(21, 21, 13) \
	FMUL(22, 22, 14) \
	FMUL(23, 23, 15) \
	FCVTNS(20, 20)  \
	FCVTNS(21, 21)  \
	FCVTNS(22, 22)  \
	FCVTNS(23, 23)  \
	SQXTN(20, 20)   \
	SQXTN2(20, 21)  \
	SQXTN(22, 22)   \
	SQXTN2(22, 23)  \
	SQXTUN(20, 20)  \
	SQXTUN2(20, 22)

// ROUNDFAST computes the same in 13 instructions instead of 18, for sums that started at bias +
// 0x4B000000. R5 points to -2^23 * mult of each channel, and V16 holds 1.5 * 2^23. As a float32,
// 0x4B000000 is 2^23, so a sum s from 0 up to 2^23 reads as 2^23 + s without a conversion. FMLA
// computes (2^23 + s) * mult - 2^23 * mult with a single rounding at the end: this is float32(s) *
// mult. A negative s reads as 2^23 + s/2 and stays negative. Adding 1.5 * 2^23 puts the integer,
// rounded to nearest even, in the low half of the word if it fits there. roundsFast reports whether
// both limits hold.
#define ROUNDFAST \
	VLD1 (R5), [V24.S4, V25.S4, V26.S4, V27.S4] \
	VFMLA V20.S4, V12.S4, V24.S4 \
	VFMLA V21.S4, V13.S4, V25.S4 \
	VFMLA V22.S4, V14.S4, V26.S4 \
	VFMLA V23.S4, V15.S4, V27.S4 \
	FADD(24, 24, 16) \
	FADD(25, 25, 16) \
	FADD(26, 26, 16) \
	FADD(27, 27, 16) \
	VUZP1 V25.H8, V24.H8, V20.H8 \
	VUZP1 V27.H8, V26.H8, V21.H8 \
	SQXTUN(20, 20) \
	SQXTUN2(20, 21)
