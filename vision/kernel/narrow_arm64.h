// The rounding of sums that were computed for one layer, for both instruction sets. Needs
// ops_arm64.h.

// ROUNDED turns sums that started at bias + 0x4B000000 into sixteen bytes: clamp(round(float32(sum)
// * mult), 0, 255), without a conversion of the sums to floats. As a float32, 0x4B000000 is 2^23,
// so a sum s from 0 up to 2^23 reads as 2^23 + s. FMLA computes (2^23 + s) * mult - 2^23 * mult
// with a single rounding at the end: this is float32(s) * mult. A negative s reads as 2^23 + s/2
// and stays negative. FCVTNU rounds to nearest even; it and the narrowing instructions saturate.
// roundsInPlace reports whether every sum of a layer fits.
//
// The sums are in the registers a..d and the scales in ma..md. The registers r, r+1, r+2 and r+3
// are -2^23 * mult; the bytes are then in r.
#define ROUNDED(r, a, b, c, d, ma, mb, mc, md) \
	FMLA(r, a, ma)          \
	FMLA((r+1), b, mb)      \
	FMLA((r+2), c, mc)      \
	FMLA((r+3), d, md)      \
	FCVTNU(r, r)            \
	FCVTNU((r+1), (r+1))    \
	FCVTNU((r+2), (r+2))    \
	FCVTNU((r+3), (r+3))    \
	UQXTN(r, r)             \
	UQXTN2(r, (r+1))        \
	UQXTN((r+2), (r+2))     \
	UQXTN2((r+2), (r+3))    \
	UQXTNB(r, r)            \
	UQXTNB2(r, (r+2))
