package nn

import (
	"math"
	"slices"

	"tirewatch/vision/graph"
)

// reference is the network in float64, as in a textbook: every layer computes its whole output,
// with one loop per dimension. It shares no code with the package, and finite differences check it.
type reference struct {
	steps  []graph.Step
	params [][]float64       // as Net.Params
	keep   map[int][]float64 // dropout scales by step
	acts   [][]float64       // input of each step, and last the logit
	grads  [][]float64

	// Decisions of the last run: which window value won a pool (-1 for none yet), and which values
	// passed ReLU. When they are held, the next runs decide the same, and the loss is a smooth
	// function of the parameters.
	winners map[int][]int  // by step; indices into its input
	passed  map[int][]bool // by step
	capped  map[int][]bool // by step; at the limit of ReLU6
	held    bool
}

func newReference(steps []graph.Step, params []Param) *reference {
	r := &reference{steps: steps, keep: map[int][]float64{}, winners: map[int][]int{}, passed: map[int][]bool{},
		capped: map[int][]bool{}}
	for _, p := range params {
		d := make([]float64, len(p.Data))
		for i, v := range p.Data {
			d[i] = float64(v)
		}
		r.params = append(r.params, d)
	}
	return r
}

// window calls visit for every value of every window with output position, kernel position and
// input position.
func window(s graph.Step, visit func(oy, ox, ky, kx, iy, ix int)) {
	for oy := range s.Out.H {
		for ox := range s.Out.W {
			for ky := range s.Kernel {
				for kx := range s.Kernel {
					iy, ix := oy*s.Stride+ky-s.PadTop, ox*s.Stride+kx-s.PadLeft
					if iy >= 0 && iy < s.In.H && ix >= 0 && ix < s.In.W {
						visit(oy, ox, ky, kx, iy, ix)
					}
				}
			}
		}
	}
}

func at(s graph.Shape, y, x, c int) int { return (y*s.W+x)*s.C + c }

// loss runs forward and, when slope is set, backward.
func (r *reference) loss(x []float64, label float64, slope bool) float64 {
	r.acts = [][]float64{x}
	return r.lossFrom(0, 0, label, slope)
}

// lossFrom computes the loss from a step on; its input is that of the last run. p counts the
// tensors of the earlier steps.
func (r *reference) lossFrom(step, p int, label float64, slope bool) float64 {
	r.acts = r.acts[:step+1]
	x := r.acts[step]
	for i, s := range r.steps[step:] {
		i += step
		y := make([]float64, s.Out.Size())
		switch s.Kind {
		case graph.Conv2D:
			w, b := r.params[p], r.params[p+1]
			p += 2
			for k := range y {
				y[k] = b[k%s.Filters]
			}
			window(s, func(oy, ox, ky, kx, iy, ix int) {
				in, out := x[at(s.In, iy, ix, 0):][:s.In.C], y[at(s.Out, oy, ox, 0):][:s.Filters]
				for f := range out {
					row := w[((f*s.Kernel+ky)*s.Kernel+kx)*s.In.C:][:s.In.C]
					for c, v := range in {
						out[f] += v * row[c]
					}
				}
			})
		case graph.Depthwise2D:
			w, b := r.params[p], r.params[p+1]
			p += 2
			for k := range y {
				y[k] = b[k%s.Filters]
			}
			window(s, func(oy, ox, ky, kx, iy, ix int) {
				for c := range s.Filters {
					y[at(s.Out, oy, ox, c)] += x[at(s.In, iy, ix, c)] * w[(c*s.Kernel+ky)*s.Kernel+kx]
				}
			})
		case graph.MeanPool:
			forMean(s, func(o, k int, share float64) { y[o] += x[k] * share })
		case graph.TopMean:
			r.chooseTop(i, x)
			for _, winner := range r.winners[i] {
				y[0] += x[winner] / float64(s.Top)
			}
		case graph.Dense:
			w, b := r.params[p], r.params[p+1]
			p += 2
			for f := range y {
				y[f] = b[f]
				for c, v := range x {
					y[f] += v * w[f*len(x)+c]
				}
			}
		case graph.MaxPool2D:
			r.choose(i, x)
			for k, winner := range r.winners[i] {
				y[k] = x[winner]
			}
		case graph.Dropout:
			for k, v := range x {
				y[k] = v * r.keep[i][k]
			}
		case graph.Flatten:
			copy(y, x)
		}
		if s.Activation == graph.ReLU || s.Activation == graph.ReLU6 {
			r.stop(i, y, s.Activation == graph.ReLU6)
		}
		x = y
		r.acts = append(r.acts, y)
	}
	prob := 1 / (1 + math.Exp(-x[0]))
	if slope {
		r.backward([]float64{prob - label})
	}
	return -label*math.Log(prob) - (1-label)*math.Log(1-prob)
}

