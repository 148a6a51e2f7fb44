package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrLayer marks a layer name that cannot be frozen.
var ErrLayer = errors.New("no such layer with weights")

// Freeze keeps the parameters of the named layers as they are: Worker.Step computes no gradient
// that only they need, and Net.ClearFrozen drops the rest. Call it before NewWorker. The error
// wraps ErrLayer for an unknown name and names those that exist; when nothing would be left to
// train it says so.
func (n *Net) Freeze(names []string) error {
	var known []string
	for _, l := range n.trained {
		known = append(known, l.Name)
	}
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			return fmt.Errorf("freeze %q: %w; there are %v", name, ErrLayer, known)
		}
		n.trained[i].frozen = true
	}
	if !slices.ContainsFunc(n.trained, func(l trainedLayer) bool { return !l.frozen }) {
		return fmt.Errorf("freeze %v: nothing is left to train", names)
	}
	return nil
}

// ClearFrozen sets the gradients of frozen layers to zero. Adam, whose moments then stay zero,
// leaves such parameters to the bit.
func (n *Net) ClearFrozen(g Gradients) {
	for i, l := range n.trained {
		if l.frozen {
			clear(g.data[2*i])
			clear(g.data[2*i+1])
		}
	}
}

// trains tells whether a layer has parameters that are not frozen.
func trains(l layer) bool {
	switch l := l.(type) {
	case *conv:
		return !l.frozen
	case *convPool:
		return !l.frozen
	case *dense:
		return !l.frozen
	}
	return false
}

// Finite tells whether every parameter is a number. A broken first layer can hide from the loss:
// ReLU turns what is no number into zero.
func (n *Net) Finite() bool {
	for i := range n.trained {
		for _, values := range [][]float32{n.trained[i].weights, n.trained[i].bias} {
			for _, v := range values {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					return false
				}
			}
		}
	}
	return true
}
