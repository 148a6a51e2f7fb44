//go:build amd64 || arm64

package preprocess

// plan is the weights of the horizontal pass as its assembly bodies read them, in blocks of
// outputs.
//
// Near bodies serve moderate scales: the pixels that neighbouring outputs read at one step lie in
// one window of as many bytes as a register holds, and a shuffle picks them. At the next step the
// window moves on by two pixels, so that one shuffle serves all steps. The far body serves all
// other scales: every output reads pixels of its own at a step.
type plan struct {
	near  bool
	steps int
	base  []int32  // where the windows, or the outputs of the far body, begin in the source row
	table []uint16 // blocks
}

// fits says whether the two pixels that share outputs in a row read at one step lie in a window.
func (t *taps) fits(window, share int) bool {
	for x := 0; x < len(t.first); x += share {
		last := min(x+share, len(t.first)) - 1
		if int(t.first[last]-t.first[x])+2 > window {
			return false
		}
	}
	return true
}

// farPlan makes a table of (block outputs, depth weights) for each step of depth pixels.
func farPlan(t *taps, block, depth int) plan {
	p := plan{steps: (t.n + depth - 1) / depth}
	for x := 0; x < len(t.first); x += block {
		for i := range block {
			p.base = append(p.base, t.firstOr0(x+i))
		}
		for step := range p.steps {
			for i := range block {
				for k := range depth {
					p.table = append(p.table, t.weight(x+i, depth*step+k))
				}
			}
		}
	}
	return p
}

// The last block is padded with outputs that read the first pixels with weight 0.

func (t *taps) firstOr0(x int) int32 {
	if x < len(t.first) {
		return t.first[x]
	}
	return 0
}

func (t *taps) weight(x, k int) uint16 {
	if x < len(t.first) && k < t.n {
		return uint16(t.w[x*t.pitch+k])
	}
	return 0
}

// place is where output x finds its first pixel in the window of the outputs that share it.
func (t *taps) place(x, share int) uint16 {
	return uint16(max(0, t.firstOr0(x)-t.firstOr0(x&^(share-1))))
}

// prefetch asks the cache for p.
//
//go:noescape
func prefetch(p []byte)
