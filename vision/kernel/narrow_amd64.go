package kernel

//go:noescape
func narrow14x32VNNI(dst *uint8, dstStep int, x *uint8, xStep, taps int, w *int8, wStep int, s *narrowRecord)

//go:noescape
func narrow14x16VNNI(dst *uint8, dstStep int, x *uint8, xStep, taps int, w *int8, s *narrowRecord)

// narrowRecord holds the biases and scales of 32 channels in the order of their sums, see
// narrowOrder. The last record of a layer may have 16 channels, in their own order.
type narrowRecord struct {
	bias [32]int32
	mult [32]float32
}

// narrowVNNI holds the weights of a 1x1 convolution in the layout of rowsVNNI, with the channels in
// the order of their sums.
type narrowVNNI struct {
	w        []int8
	records  []narrowRecord
	channels int
	taps     int
}

// narrowTile is the number of positions of a tile.
const narrowTile = 14

// narrowOrder returns the channel of the sum i of a block of 32: four channels are in the first
// register and the next four in the second.
func narrowOrder(i int) int { return i%16/4*8 + i/16*4 + i%4 }

func packNarrowVNNI(w []int8, bias []int32, mult []float32) narrower {
	if w, bias, mult = settled(w, bias, mult); !scalesFit(w, bias, mult) {
		return nil
	}
	p := &narrowVNNI{channels: len(bias), taps: len(w) / len(bias), records: make([]narrowRecord, (len(bias)+31)/32)}
	ordered := make([]int8, 0, len(w))
	biases := make([]int32, len(bias))
	for i := range bias {
		block, k := i/32, i%32
		c := i
		if len(bias)-block*32 >= 32 {
			c = block*32 + narrowOrder(k)
		}
		ordered = append(ordered, w[c*p.taps:(c+1)*p.taps]...)
		p.records[block].bias[k], p.records[block].mult[k] = bias[c], mult[c]
	}
	p.w = packVNNI(ordered, biases).(*rowsVNNI).w
	return p
}

// scalesFit reports whether no scaled sum reaches 2^31.
func scalesFit(w []int8, bias []int32, mult []float32) bool {
	depth := len(w) / len(bias)
	for c := range bias {
		low, high := reach(w[c*depth:(c+1)*depth], bias[c])
		if float64(max(-low, high))*float64(mult[c]) >= 2e9 {
			return false
		}
	}
	return true
}

func (p *narrowVNNI) narrow(dst, x []uint8, n int, v Windows, _ []byte) {
	_, _ = x[v.reach(n)-1], dst[n*p.channels-1]
	for at := 0; at < n; at += narrowTile {
		at = min(at, n-narrowTile) // the last tile overlaps the one before it and computes the same bytes
		x := &x[at*v.Step]
		for i := range p.records {
			to, w := &dst[at*p.channels+32*i], &p.w[32*i*p.taps]
			if 32*i+32 <= p.channels {
				narrow14x32VNNI(to, p.channels, x, v.Step, p.taps, w, 16*p.taps, &p.records[i])
			} else {
				narrow14x16VNNI(to, p.channels, x, v.Step, p.taps, w, &p.records[i])
			}
		}
	}
}
