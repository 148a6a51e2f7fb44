package kernel

// Matrix is the weights and biases of a layer, packed for Mul.
//
// Two channels ride in one 64-bit word: with p = a + b<<32, the sum of x*p over a layer is A + B<<32, where A and B are
// the two channels' sums. Both fit int32, so the low half is A and what remains above it is B: one multiplication for two
// weights, exactly. Four words stand together, so that a value of x is loaded once for eight channels:
//
//	words[block][i] = { w[8b+0][i] + w[8b+1][i]<<32, w[8b+2][i] + w[8b+3][i]<<32, ..., w[8b+6][i] + w[8b+7][i]<<32 }
//
// Channels that only fill the last block have weights and biases of 0.
type Matrix struct {
	channels int
	depth    int           // weights of one channel
	words    [][lane]int64 // (blocks, depth)
	bias     [][lane]int64 // (blocks)
}

const (
	lane  = 4        // words that stand together
	block = 2 * lane // channels in them
)

// Pack packs w (channels, depth) with one bias a channel. No sum of the layer may leave int32; infer.Model.Validate
// checks it.
func Pack(w []int8, bias []int32) *Matrix {
	m := &Matrix{channels: len(bias), depth: len(w) / len(bias)}
	blocks := m.Padded() / block
	m.words = make([][lane]int64, blocks*m.depth)
	m.bias = make([][lane]int64, blocks)
	for c := range m.channels {
		b, l, shift := c/block, c%block/2, c%2*32
		m.bias[b][l] += int64(bias[c]) << shift
		for i, v := range w[c*m.depth : (c+1)*m.depth] {
			m.words[b*m.depth+i][l] += int64(v) << shift
		}
	}
	return m
}

// Padded is the number of channels rounded up to whole blocks.
func (m *Matrix) Padded() int { return padded(m.channels) }

func padded(channels int) int { return (channels + block - 1) / block * block }

// PackedSize is the memory that the packed weights take, in bytes.
func PackedSize(channels, depth int) int64 { return int64(padded(channels)) / 2 * 8 * int64(depth) }

// Mul multiplies rows of x with the weights and adds the biases: for each of them it writes Padded sums, of which the first
// channels count.
//
//	x   (rows, depth)
//	dst (rows, Padded)
func (m *Matrix) Mul(dst []int32, x []uint8) {
	width := m.Padded()
	for b := range m.bias {
		words := m.words[b*m.depth : (b+1)*m.depth]
		at := b * block
		for r := 0; r+m.depth <= len(x); r += m.depth {
			mulBlock((*[block]int32)(dst[at:at+block]), x[r:r+m.depth], words, &m.bias[b])
			at += width
		}
	}
}

// mulBlock makes the sums of eight channels for one row. x and words have the same length.
func mulBlock(dst *[block]int32, x []uint8, words [][lane]int64, bias *[lane]int64) {
	s0, s1, s2, s3 := bias[0], bias[1], bias[2], bias[3]
	words = words[:len(x)]
	for i := range x {
		v, w := int64(x[i]), &words[i]
		s0 += v * w[0]
		s1 += v * w[1]
		s2 += v * w[2]
		s3 += v * w[3]
	}
	dst[0], dst[1] = split(s0)
	dst[2], dst[3] = split(s1)
	dst[4], dst[5] = split(s2)
	dst[6], dst[7] = split(s3)
}

// split takes A + B<<32 apart. A negative A has borrowed one from the upper half.
func split(s int64) (a, b int32) {
	a = int32(s)
	return a, int32((s - int64(a)) >> 32)
}
