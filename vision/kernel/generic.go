package kernel

import "math"

// Generic is the body in plain Go, for any CPU. It is portable and slow, but not the specification:
// that is ConvGeneric, RowsGeneric and RequantizeGeneric.
var Generic = &Body{
	name:        "generic",
	block:       8,
	group:       1,
	pack:        packWords,
	weightBytes: 4,
	requantize:  requantizeRows,
	pool:        poolWords,
}

// words holds the weights and biases of a layer for plain Go.
//
// One 64-bit word holds the weights of two channels. With p = a + b<<32, the sum of x*p over a
// layer is A + B<<32, where A and B are the sums of the two channels. Both fit int32, so the low
// half is A and the rest is B: one multiplication for two weights, without error. Four words are
// next to each other, so that a value of x is loaded once for eight channels:
//
//	words[block][i] = { w[8b+0][i] + w[8b+1][i]<<32, ..., w[8b+6][i] + w[8b+7][i]<<32 }
type words struct {
	depth int           // weights of one channel
	words [][lane]int64 // (blocks, depth)
	bias  [][lane]int64 // (blocks)
}

const (
	lane  = 4        // words next to each other
	block = 2 * lane // channels in these words
)

func packWords(w []int8, bias []int32) rower {
	m := &words{depth: len(w) / len(bias)}
	blocks := len(bias) / block
	m.words = make([][lane]int64, blocks*m.depth)
	m.bias = make([][lane]int64, blocks)
	for c := range bias {
		b, l, shift := c/block, c%block/2, c%2*32
		m.bias[b][l] += int64(bias[c]) << shift
		for i, v := range w[c*m.depth : (c+1)*m.depth] {
			m.words[b*m.depth+i][l] += int64(v) << shift
		}
	}
	return m
}

func (m *words) rows(dst []int32, x []uint8, n int, v Windows, _ []byte) {
	channels := len(m.bias) * block
	for b := range m.bias {
		w := m.words[b*m.depth : (b+1)*m.depth]
		for p := range n {
			rowBlock((*[block]int32)(dst[p*channels+b*block:]), x[p*v.Step:], v, w, &m.bias[b])
		}
	}
}

// rowBlock computes the sums of eight channels for one position.
func rowBlock(dst *[block]int32, x []uint8, v Windows, words [][lane]int64, bias *[lane]int64) {
	s0, s1, s2, s3 := bias[0], bias[1], bias[2], bias[3]
	for r := range v.Runs {
		run := x[r*v.RunStride:][:v.RunLen]
		ws := words[r*v.RunLen:][:len(run)]
		for i := range run {
			v, w := int64(run[i]), &ws[i]
			s0 += v * w[0]
			s1 += v * w[1]
			s2 += v * w[2]
			s3 += v * w[3]
		}
	}
	dst[0], dst[1] = split(s0)
	dst[2], dst[3] = split(s1)
	dst[4], dst[5] = split(s2)
	dst[6], dst[7] = split(s3)
}

// split returns A and B of A + B<<32. A negative A has reduced the upper half by one.
func split(s int64) (a, b int32) {
	a = int32(s)
	return a, int32((s - int64(a)) >> 32)
}

func poolWords(dst []uint8, top, bottom []int32, n int, mult []float32) {
	c := len(mult)
	for p := range n {
		a, b := top[2*p*c:][:c], top[(2*p+1)*c:][:c]
		d, e := bottom[2*p*c:][:c], bottom[(2*p+1)*c:][:c]
		out := dst[p*c:][:c]
		for i, m := range mult {
			out[i] = requantizeWord(max(a[i], b[i], d[i], e[i]), m)
		}
	}
}

func requantizeRows(dst []uint8, sums []int32, mult []float32) {
	for n := len(mult); len(sums) > 0; dst, sums = dst[n:], sums[n:] {
		requantizeWords(dst, sums, mult)
	}
}

func requantizeWords(dst []uint8, sums []int32, mult []float32) {
	dst, sums = dst[:len(mult)], sums[:len(mult)]
	for c, m := range mult {
		dst[c] = requantizeWord(sums[c], m)
	}
}

// requantizeWord equals RequantizeGeneric, but has no call and no branch that depends on the sign,
// which cannot be predicted.
func requantizeWord(sum int32, mult float32) uint8 {
	s := sum &^ (sum >> 31)         // negative sums to 0
	v := float32(float32(s) * mult) // the conversion prevents fusing with the addition below
	if v >= 255 {
		return 255
	}
	// At 2^23 the last bit of a float32 has the value 1. So adding 2^23 rounds to nearest even and
	// leaves the integer in the low bits.
	return uint8(math.Float32bits(v + 1<<23))
}
