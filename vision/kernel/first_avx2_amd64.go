package kernel

// firstSlackAVX2 is the slack of pairsAVX2, which computes eight outputs at a time and reads 36
// pixels of a row for them.
const firstSlackAVX2 = 31

// firstChunk is the number of outputs that first computes together. Their pairs must fit on the
// stack.
const firstChunk = 64

// firstPairs holds the transformed pixels of a row of outputs: the slots of shared_avx2_amd64.go,
// in pairs for VPMADDWD. There are 25 slots, so the second value of the last pair is 0.
type firstPairs [13][firstChunk + 8][2]int16

// firstRecord8 holds the parameters of eight channels of a first layer, with the weights in the
// order of the pairs.
type firstRecord8 struct {
	w    [13][8][2]int16
	bias [8]int32
	mult [8]float32
}

type firstAVX2Layer struct {
	records  []firstRecord8
	channels int
}

//go:noescape
func pairsAVX2(dst *firstPairs, x *uint8, row, n int)

//go:noescape
func firstAVX2(dst *uint8, channels int, pairs *firstPairs, n int, record *firstRecord8)

func packFirstAVX2(w []int8, bias []int32, mult []float32) firster {
	p := &firstAVX2Layer{records: make([]firstRecord8, len(bias)/8), channels: len(bias)}
	for c := range bias {
		r, e := &p.records[c/8], c%8
		for i, v := range slotWeights(w[9*c:9*c+9], 1, 0) {
			r.w[i/2][e][i%2] = v
		}
		r.bias[e], r.mult[e] = bias[c], mult[c]
	}
	return p
}

func (p *firstAVX2Layer) first(dst, x []uint8, row, n int) {
	var pairs firstPairs
	_, _ = dst[n*p.channels-1], x[4*row+4*n+firstSlackAVX2]
	for at := 0; at < n; at += firstChunk {
		m := min(firstChunk, n-at)
		pairsAVX2(&pairs, &x[4*at], row, m)
		for i := range p.records {
			firstAVX2(&dst[at*p.channels+8*i], p.channels, &pairs, m, &p.records[i])
		}
	}
}
