//go:build amd64 || arm64

package preprocess

// plan holds the weights of the horizontal pass in the order in which the assembly functions read
// them, in blocks of outputs.
//
// The near functions work for moderate scales. The pixels that neighbouring outputs read in one
// step are in one window, as large as a register, and a shuffle selects them. For the next step the
// window moves by two pixels, so that the same shuffle works for all steps. The far function works
// for all other scales: in each step, every output reads its own pixels.
type plan struct {
	near  bool
	steps int
	base  []int32  // first pixel in the source row of each window, or of each output of the far function
	table []uint16 // blocks
}

// fits reports whether the pixels that share consecutive outputs read in one step, two for each,
// are within a window.
func (t *taps) fits(window, share int) bool {
	for x := 0; x < len(t.first); x += share {
		last := min(x+share, len(t.first)) - 1
		if int(t.first[last]-t.first[x])+2 > window {
			return false
		}
	}
	return true
}

// farPlan makes a plan for the far function. For each step of depth pixels, its table has (block
// outputs, depth weights).
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

// firstOr0 and weight pad the last block with outputs that read the first pixels with weight 0.

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

// place returns the position of output x's first pixel in the window that share outputs use.
func (t *taps) place(x, share int) uint16 {
	return uint16(max(0, t.firstOr0(x)-t.firstOr0(x&^(share-1))))
}

// prefetch loads p into the cache.
//
//go:noescape
func prefetch(p []byte)
