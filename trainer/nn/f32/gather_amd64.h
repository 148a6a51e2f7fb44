// The part that all Gather kernels share: the walk over sums and terms.
//
//	DI dst     SI src     DX, CX the sums and how many are left     R8 the terms
//	R9 position of the sum in dst     R10, R11 its terms and how many are left
//	AX start of the term, for TERM to set

#define BEGIN \
	MOVQ dst+0(FP), DI    \
	MOVQ sums+8(FP), DX   \
	MOVQ count+16(FP), CX \
	MOVQ terms+24(FP), R8 \
	MOVQ src+32(FP), SI

// Takes the next sum, or skips it when it has no terms: At, First and Count.
#define SUM \
	MOVLQSX 0(DX), R9        \
	MOVLQSX 4(DX), R10       \
	MOVLQSX 8(DX), R11       \
	TESTQ   R11, R11         \
	JZ      next             \
	ADDQ    DI, R9           \
	LEAQ    (R8)(R10*8), R10

#define PAST_TERM \
	ADDQ $8, R10 \
	DECQ R11     \
	JNZ  term

#define PAST_SUM \
	ADDQ $12, DX \
	DECQ CX      \
	JNZ  sum     \
	VZEROUPPER
