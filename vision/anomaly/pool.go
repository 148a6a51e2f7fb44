package anomaly

import (
	"encoding/binary"
	"math/bits"

	"tirewatch/vision/kernel"
)

// pooler computes rows of cells: the means of kernel.MeanGeneric. It runs before the decision, so
// it must be short. For cells of 2^n positions it adds eight channels at a time, in words of four
// lanes of 16 bits.
type pooler struct {
	mean  *kernel.Mean
	shift int // log2 of the positions of a cell; -1: not a power of two, or channels are left over
}

// maxLane is the largest number of bytes whose sum and rounding fit 16 bits.
const maxLane = 256

func newPooler(m *kernel.Mean) pooler {
	n := m.H * m.W
	if n&(n-1) != 0 || n < 2 || n > maxLane || m.In.C%8 != 0 {
		return pooler{m, -1}
	}
	return pooler{m, bits.TrailingZeros(uint(n))}
}

// row computes row y of the cells of x.
func (p pooler) row(dst, x []uint8, y int) {
	m := p.mean
	if p.shift < 0 {
		m.Row(dst, x, 0, y)
		return
	}
	x = x[y*m.H*m.In.Row:]
	for cx := range m.OutW {
		out := dst[cx*m.In.C:][:m.In.C]
		cell := x[cx*m.W*m.In.C:]
		for c := 0; c < len(out); c += 8 {
			var even, odd uint64
			for iy := range m.H {
				row := cell[iy*m.In.Row+c:]
				for at := 0; at < m.W*m.In.C; at += m.In.C {
					v := binary.LittleEndian.Uint64(row[at:])
					even += v & bytesMask
					odd += v >> 8 & bytesMask
				}
			}
			binary.LittleEndian.PutUint64(out[c:], p.round(even)|p.round(odd)<<8)
		}
	}
}

// ones has a one in each lane, bytesMask the low byte.
const (
	ones      = 0x0001000100010001
	bytesMask = 0x00ff * ones
)

// round divides four sums by 2^shift, to nearest with ties to even: half less one is added, and one
// if the quotient is odd.
func (p pooler) round(sums uint64) uint64 {
	half := uint64(1)<<(p.shift-1) - 1
	return (sums + half*ones + sums>>p.shift&ones) >> p.shift & bytesMask
}
