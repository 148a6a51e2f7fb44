package kernel

import "unsafe"

//go:noescape
func sdotNarrow4(dst *uint8, dstStep int, x *int8, xStep, tiles, taps int, w *int8, s *scaledSums)

//go:noescape
func sdotNarrow2(dst *uint8, dstStep int, x *int8, xStep, taps int, w *int8, s *scaledSums)

//go:noescape
func neonNarrow4(dst *uint8, dstStep int, x *int8, xStep, tiles, taps int, w *int8, s *narrowedNEON)

//go:noescape
func neonNarrow2(dst *uint8, dstStep int, x *int8, xStep, taps int, w *int8, s *narrowedNEON)

// narrowedNEON holds what the sums of 4 channels start with, and what turns them into bytes.
type narrowedNEON struct {
	start [4][4]int32 // (channel, part of its sum): the bias is in part 0
	mult  [4]float32
	round [4]float32 // -2^23 * mult
}

// narrowArm holds the weights of a 1x1 convolution for one of the arm64 bodies, in the layout of
// armRows.
type narrowArm struct {
	*armRows
	taps int            // values of a position, a multiple of 8
	dot  []scaledSums   // for SDOT: blocks of 16 channels
	neon []narrowedNEON // otherwise: blocks of 4
}

func packNarrowSDOT(w []int8, bias []int32, mult []float32) narrower {
	return packNarrowArm(w, bias, mult, true)
}

func packNarrowNEON(w []int8, bias []int32, mult []float32) narrower {
	return packNarrowArm(w, bias, mult, false)
}

func packNarrowArm(w []int8, bias []int32, mult []float32, dot bool) narrower {
	if !roundsFast(w, bias, mult) {
		return nil
	}
	taps := len(w) / len(bias)
	depth := padTo(taps, armGroup)
	wide := make([]int8, len(bias)*depth)
	for c := range bias {
		copy(wide[c*depth:], w[c*taps:(c+1)*taps])
	}
	p := &narrowArm{taps: taps}
	if dot {
		p.armRows = packSDOT(wide, bias).(*armRows)
	} else {
		p.armRows = packNEON(wide, bias).(*armRows)
	}
	for at := 0; at < len(bias); at += armBlock {
		s, start, _ := newScaling(w[at*taps:(at+armBlock)*taps], bias[at:at+armBlock], mult[at:at+armBlock])
		if dot {
			p.dot = append(p.dot, scaledSums{mult: s.mult, round: s.round, bias: [armBlock]int32(start)})
			continue
		}
		for c := 0; c < armBlock; c += neonChannels {
			n := narrowedNEON{mult: [4]float32(s.mult[c:]), round: [4]float32(s.round[c:])}
			for i := range n.start {
				n.start[i][0] = start[c+i]
			}
			p.neon = append(p.neon, n)
		}
	}
	return p
}

func (p *narrowArm) narrow(dst, x []uint8, n int, v Windows, scratch []byte) {
	most := signedPositions(v)
	for at := 0; at < n; at += most {
		at = min(at, n-2) // two positions or more
		now := min(most, n-at)
		p.some(dst[at*len(p.bias):], x[at*v.Step:], now, v, scratch)
	}
}

// some computes n positions in tiles of four, and the rest in tiles of two. The last tile may overlap
// the one before it; both compute the same bytes.
func (p *narrowArm) some(dst, x []uint8, n int, v Windows, scratch []byte) {
	s, _ := signed(scratch, x, n, v)
	channels, depth := len(p.bias), padTo(p.taps, armGroup)
	dst = dst[:n*channels]
	for i, c := 0, 0; c < channels; i, c = i+1, c+p.tile() {
		w := &p.w[c*depth]
		if fours := n / 4; fours > 0 && p.dot != nil {
			sdotNarrow4(&dst[c], channels, s, v.Step, fours, p.taps, w, &p.dot[i])
		} else if fours > 0 {
			neonNarrow4(&dst[c], channels, s, v.Step, fours, p.taps, w, &p.neon[i])
		}
		for at := n &^ 3; at < n; at += 2 {
			at := min(at, n-2)
			from := (*int8)(unsafe.Add(unsafe.Pointer(s), at*v.Step))
			if p.dot != nil {
				sdotNarrow2(&dst[at*channels+c], channels, from, v.Step, p.taps, w, &p.dot[i])
			} else {
				neonNarrow2(&dst[at*channels+c], channels, from, v.Step, p.taps, w, &p.neon[i])
			}
		}
	}
}
