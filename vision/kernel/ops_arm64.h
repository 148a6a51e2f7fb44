// Macros for vector instructions that Go's assembler does not know. Arguments are register numbers:
// d is the destination, n and m are the sources, i is a lane. The line above a macro is the text of
// the instruction. TestEncodings compares every macro with the assembler of binutils, or with known
// words if that is not installed.

// sdot v\d.4s, v\n.16b, v\m.4b[\i]
#define SDOT(d, n, m, i) WORD $(0x4F80E000 | (i&1)<<21 | (i>>1)<<11 | m<<16 | n<<5 | d)

// smull v\d.8h, v\n.8b, v\m.8b
#define SMULL(d, n, m) WORD $(0x0E20C000 | m<<16 | n<<5 | d)

// smull2 v\d.8h, v\n.16b, v\m.16b
#define SMULL2(d, n, m) WORD $(0x4E20C000 | m<<16 | n<<5 | d)

// smlal v\d.8h, v\n.8b, v\m.8b
#define SMLAL(d, n, m) WORD $(0x0E208000 | m<<16 | n<<5 | d)

// smlal2 v\d.8h, v\n.16b, v\m.16b
#define SMLAL2(d, n, m) WORD $(0x4E208000 | m<<16 | n<<5 | d)

// sadalp v\d.4s, v\n.8h
#define SADALP(d, n) WORD $(0x4E606800 | n<<5 | d)

// saddw v\d.4s, v\n.4s, v\m.4h
#define SADDW(d, n, m) WORD $(0x0E601000 | m<<16 | n<<5 | d)

// saddw2 v\d.4s, v\n.4s, v\m.8h
#define SADDW2(d, n, m) WORD $(0x4E601000 | m<<16 | n<<5 | d)

// smlal v\d.4s, v\n.4h, v\m.h[\i]
#define SMLALH(d, n, m, i) WORD $(0x0F402000 | (i&1)<<20 | ((i>>1)&1)<<21 | (i>>2)<<11 | m<<16 | n<<5 | d)

// smlal2 v\d.4s, v\n.8h, v\m.h[\i]
#define SMLALH2(d, n, m, i) WORD $(0x4F402000 | (i&1)<<20 | ((i>>1)&1)<<21 | (i>>2)<<11 | m<<16 | n<<5 | d)

// sshr v\d.8h, v\n.8h, #8
#define SSHR8(d, n) WORD $(0x4F180400 | n<<5 | d)

// smax v\d.4s, v\n.4s, v\m.4s
#define SMAX(d, n, m) WORD $(0x4EA06400 | m<<16 | n<<5 | d)

// scvtf v\d.4s, v\n.4s
#define SCVTF(d, n) WORD $(0x4E21D800 | n<<5 | d)

// fmul v\d.4s, v\n.4s, v\m.4s
#define FMUL(d, n, m) WORD $(0x6E20DC00 | m<<16 | n<<5 | d)

// fadd v\d.4s, v\n.4s, v\m.4s
#define FADD(d, n, m) WORD $(0x4E20D400 | m<<16 | n<<5 | d)

// fcvtns v\d.4s, v\n.4s
#define FCVTNS(d, n) WORD $(0x4E21A800 | n<<5 | d)

// sqxtn v\d.4h, v\n.4s
#define SQXTN(d, n) WORD $(0x0E614800 | n<<5 | d)

// sqxtn2 v\d.8h, v\n.4s
#define SQXTN2(d, n) WORD $(0x4E614800 | n<<5 | d)

// sqxtun v\d.8b, v\n.8h
#define SQXTUN(d, n) WORD $(0x2E212800 | n<<5 | d)

// sqxtun2 v\d.16b, v\n.8h
#define SQXTUN2(d, n) WORD $(0x6E212800 | n<<5 | d)

// sdot v\d.4s, v\n.16b, v\m.16b
#define SDOTV(d, n, m) WORD $(0x4E809400 | m<<16 | n<<5 | d)

// fmla v\d.4s, v\n.4s, v\m.4s
#define FMLA(d, n, m) WORD $(0x4E20CC00 | m<<16 | n<<5 | d)

// fcvtnu v\d.4s, v\n.4s
#define FCVTNU(d, n) WORD $(0x6E21A800 | n<<5 | d)

// uqxtn v\d.4h, v\n.4s
#define UQXTN(d, n) WORD $(0x2E614800 | n<<5 | d)

// uqxtn2 v\d.8h, v\n.4s
#define UQXTN2(d, n) WORD $(0x6E614800 | n<<5 | d)

// uqxtn v\d.8b, v\n.8h
#define UQXTNB(d, n) WORD $(0x2E214800 | n<<5 | d)

// uqxtn2 v\d.16b, v\n.8h
#define UQXTNB2(d, n) WORD $(0x6E214800 | n<<5 | d)
