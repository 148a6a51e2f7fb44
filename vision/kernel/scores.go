package kernel

import (
	"encoding/binary"
	"slices"
)

// ScoreBytes is the size of a score in the rows of Scores: an int32, little-endian.
const ScoreBytes = 4

// Scores is a convolution with one filter whose sums are the result: a score for each position. It
// is not safe for concurrent use; Clone makes another one with the same weights.
type Scores struct{ conv *Conv }

// NewScores packs the weights w (kernel, kernel, In.C) of the only filter, with its bias (1). No
// sum may overflow int32.
func NewScores(b *Body, s ConvShape, w []int8, bias []int32) *Scores {
	return &Scores{NewConv(b, s, w, bias, nil)}
}

// Clone returns another Scores with the same weights, for another goroutine.
func (s *Scores) Clone() *Scores { return &Scores{s.conv.Clone()} }

// Scratch returns the memory of a Scores without its weights, in bytes.
func (s *Scores) Scratch() int { return s.conv.Scratch() }

// Needs returns the rows of x, from y0 up to but not including y1, from which output row oy is
// computed.
func (s *Scores) Needs(oy int) (y0, y1 int) { return s.conv.Needs(oy) }

// Row computes output row oy, dst (OutW) scores of ScoreBytes. x holds rows of the input from row
// top on, at a distance of In.Row.
func (s *Scores) Row(dst, x []uint8, top, oy int) {
	sums, channels := s.conv.ringRow(oy), len(s.conv.best) // all but the first channel are padding
	s.conv.sumRow(sums, x, top, oy)
	for p := range s.conv.shape.Conv.OutW {
		binary.LittleEndian.PutUint32(dst[p*ScoreBytes:], uint32(sums[p*channels]))
	}
}

// Top adds the highest scores of a map. It is not safe for concurrent use.
type Top struct {
	k      int
	scores []int32
}

// NewTop prepares the sum of the k highest of n scores.
func NewTop(k, n int) *Top { return &Top{k, make([]int32, n)} }

// Scratch returns the memory of a Top, in bytes.
func (t *Top) Scratch() int { return 4 * len(t.scores) }

// Sum returns the sum of the k highest scores in x, n scores of ScoreBytes. It may not overflow
// int32. The order of equal scores does not matter, so every order of addition has the same result.
func (t *Top) Sum(x []uint8) int32 {
	for i := range t.scores {
		t.scores[i] = int32(binary.LittleEndian.Uint32(x[i*ScoreBytes:]))
	}
	slices.Sort(t.scores)
	sum := int32(0)
	for _, score := range t.scores[len(t.scores)-t.k:] {
		sum += score
	}
	return sum
}
