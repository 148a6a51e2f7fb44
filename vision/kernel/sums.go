package kernel

// Sums is a 1x1 convolution whose sums are the result. It is not safe for concurrent use. Its
// specification is RowsGeneric with windows of one position.
type Sums struct {
	channels int // of the input
	w        rower
	v        Windows
	x        []uint8 // (sumsTile, depth) positions padded to whole groups; nil if they need no padding
	sums     []int32 // (sumsTile, outputs padded to whole blocks)
	scratch  []byte
}

// sumsTile is how many positions are computed together, so that the weights are read from the
// second-level cache once for all of them.
const sumsTile = 16

// NewSums packs the weights w (outputs, channels), with bias (outputs). No sum may overflow int32.
func NewSums(b *Body, w []int8, bias []int32) *Sums {
	channels := len(w) / len(bias)
	depth := padTo(channels, b.group)
	s := &Sums{channels: channels, w: b.packed(w, bias, channels), v: Windows{Step: depth, Runs: 1, RunLen: depth}}
	if depth != channels {
		s.x = make([]uint8, sumsTile*depth)
	}
	s.sums = make([]int32, sumsTile*b.channels(len(bias)))
	s.scratch = b.scratchFor(s.v)
	return s
}

// Each calls see with the sums of each position of x (positions, channels), in order. The sums
// (outputs, then padding) are valid during the call.
func (s *Sums) Each(x []uint8, see func(position int, sums []int32)) {
	n, wide := len(x)/s.channels, len(s.sums)/sumsTile
	for at := 0; at < n; at += sumsTile {
		tile := min(sumsTile, n-at)
		rows := x[at*s.channels : (at+tile)*s.channels]
		if s.x != nil {
			for p := range tile {
				copy(s.x[p*s.v.Step:], rows[p*s.channels:(p+1)*s.channels])
			}
			rows = s.x
		}
		s.w.rows(s.sums, rows, tile, s.v, s.scratch)
		for p := range tile {
			see(at+p, s.sums[p*wide:(p+1)*wide])
		}
	}
}
