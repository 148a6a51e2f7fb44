package kernel

// Pool is a max pool that does not follow a convolution. A pool after a convolution is part of
// Conv.
type Pool struct {
	In Area
	W  Window
}

// Needs returns the rows of x, from y0 up to but not including y1, from which output row oy is
// computed.
func (p *Pool) Needs(oy int) (y0, y1 int) { return p.W.span(oy, p.W.PadTop, p.In.H) }

// Row computes output row oy, dst (OutW, In.C). x holds rows of the input from row top on, at a
// distance of In.Row.
func (p *Pool) Row(dst, x []uint8, top, oy int) {
	y0, y1 := p.Needs(oy)
	maxPoolRow(dst, x[(y0-top)*p.In.Row:], y1-y0, p.In, p.W)
}

// MaxPool writes the largest activation of each window, for each channel. It ignores values outside
// the input.
//
//	x   (in.H, in.W, in.C), rows at a distance of in.Row
//	dst (OutH, OutW, in.C)
func MaxPool(dst, x []uint8, in Area, w Window) {
	p := Pool{in, w}
	n := w.OutW * in.C
	for oy := range w.OutH {
		p.Row(dst[oy*n:][:n], x, 0, oy)
	}
}

// maxPoolRow pools the given number of rows of x into one row of outputs.
func maxPoolRow(dst, x []uint8, rows int, in Area, w Window) {
	clear(dst)
	for ox := range w.OutW {
		x0, x1 := w.span(ox, w.PadLeft, in.W)
		out := dst[ox*in.C:][:in.C]
		for r := range rows {
			for ix := x0; ix < x1; ix++ {
				for c, v := range x[r*in.Row+ix*in.C:][:in.C] {
					out[c] = max(out[c], v)
				}
			}
		}
	}
}
