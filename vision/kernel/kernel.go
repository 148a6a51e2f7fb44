// Package kernel holds the int8 arithmetic of the network, one operator per file.
//
//	preprocess -> infer -> KERNEL
//
// Package infer walks the network and calls these operators; its package comment defines the
// arithmetic. A [Body] implements the operators for one instruction set, and [Bodies] returns those
// of this CPU. The specification is plain loops that can be checked by reading them. The tests
// compare every body with it byte for byte. To read the code, start with [ConvGeneric], then
// [Conv.Row], then [Body].
//
//	operator            specification       avx512vnni  avx2        sdot     neon     generic
//	3x3/2 + pool 2x2/2
//	  one channel       ConvGeneric         first       first       first    first    rows, pool
//	  more channels     ConvGeneric         rows, pool  shared      pooled   pooled   rows, pool
//	3x3, one channel    ConvGeneric         plain, rows at the border
//	1x1                 ConvGeneric         narrow      rows        narrow   narrow   rows
//	other convolution   ConvGeneric         rows, or patches and rows; then pool or requantize
//	dense               RowsGeneric         rows of one position
//	requantise          RequantizeGeneric   requantize, and inside all others but rows
//	max pool alone      MaxPool             Go on every CPU
//	depthwise 3x3       DepthwiseGeneric    depthwise; generic has none
//	other depthwise     DepthwiseGeneric    Go on every CPU
//	mean                MeanGeneric         Go on every CPU
//	scores              ConvGeneric's sums  rows, as for other convolutions
//	highest scores      Top.Sum             Go on every CPU
//	multiplication                          VPDPBUSD    VPMADDWD    SDOT     SMULL    int64
package kernel

// Window is a square window that slides over the rows and columns of an activation.
type Window struct {
	Kernel, Stride  int // px
	PadTop, PadLeft int // px of padding above the first row and left of the first column
	OutH, OutW      int // positions to compute, from the top left corner
}

// single returns a window of one value, as the pool of a convolution without a pool.
func single(h, w int) Window { return Window{Kernel: 1, Stride: 1, OutH: h, OutW: w} }

// span returns the values that the window at position i covers along an axis of n values: from
// first up to but not including end. Tap 0 of the kernel is at i*Stride-pad, which is negative
// where the window extends over the border.
func (w *Window) span(i, pad, n int) (first, end int) {
	start := i*w.Stride - pad
	return max(0, start), min(n, start+w.Kernel)
}

// Area is an activation (H, W, C), with C varying fastest. It may be the top left corner of a
// larger one: the part that is needed.
type Area struct {
	H, W, C int
	Row     int // values from one row to the next, W*C or more
}
