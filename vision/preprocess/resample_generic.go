package preprocess

// The specification of columns and rows. Every assembly function computes the same values.

func columnsGeneric(mid []int16, src []byte, t *taps) {
	for x, first := range t.first {
		w := t.w[x*t.pitch:][:t.n:t.n]
		p := src[first:][:len(w):len(w)]
		sum := int32(columnsHalf)
		for k, wk := range w {
			sum += int32(wk) * int32(p[k])
		}
		mid[x] = int16(sum >> (weightBits - midBits))
	}
}

// rowsGeneric adds two rows in a step, which halves the loads and stores of its sums.
func rowsGeneric(out []byte, ring []int16, off []int, w []int16) {
	for x := 0; x < len(out); x += rowBlock {
		var sum [rowBlock]int32
		for k := 0; k < len(w); k += 2 {
			a, b := (*[rowBlock]int16)(ring[off[k]+x:]), (*[rowBlock]int16)(ring[off[k+1]+x:])
			wa, wb := int32(w[k]), int32(w[k+1])
			for i := range sum {
				sum[i] += wa*int32(a[i]) + wb*int32(b[i])
			}
		}
		o := (*[rowBlock]byte)(out[x:])
		for i, v := range sum {
			o[i] = uint8((v + rowsHalf) >> (weightBits + midBits))
		}
	}
}
