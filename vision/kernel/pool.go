package kernel

// MaxPool takes the largest activation of each window, channel by channel. What lies outside the input does not count.
// It serves pools that no convolution precedes; those behind one are part of Conv.
//
//	x   (in.H, in.W, in.C), rows in.Row apart
//	dst (OutH, OutW, in.C)
func MaxPool(dst, x []uint8, in Area, p Window) {
	for oy := range p.OutH {
		for ox := range p.OutW {
			y0, y1 := p.span(oy, p.PadTop, in.H)
			x0, x1 := p.span(ox, p.PadLeft, in.W)
			out := dst[(oy*p.OutW+ox)*in.C:][:in.C]
			clear(out)
			for iy := y0; iy < y1; iy++ {
				for ix := x0; ix < x1; ix++ {
					for c, v := range x[iy*in.Row+ix*in.C:][:in.C] {
						out[c] = max(out[c], v)
					}
				}
			}
		}
	}
}
