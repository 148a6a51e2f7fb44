// Package optim changes parameters along their gradients. It is the last step of each training
// batch. Start with [NewAdam] and [Adam.Step].
package optim

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/tensor"
)

// Adam is the optimizer of Kingma and Ba (2015), algorithm 1, in the form of section 2 that Keras
// implements: the bias corrections are part of the learning rate, and epsilon is added to the
// uncorrected root.
type Adam struct {
	Rate         float64 // learning rate
	Beta1, Beta2 float64
	Epsilon      float64

	steps  int
	params []*tensor.Dense
	m, v   []*tensor.Dense // first and second moments, one tensor per parameter tensor
	decay  []float64       // of each tensor, a step, relative to the rate; nil: none
}

// NewAdam makes an optimizer for the given parameters with Keras' defaults: rate 0.001, betas 0.9
// and 0.999, epsilon 1e-7.
func NewAdam(params []*tensor.Dense) *Adam {
	a := &Adam{Rate: 0.001, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, params: params}
	for _, p := range params {
		a.m = append(a.m, tensor.New(tensor.WithShape(p.Shape()...), tensor.Of(tensor.Float32)))
		a.v = append(a.v, tensor.New(tensor.WithShape(p.Shape()...), tensor.Of(tensor.Float32)))
	}
	return a
}

// Decay makes every step also shrink the tensors that are marked, by rate times the learning rate.
// This is the decoupled weight decay of Loshchilov and Hutter (2019), algorithm 2, "AdamW". As part
// of the gradient, Adam's division by the root of the second moment would cancel most of it.
func (a *Adam) Decay(rate float64, tensors []bool) {
	a.decay = make([]float64, len(a.params))
	for i, decays := range tensors {
		if decays {
			a.decay[i] = rate
		}
	}
}

// Step moves the parameters against grads * scale, where scale turns a sum over images into a mean.
func (a *Adam) Step(grads []*tensor.Dense, scale float64) {
	a.steps++
	t := float64(a.steps)
	rate := float32(a.Rate * math.Sqrt(1-math.Pow(a.Beta2, t)) / (1 - math.Pow(a.Beta1, t)))
	b1, b2, eps, sc := float32(a.Beta1), float32(a.Beta2), float32(a.Epsilon), float32(scale)
	for i := range a.params {
		p, m, v, g := floats(a.params[i]), floats(a.m[i]), floats(a.v[i]), floats(grads[i])
		if a.decay != nil && a.decay[i] > 0 {
			keep := float32(1 - a.Rate*a.decay[i])
			for k := range p {
				p[k] *= keep
			}
		}
		for k := range p {
			gk := g[k] * sc
			m[k] = b1*m[k] + (1-b1)*gk
			v[k] = b2*v[k] + (1-b2)*gk*gk
			p[k] -= rate * m[k] / (float32(math.Sqrt(float64(v[k]))) + eps)
		}
	}
}

// Steps returns the number of steps taken, those before a Restore included.
func (a *Adam) Steps() int { return a.steps }

func floats(t *tensor.Dense) []float32 { return t.Data().([]float32) }

// State is the part of the optimizer that a checkpoint stores; the constants are not in it.
type State struct {
	Steps int         `msg:"steps"`
	M     [][]float32 `msg:"m"`
	V     [][]float32 `msg:"v"`
}

//go:generate go tool msgp -io=false -tests=false

// ErrState marks a state that belongs to other parameters.
var ErrState = errors.New("optimizer state does not fit the parameters")

// State returns a copy of the step count and the moments.
func (a *Adam) State() State {
	s := State{Steps: a.steps}
	for i := range a.params {
		s.M = append(s.M, append([]float32(nil), floats(a.m[i])...))
		s.V = append(s.V, append([]float32(nil), floats(a.v[i])...))
	}
	return s
}

// Restore continues from a state.
func (a *Adam) Restore(s State) error {
	if len(s.M) != len(a.params) || len(s.V) != len(a.params) || s.Steps < 0 {
		return fmt.Errorf("%w: %d and %d moments for %d tensors", ErrState, len(s.M), len(s.V), len(a.params))
	}
	for i := range a.params {
		if n := len(floats(a.params[i])); len(s.M[i]) != n || len(s.V[i]) != n {
			return fmt.Errorf("%w: tensor %d has %d values, its moments %d and %d",
				ErrState, i, n, len(s.M[i]), len(s.V[i]))
		}
	}
	a.steps = s.Steps
	for i := range a.params {
		copy(floats(a.m[i]), s.M[i])
		copy(floats(a.v[i]), s.V[i])
	}
	return nil
}