// choose finds the winners of a pool: the first largest value of each window.
func (r *reference) choose(step int, x []float64) {
	if r.held {
		return
	}
	s := r.steps[step]
	winners := make([]int, s.Out.Size())
	for k := range winners {
		winners[k] = -1
	}
	window(s, func(oy, ox, _, _, iy, ix int) {
		for c := range s.In.C {
			o, k := at(s.Out, oy, ox, c), at(s.In, iy, ix, c)
			if winners[o] < 0 || x[k] > x[winners[o]] {
				winners[o] = k
			}
		}
	})
	r.winners[step] = winners
}

// forMean calls visit for every output of a mean, every value of its window, and the value's share.
func forMean(s graph.Step, visit func(o, k int, share float64)) {
	if s.Kernel > 0 {
		window(s, func(oy, ox, _, _, iy, ix int) {
			for c := range s.In.C {
				visit(at(s.Out, oy, ox, c), at(s.In, iy, ix, c), 1/float64(s.Kernel*s.Kernel))
			}
		})
		return
	}
	for k := range s.In.Size() {
		visit(k%s.In.C, k, 1/float64(s.In.H*s.In.W))
	}
}

// chooseTop finds the highest scores, one after the other.
func (r *reference) chooseTop(step int, x []float64) {
	if r.held {
		return
	}
	var winners []int
	for range r.steps[step].Top {
		best := -1
		for k, v := range x {
			if !slices.Contains(winners, k) && (best < 0 || v > x[best]) {
				best = k
			}
		}
		winners = append(winners, best)
	}
	r.winners[step] = winners
}

// stop is ReLU, or ReLU6.
func (r *reference) stop(step int, y []float64, six bool) {
	if !r.held {
		r.passed[step], r.capped[step] = make([]bool, len(y)), make([]bool, len(y))
		for k, v := range y {
			r.capped[step][k] = six && v >= 6
			r.passed[step][k] = v > 0 && !r.capped[step][k]
		}
	}
	for k, passed := range r.passed[step] {
		switch {
		case r.capped[step][k]:
			y[k] = 6
		case !passed:
			y[k] = 0
		}
	}
}

func (r *reference) backward(dy []float64) {
	r.grads = make([][]float64, len(r.params))
	for i, p := range r.params {
		r.grads[i] = make([]float64, len(p))
	}
	p := len(r.params)
	for i := len(r.steps) - 1; i >= 0; i-- {
		s, x := r.steps[i], r.acts[i]
		if s.Activation == graph.ReLU || s.Activation == graph.ReLU6 {
			for k, passed := range r.passed[i] {
				if !passed {
					dy[k] = 0
				}
			}
		}
		dx := make([]float64, len(x))
		switch s.Kind {
		case graph.Conv2D:
			p -= 2
			w, dw, db := r.params[p], r.grads[p], r.grads[p+1]
			for k, g := range dy {
				db[k%s.Filters] += g
			}
			window(s, func(oy, ox, ky, kx, iy, ix int) {
				in, din := x[at(s.In, iy, ix, 0):][:s.In.C], dx[at(s.In, iy, ix, 0):][:s.In.C]
				for f, g := range dy[at(s.Out, oy, ox, 0):][:s.Filters] {
					k := ((f*s.Kernel+ky)*s.Kernel + kx) * s.In.C
					row, drow := w[k:][:s.In.C], dw[k:][:s.In.C]
					for c, v := range in {
						drow[c] += g * v
						din[c] += g * row[c]
					}
				}
			})
		case graph.Depthwise2D:
			p -= 2
			w, dw, db := r.params[p], r.grads[p], r.grads[p+1]
			for k, g := range dy {
				db[k%s.Filters] += g
			}
			window(s, func(oy, ox, ky, kx, iy, ix int) {
				for c := range s.Filters {
					g, tap, k := dy[at(s.Out, oy, ox, c)], (c*s.Kernel+ky)*s.Kernel+kx, at(s.In, iy, ix, c)
					dw[tap] += g * x[k]
					dx[k] += g * w[tap]
				}
			})
		case graph.MeanPool:
			forMean(s, func(o, k int, share float64) { dx[k] += dy[o] * share })
		case graph.TopMean:
			for _, winner := range r.winners[i] {
				dx[winner] += dy[0] / float64(s.Top)
			}
		case graph.Dense:
			p -= 2
			w, dw, db := r.params[p], r.grads[p], r.grads[p+1]
			for f, g := range dy {
				db[f] += g
				for c, v := range x {
					dw[f*len(x)+c] += g * v
					dx[c] += g * w[f*len(x)+c]
				}
			}
		case graph.MaxPool2D:
			for o, winner := range r.winners[i] {
				dx[winner] += dy[o]
			}
		case graph.Dropout:
			for k, g := range dy {
				dx[k] = g * r.keep[i][k]
			}
		case graph.Flatten:
			copy(dx, dy)
		}
		dy = dx
	}
}
