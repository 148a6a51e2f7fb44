package nn

import "tirewatch/trainer/nn/f32"

// sparse is the gradient of a row of windows, few of which have one: after a pool, at most one
// position in four. It lists the same values twice: by window for the gradient of the input, and by
// channel for that of the weights. Each is then a sum that stays in registers (f32.Gather).
type sparse struct {
	windows  []f32.Sum  // gradient of the input; terms are channels
	channels []f32.Sum  // gradient of the weights; terms are windows
	byWindow []f32.Term // (windows, channels): space for all channels of each window
	byChan   []f32.Term // (channels, windows)
	v        f32.Windows
}

// newSparse allocates rows of n windows and f channels.
func newSparse(n, f int, v f32.Windows) sparse {
	s := sparse{
		windows: make([]f32.Sum, n), channels: make([]f32.Sum, f),
		byWindow: make([]f32.Term, n*f), byChan: make([]f32.Term, n*f), v: v,
	}
	for i := range s.windows {
		s.windows[i].First = int32(i * f)
	}
	for c := range s.channels {
		s.channels[c] = f32.Sum{At: f32.At(c * v.K()), First: int32(c * n)}
	}
	return s
}

// clear empties the lists for the next row.
func (s *sparse) clear() {
	for i := range s.windows {
		s.windows[i].Count = 0
	}
	for i := range s.channels {
		s.channels[i].Count = 0
	}
}

// place sets where window i of the row starts in the input.
func (s *sparse) place(i, at int) { s.windows[i].At = f32.At(at) }

// add appends the gradient g of channel c at window i.
func (s *sparse) add(i, c int, g float32) {
	w, ch := &s.windows[i], &s.channels[c]
	s.byWindow[w.First+w.Count] = f32.Term{G: g, At: ch.At}
	s.byChan[ch.First+ch.Count] = f32.Term{G: g, At: w.At}
	w.Count++
	ch.Count++
}

// backward adds the contribution of the row: to dw, and to dx unless it is nil.
func (s *sparse) backward(x, dx, w, dw []float32) {
	f32.Gather(dw, s.v.RunLen, x, s.v.RunStride, s.channels, s.byChan, s.v.Runs, s.v.RunLen)
	if dx != nil {
		f32.Gather(dx, s.v.RunStride, w, s.v.RunLen, s.windows, s.byWindow, s.v.Runs, s.v.RunLen)
	}
}
