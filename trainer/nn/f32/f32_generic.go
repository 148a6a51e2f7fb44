package f32

// The plain implementations: the specification of the assembly.

func rowsGeneric(dst, x []float32, n int, v Windows, w, bias []float32) {
	f := len(bias)
	for p := range n {
		out := dst[p*f : (p+1)*f]
		copy(out, bias)
		k := 0
		for r := range v.Runs {
			for _, xv := range x[p*v.Step+r*v.RunStride:][:v.RunLen] {
				row := w[k*f:][:len(out)]
				for c := range out {
					out[c] += xv * row[c]
				}
				k++
			}
		}
	}
}

func poolReLUGeneric(dst []float32, winner []uint8, top, bottom []float32, n, f int) {
	for p := range n {
		for c := range f {
			i := 2*p*f + c
			best, at := top[i], uint8(0)
			for k, v := range [3]float32{top[i+f], bottom[i], bottom[i+f]} {
				if v > best {
					best, at = v, uint8(k+1)
				}
			}
			if !(best > 0) {
				best, at = 0, Dead
			}
			dst[p*f+c], winner[p*f+c] = best, at
		}
	}
}

func gatherGeneric(dst []float32, dstStride int, src []float32, srcStride int, sums []Sum, terms []Term, runs, runLen int) {
	for _, s := range sums {
		for _, t := range terms[s.First:][:s.Count] {
			for r := range runs {
				from := src[int(t.At)/4+r*srcStride:][:runLen]
				for i := range from {
					dst[int(s.At)/4+r*dstStride+i] += t.G * from[i]
				}
			}
		}
	}
}

func firstBackwardGeneric(dw, g []float32, winner []uint8, x []float32, rowStride, n, f int) {
	for p := range n {
		for c := range f {
			at := int(winner[p*f+c])
			if at >= Dead {
				continue
			}
			gv := g[p*f+c]
			base := 2*(at>>1)*rowStride + 4*p + 2*(at&1)
			for r := range 3 {
				for t := range 3 {
					dw[(3*r+t)*f+c] += gv * x[base+r*rowStride+t]
				}
			}
			dw[9*f+c] += gv
		}
	}
}
