// Package kernel holds the int8 arithmetic of the network, one operator a file.
//
//	preprocess -> infer -> KERNEL
//
// infer walks the network and calls these operators; the law that they obey is written in infer's
// package comment. A Body is what one instruction set makes of them, Bodies lists those of this
// CPU. The specification is plain loops that anyone can check by eye, and the tests hold every body
// to it byte for byte. Newcomers read ConvGeneric, then Conv.Row, then Body.
//
//	operator            specification       avx512vnni   avx2            sdot         neon         generic
//	3x3/2 + pool 2x2/2
//	  of one channel    ConvGeneric         first        first           first        first        rows, pool
//	  of more           ConvGeneric         rows, pool   shared          pooled       pooled       rows, pool
//	other convolution   ConvGeneric         rows, or patches and rows; then pool or requantize
//	dense               RowsGeneric         rows of one position
//	requantise          RequantizeGeneric   requantize, and inside pool, pooled, shared and first
//	lone max pool       MaxPool             Go everywhere
//	it multiplies by                        VPDPBUSD     VPMADDWD        SDOT         SMULL        int64
package kernel

// Window is a square window that slides over the rows and columns of an activation.
type Window struct {
	Kernel, Stride  int // px
	PadTop, PadLeft int // px outside above the first row and left of the first column
	OutH, OutW      int // positions to compute, from the top left corner
}

// single is the window that changes nothing: the pool of a convolution that no pool follows.
func single(h, w int) Window { return Window{Kernel: 1, Stride: 1, OutH: h, OutW: w} }

// span clips the window at position i along one axis of n values: it covers first up to but not
// including end. Tap 0 of the kernel lies at i*Stride-pad, which is negative or before first where
// the window hangs over the border.
func (w *Window) span(i, pad, n int) (first, end int) {
	start := i*w.Stride - pad
	return max(0, start), min(n, start+w.Kernel)
}

// Area is an activation, or the live part of one in the top left corner of a larger one: (H, W, C)
// with C varying fastest.
type Area struct {
	H, W, C int
	Row     int // values from one row to the next, W*C or more
}
