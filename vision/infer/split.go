package infer

// A split divides the rows of one stage's output between goroutines. Each goroutine has its own
// stages up to that one and computes the rows that its range needs. At the border of two ranges
// windows overlap, so a few rows of the earlier stages are computed twice. The later stages run on
// one goroutine.
type split struct {
	stage int   // index of the stage whose output is divided
	at    []int // range w has the rows from at[w] to before at[w+1]
}

// evenly divides n rows into at most parts ranges, whose lengths differ by at most one row.
func evenly(n, parts int) []int {
	parts = min(parts, n)
	at := make([]int, parts+1)
	for w := range at {
		// The goroutine of Run starts first and gets the longer range.
		at[w] = (n*w + parts - 1) / parts
	}
	return at
}

// bestSplit returns the split with the shortest time: the work of its slowest range and of the
// stages after it.
func bestSplit(stages []*stage, threads int) split {
	best := split{stage: len(stages) - 1, at: evenly(stages[len(stages)-1].height, 1)}
	least := work(stages, best)
	for i, s := range stages {
		candidate := split{stage: i, at: evenly(s.height, threads)}
		if w := work(stages, candidate); w < least {
			best, least = candidate, w
		}
	}
	return best
}

// work estimates the time of a split network in multiply-accumulates.
func work(stages []*stage, s split) int {
	slowest := 0
	for w := range len(s.at) - 1 {
		y0, y1 := s.at[w], s.at[w+1]
		sum := 0
		for i := s.stage; i >= 0; i-- {
			sum += (y1 - y0) * stages[i].rowWork()
			if i > 0 {
				first, _ := stages[i].op.Needs(y0)
				_, end := stages[i].op.Needs(y1 - 1)
				y0, y1 = first, end
			}
		}
		slowest = max(slowest, sum)
	}
	rest := 0
	for _, s := range stages[s.stage+1:] {
		rest += s.height * s.rowWork()
	}
	return slowest + rest
}

// rowWork returns the work of a row. A value of a pool counts as much as a multiply-accumulate.
func (s *stage) rowWork() int { return (s.macs + s.pooled) / s.height }
