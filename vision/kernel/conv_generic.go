package kernel

// ConvShape is a convolution and the max pool after it. Without a pool, Pool is the zero Window.
type ConvShape struct {
	In   Area
	OutC int
	Conv Window
	Pool Window
}

// pool returns the window over the sums: a single sum if no pool follows.
func (s *ConvShape) pool() Window {
	if s.Pool.Kernel == 0 {
		return single(s.Conv.OutH, s.Conv.OutW)
	}
	return s.Pool
}

func (s *ConvShape) depth() int { return s.Conv.Kernel * s.Conv.Kernel * s.In.C }

func (s *ConvShape) ringRows() int { return min(s.pool().Kernel, s.Conv.OutH) }

// OutSize returns the number of bytes that the operator writes: (OutH, OutW, OutC) of the pool, or
// of the convolution if there is no pool.
func (s *ConvShape) OutSize() int {
	p := s.pool()
	return p.OutH * p.OutW * s.OutC
}

// ConvGeneric is the specification of Conv. The pool takes the maximum of the int32 sums, before
// requantising. Scales are positive, so the order is the same. Values outside the input are 0 for
// the convolution; the pool ignores them.
//
//	x    (In.H, In.W, In.C), rows at a distance of In.Row
//	w    (OutC, kernel, kernel, In.C)
//	bias (OutC)
//	mult (OutC)
//	dst  (OutH, OutW, OutC)
func ConvGeneric(dst, x []uint8, s ConvShape, w []int8, bias []int32, mult []float32) {
	p := s.pool()
	for oy := range p.OutH {
		for ox := range p.OutW {
			y0, y1 := p.span(oy, p.PadTop, s.Conv.OutH)
			x0, x1 := p.span(ox, p.PadLeft, s.Conv.OutW)
			for c := range s.OutC {
				best := convSum(x, &s, w, bias, y0, x0, c)
				for cy := y0; cy < y1; cy++ {
					for cx := x0; cx < x1; cx++ {
						best = max(best, convSum(x, &s, w, bias, cy, cx, c))
					}
				}
				dst[(oy*p.OutW+ox)*s.OutC+c] = RequantizeGeneric(best, mult[c])
			}
		}
	}
}

// convSum returns one output of the convolution before pooling and requantising: position (cy, cx),
// channel c.
func convSum(x []uint8, s *ConvShape, w []int8, bias []int32, cy, cx, c int) int32 {
	sum := bias[c]
	for ky := range s.Conv.Kernel {
		for kx := range s.Conv.Kernel {
			iy := cy*s.Conv.Stride - s.Conv.PadTop + ky
			ix := cx*s.Conv.Stride - s.Conv.PadLeft + kx
			if iy < 0 || iy >= s.In.H || ix < 0 || ix >= s.In.W {
				continue
			}
			for ic := range s.In.C {
				v := x[iy*s.In.Row+ix*s.In.C+ic]
				sum += int32(v) * int32(w[((c*s.Conv.Kernel+ky)*s.Conv.Kernel+kx)*s.In.C+ic])
			}
		}
	}
	return sum
}
