package nn

import (
	"math"

	"tirewatch/vision/graph"
)

// reference is the network in float64 as a textbook writes it: every layer over its whole output, one loop a dimension. It shares
// no code with the package, and is itself held by finite differences.
type reference struct {
	steps  []graph.Step
	params [][]float64       // as Net.Params
	keep   map[int][]float64 // dropout scales by step
	acts   [][]float64       // input of each step, and the logit last
	grads  [][]float64
}

func newReference(steps []graph.Step, params []Param) *reference {
	r := &reference{steps: steps, keep: map[int][]float64{}}
	for _, p := range params {
		d := make([]float64, len(p.Data))
		for i, v := range p.Data {
			d[i] = float64(v)
		}
		r.params = append(r.params, d)
	}
	return r
}

// window calls visit for every value of every window: output position, kernel position, input position.
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
	p := 0
	for i, s := range r.steps {
		y := make([]float64, s.Out.Size())
		switch s.Kind {
		case graph.Conv2D:
			w, b := r.params[p], r.params[p+1]
			p += 2
			for k := range y {
				y[k] = b[k%s.Filters]
			}
			window(s, func(oy, ox, ky, kx, iy, ix int) {
				for f := range s.Filters {
					for c := range s.In.C {
						y[at(s.Out, oy, ox, f)] += x[at(s.In, iy, ix, c)] * w[((f*s.Kernel+ky)*s.Kernel+kx)*s.In.C+c]
					}
				}
			})
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
			for k := range y {
				y[k] = math.Inf(-1)
			}
			window(s, func(oy, ox, _, _, iy, ix int) {
				for c := range s.In.C {
					y[at(s.Out, oy, ox, c)] = max(y[at(s.Out, oy, ox, c)], x[at(s.In, iy, ix, c)])
				}
			})
		case graph.Dropout:
			for k, v := range x {
				y[k] = v * r.keep[i][k]
			}
		case graph.Flatten:
			copy(y, x)
		}
		if s.Activation == graph.ReLU {
			for k := range y {
				y[k] = max(y[k], 0)
			}
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

func (r *reference) backward(dy []float64) {
	r.grads = make([][]float64, len(r.params))
	for i, p := range r.params {
		r.grads[i] = make([]float64, len(p))
	}
	p := len(r.params)
	for i := len(r.steps) - 1; i >= 0; i-- {
		s, x, y := r.steps[i], r.acts[i], r.acts[i+1]
		if s.Activation == graph.ReLU {
			for k := range dy {
				if y[k] <= 0 {
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
				for f := range s.Filters {
					g := dy[at(s.Out, oy, ox, f)]
					for c := range s.In.C {
						k := ((f*s.Kernel+ky)*s.Kernel+kx)*s.In.C + c
						dw[k] += g * x[at(s.In, iy, ix, c)]
						dx[at(s.In, iy, ix, c)] += g * w[k]
					}
				}
			})
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
			given := make([]bool, len(y)) // the first largest value takes the gradient
			window(s, func(oy, ox, _, _, iy, ix int) {
				for c := range s.In.C {
					o, k := at(s.Out, oy, ox, c), at(s.In, iy, ix, c)
					if !given[o] && x[k] == y[o] {
						given[o] = true
						dx[k] += dy[o]
					}
				}
			})
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
