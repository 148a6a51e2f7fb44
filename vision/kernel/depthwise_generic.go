package kernel

// DepthwiseShape is a depthwise convolution: each channel has a filter of its own.
type DepthwiseShape struct {
	In   Area
	Conv Window
}

// DepthwiseGeneric is the specification of Depthwise. Values outside the input are 0.
//
//	x    (In.H, In.W, In.C), rows at a distance of In.Row
//	w    (In.C, kernel, kernel)
//	bias (In.C)
//	mult (In.C)
//	dst  (OutH, OutW, In.C)
func DepthwiseGeneric(dst, x []uint8, s DepthwiseShape, w []int8, bias []int32, mult []float32) {
	k := s.Conv.Kernel
	for oy := range s.Conv.OutH {
		for ox := range s.Conv.OutW {
			for c := range s.In.C {
				sum := bias[c]
				for ky := range k {
					for kx := range k {
						iy, ix := oy*s.Conv.Stride-s.Conv.PadTop+ky, ox*s.Conv.Stride-s.Conv.PadLeft+kx
						if iy >= 0 && iy < s.In.H && ix >= 0 && ix < s.In.W {
							sum += int32(x[iy*s.In.Row+ix*s.In.C+c]) * int32(w[(c*k+ky)*k+kx])
						}
					}
				}
				dst[(oy*s.Conv.OutW+ox)*s.In.C+c] = RequantizeGeneric(sum, mult[c])
			}
		}
	}
}
