package nn

import "tirewatch/trainer/nn/f32"

// sparse is the gradient of a row of windows, of which few got one: behind a pool one position in
// four at most. It lists the same values twice, by window for the gradient of the input and by
// channel for that of the weights, so that either is a sum that stays in registers (f32.Gather).
type sparse struct {
	windows  []f32.Sum  // of the input's gradient, terms are channels
	channels []f32.Sum  // of the weights' gradient, terms are windows
	byWindow []f32.Term // (windows, channels): as many places as a window can need
	byChan   []f32.Term // (channels, windows)
	v        f32.Windows
}

// newSparse makes room for rows of n windows and f channels.
func newSparse(n, f int, v f32.Windows) sparse {
	s := sparse{windows: make([]f32.Sum, n), channels: make([]f32.Sum, f), byWindow: make([]f32.Term, n*f), byChan: make([]f32.Term, n*f), v: v}
	for i := range s.windows {
		s.windows[i].First = int32(i * f)
	}
	for c := range s.channels {
		s.channels[c] = f32.Sum{At: f32.At(c * v.K()), First: int32(c * n)}
	}
	return s
}

// clear empties the lists for another row.
func (s *sparse) clear() {
	for i := range s.windows {
		s.windows[i].Count = 0
	}
	for i := range s.channels {
		s.channels[i].Count = 0
	}
}

// place says where window i of the row starts in the input.
func (s *sparse) place(i, at int) { s.windows[i].At = f32.At(at) }

// add notes the gradient g of channel c at window i.
func (s *sparse) add(i, c int, g float32) {
	w, ch := &s.windows[i], &s.channels[c]
	s.byWindow[w.First+w.Count] = f32.Term{G: g, At: ch.At}
	s.byChan[ch.First+ch.Count] = f32.Term{G: g, At: w.At}
	w.Count++
	ch.Count++
}

// backward adds what the row contributes: to dw, and to dx unless it is nil.
func (s *sparse) backward(x, dx, w, dw []float32) {
	f32.Gather(dw, s.v.RunLen, x, s.v.RunStride, s.channels, s.byChan, s.v.Runs, s.v.RunLen)
	if dx != nil {
		f32.Gather(dx, s.v.RunStride, w, s.v.RunLen, s.windows, s.byWindow, s.v.Runs, s.v.RunLen)
	}
}
