package f32

// The plain bodies: what every assembly body computes.

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

func scatterGeneric(entries []Entry, x, dx, w, dw []float32, v Windows) {
	for _, e := range entries {
		k := int(e.W) / 4
		for r := range v.Runs {
			at := int(e.X)/4 + r*v.RunStride
			xs, ds := x[at:][:v.RunLen], dx[at:][:v.RunLen]
			ws, dws := w[k:][:v.RunLen], dw[k:][:v.RunLen]
			for i := range xs {
				dws[i] += e.G * xs[i]
				ds[i] += e.G * ws[i]
			}
			k += v.RunLen
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
