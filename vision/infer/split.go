package infer

// A split shares the rows of one stage's output between goroutines. Each has stages of its own up
// to that one and computes the rows that its range needs; where ranges meet, windows overlap and a
// few rows of the earlier stages are computed twice. The stages behind run on one goroutine.
type split struct {
	stage int   // whose output is shared
	at    []int // range w is rows at[w] up to at[w+1]
}

// evenly cuts n rows into at most parts ranges that differ by one row at most.
func evenly(n, parts int) []int {
	parts = min(parts, n)
	at := make([]int, parts+1)
	for w := range at {
		// the goroutine of Run begins first and takes the longer range
		at[w] = (n*w + parts - 1) / parts
	}
	return at
}

// bestSplit finds the stage whose split takes the shortest time, by the work of its slowest range
// and of what follows.
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

// rowWork is the work of a row. A maximum counts as much as a multiply-accumulate.
func (s *stage) rowWork() int { return (s.macs + s.pooled) / s.height }
