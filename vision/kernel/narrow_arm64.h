// The end of a tile of a 1x1 convolution, for both instruction sets. Needs ops_arm64.h.

// ROUNDED turns the sums of four registers into sixteen bytes in V28, as ROUNDFAST of round_arm64.h
// does with 2^23 instead of 1.5 * 2^23: a negative sum reads as 2^23 + s/2, so its low half word is s
// * mult, which is negative too. V28..V31 are -2^23 * mult and V16 is 2^23 as a float32.
#define ROUNDED(a, b, c, d, ma, mb, mc, md) \
	FMLA(28, a, ma)   \
	FMLA(29, b, mb)   \
	FMLA(30, c, mc)   \
	FMLA(31, d, md)   \
	FADD(28, 28, 16)  \
	FADD(29, 29, 16)  \
	FADD(30, 30, 16)  \
	FADD(31, 31, 16)  \
	UZP1H(28, 28, 29) \
	UZP1H(29, 30, 31) \
	SQXTUN(28, 28)    \
	SQXTUN2(28, 29)
