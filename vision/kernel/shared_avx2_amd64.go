package kernel

// The four windows under one pool window overlap, so they can share work. Along one axis, two
// windows of three taps with stride 2 cover five positions p0..p4:
//
//	y0 = p0*g0 + p1*g1 + p2*g2 = (p0-p2)*g0 + p1*g1 + S
//	y1 = p2*g0 + p3*g1 + p4*g2 = (p4-p2)*g2 + p3*g1 + S        S = p2*(g0+g2)
//
// This takes five multiplications instead of six, and 25 instead of 36 for both axes. It is
// Winograd's F(2,2) on the even positions. Unlike his larger transforms it has no division, so
// integers stay integers and the sums are exact. Differences of two axes reach +-510 and sums of
// weights +-508. They fit 16 bits, but not the operands of the bodies with 8-bit instructions.
//
// Along an axis there are three sums, y0-S, y1-S and S, with 2, 2 and 1 products per channel. Two
// axes have nine such sums. The last step adds them to the four windows, pools and requantises:
//
//	vertical    horizontal y0-S   y1-S      S
//	  y0-S         0  1  2  3    4  5  6  7   8  9      slots of a position's transformed values,
//	  y1-S        10 11 12 13   14 15 16 17  18 19      16 channels in each slot
//	  S           20 21         22 23        24
var axisSums = [9]struct{ slot, slots int }{
	{0, 4}, {4, 4}, {8, 2},
	{10, 4}, {14, 4}, {18, 2},
	{20, 2}, {22, 2}, {24, 1},
}

const (
	slots      = 25
	sliceBytes = slots * 16 * 2 // bytes of 16 transformed channels of a position
)

// sharedAVX2 holds the weights for shared: for each of the nine sums the weights for rows, over 16
// channels of each slot and then over the next 16.
type sharedAVX2 struct {
	inC  int
	sums [9]rowsAVX2
	mult []float32
}

//go:noescape
func transformAVX2(dst *byte, x *uint8, row, inC int)

//go:noescape
func combineAVX2(dst *uint8, sums *[9][tileAVX2][32]int32, position int, mult *float32)

//go:noescape
func rows3x32AVX2(dst *int32, dstStep int, x *byte, xStep, runs, pairs, runStride int, w *int16, wStep int, bias *int32)

// axisTaps are the taps of the products of each sum along one axis: one tap, or the two of S.
var axisTaps = [3][][]int{{{0}, {1}}, {{2}, {1}}, {{0, 2}}}

// slotWeights transforms the weights of one channel, w (3, 3, inC), at input channel ic. It returns
// one weight for each slot.
func slotWeights(w []int8, inC, ic int) (out [slots]int16) {
	i := 0
	for s := range axisSums {
		for _, kys := range axisTaps[s/3] {
			for _, kxs := range axisTaps[s%3] {
				for _, ky := range kys {
					for _, kx := range kxs {
						out[i] += int16(w[(3*ky+kx)*inC+ic])
					}
				}
				i++
			}
		}
	}
	return out
}

func packSharedAVX2(w []int8, bias []int32, mult []float32, inC int) sharer {
	p := &sharedAVX2{inC: inC, mult: mult}
	channels := len(bias)
	for s, v := range axisSums {
		p.sums[s] = rowsAVX2{w: make([]int16, channels*v.slots*inC), bias: make([]int32, channels)}
	}
	copy(p.sums[8].bias, bias) // S of both axes is part of every window
	for c := range channels {
		for ic := range inC {
			all := slotWeights(w[9*inC*c:9*inC*(c+1)], inC, ic)
			for s, v := range axisSums {
				depth := v.slots * inC
				for i := range v.slots {
					k := (ic/16*v.slots+i)*16 + ic%16
					p.sums[s].w[c/16*16*depth+k/2*32+c%16*2+k%2] = all[v.slot+i]
				}
			}
		}
	}
	return p
}

func sharedScratchAVX2(inC int) int { return tileAVX2 * inC / 16 * sliceBytes }

func (p *sharedAVX2) shared(dst, x []uint8, row, n int, scratch []byte) {
	channels, position := len(p.mult), p.inC/16*sliceBytes
	_, _ = dst[n*channels-1], x[4*row+(4*n+1)*p.inC-1]
	var sums [9][tileAVX2][32]int32
	tile := tileAVX2
	for at := 0; at < n; at += tile {
		if n < tileAVX2 || n-at <= 3 {
			tile = 3
		}
		at = min(at, n-tile) // the last tile overlaps the one before it and computes the same outputs again
		for i := range tile {
			transformAVX2(&scratch[i*position], &x[4*(at+i)*p.inC], row, p.inC)
		}
		for c := 0; c < channels; c += 32 {
			for s := range p.sums {
				w, v := &p.sums[s], axisSums[s]
				depth := v.slots * p.inC
				from := &scratch[v.slot*32]
				if tile == 3 {
					rows3x32AVX2(&sums[s][0][0], 4*32, from, position, p.inC/16, v.slots*8, sliceBytes,
						&w.w[c*depth], 2*16*depth, &w.bias[c])
					continue
				}
				for half := 0; half < 32; half += 16 {
					rows6x16AVX2(&sums[s][0][half], 4*32, from, position, p.inC/16, v.slots*8, sliceBytes,
						&w.w[(c+half)*depth], &w.bias[c+half])
				}
			}
			for i := range tile {
				combineAVX2(&dst[(at+i)*channels+c], &sums, i, &p.mult[c])
			}
		}
	}
}
