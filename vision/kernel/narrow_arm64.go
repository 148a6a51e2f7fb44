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
	kinds uint64     // of the groups of 32 taps, see narrow_neon_arm64.s
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
	if len(w)/len(bias) >= 64*neonGroup {
		return nil // more groups than kinds
	}
	return packNarrowArm(w, bias, mult, false)
}

func packNarrowArm(w []int8, bias []int32, mult []float32, dot bool) narrower {
	if w, bias, mult = settled(w, bias, mult); !roundsInPlace(w, bias, mult) {
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
		end := at + armBlock
		s := newScaledSums(w[at*taps:end*taps], bias[at:end], mult[at:end])
		if dot {
			p.dot = append(p.dot, s)
			continue
		}
		for c := 0; c < armBlock; c += neonChannels {
			n := narrowedNEON{mult: [4]float32(s.mult[c:]), round: [4]float32(s.round[c:])}
			n.kinds = groupKinds(w[(at+c)*taps:(at+c+neonChannels)*taps], taps)
			for i := range n.start {
				n.start[i][0] = s.bias[c+i]
			}
			p.neon = append(p.neon, n)
		}
	}
	return p
}

// neonGroup is the number of taps whose products may be added in 16 bits.
const neonGroup = 32

// groupKinds returns the kinds of the groups of 4 channels with weights w (4, taps).
func groupKinds(w []int8, taps int) uint64 {
	kinds, bit := uint64(0), uint64(1)<<63
	for at := 0; at+neonGroup <= taps; at += neonGroup {
		if fourFit(w[at:], taps) {
			kinds |= bit
		}
		bit >>= 1
	}
	return kinds | bit
}

// fourFit reports whether every lane of eight can add its four products of a group: the sum of
// their magnitudes is at most 128 * 255.
func fourFit(w []int8, taps int) bool {
	for c := range neonChannels {
		for lane := range 8 {
			sum := 0
			for i := lane; i < neonGroup; i += 8 {
				v := int(w[c*taps+i])
				sum += max(v, -v)
			}
			if sum > 255 {
				return false
			}
		}
	}
	return true
}

func (p *narrowArm) narrow(dst, x []uint8, n int, v Windows, scratch []byte) {
	most := signedPositions(v)
	for at := 0; at < n; at += most {
		at = min(at, n-2) // two positions or more
		now := min(most, n-at)
		p.some(dst[at*len(p.bias):], x[at*v.Step:], now, v, scratch)
	}
}

// some computes n positions in tiles of four, and the rest in tiles of two. The last tile may
// overlap the one before it; both compute the same bytes.
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
