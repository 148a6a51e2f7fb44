package nn

import (
	"cmp"
	"slices"

	"tirewatch/vision/graph"
)

// meanPool is the mean of each window, or of the whole map.
type meanPool struct {
	graph.Step
	h, w  int       // size of the window
	y, dx []float32 // (live H, live W, C) of the output and the input
}

func newMeanPool(s graph.Step) *meanPool {
	m := &meanPool{Step: s, h: s.Kernel, w: s.Kernel, y: make([]float32, s.LiveOut.Size())}
	if s.Kernel == 0 {
		m.h, m.w = s.In.H, s.In.W
	}
	return m
}

// each calls visit with every output and every value of its window: their places in y and x.
func (m *meanPool) each(visit func(y, x int)) {
	for p := range m.LiveOut.H * m.LiveOut.W {
		oy, ox := p/m.LiveOut.W, p%m.LiveOut.W
		for i := range m.h * m.w {
			iy, ix := oy*m.Stride+i/m.w, ox*m.Stride+i%m.w
			visit(p*m.In.C, (iy*m.LiveIn.W+ix)*m.In.C)
		}
	}
}

func (m *meanPool) forward(x []float32) []float32 {
	clear(m.y)
	m.each(func(y, at int) {
		for c, v := range x[at:][:m.In.C] {
			m.y[y+c] += v
		}
	})
	share := 1 / float32(m.h*m.w)
	for i := range m.y {
		m.y[i] *= share
	}
	return m.y
}

func (m *meanPool) backward(dy []float32) []float32 {
	if m.dx == nil {
		m.dx = make([]float32, m.LiveIn.Size())
	}
	clear(m.dx)
	share := 1 / float32(m.h*m.w)
	m.each(func(y, at int) {
		for c, g := range dy[y:][:m.In.C] {
			m.dx[at+c] += g * share
		}
	})
	return m.dx
}

// topMean is the mean of the highest scores. Of equal scores it takes the first, so that a step is
// the same on every machine.
type topMean struct {
	graph.Step
	order []int32 // places of the scores, the highest score first
	y     [1]float32
	dx    []float32
}

func newTopMean(s graph.Step) *topMean {
	return &topMean{Step: s, order: make([]int32, s.In.Size()), dx: make([]float32, s.In.Size())}
}

func (t *topMean) forward(x []float32) []float32 {
	for i := range t.order {
		t.order[i] = int32(i)
	}
	slices.SortFunc(t.order, func(a, b int32) int {
		if c := cmp.Compare(x[b], x[a]); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	t.y[0] = 0
	for _, i := range t.order[:t.Top] {
		t.y[0] += x[i] / float32(t.Top)
	}
	return t.y[:]
}

func (t *topMean) backward(dy []float32) []float32 {
	clear(t.dx)
	for _, i := range t.order[:t.Top] {
		t.dx[i] = dy[0] / float32(t.Top)
	}
	return t.dx
}
