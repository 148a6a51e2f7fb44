package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrLayer marks the name of a layer that does not exist or has no weights.
var ErrLayer = errors.New("no layer with weights has this name")

// Freeze keeps the parameters of the named layers unchanged. Worker.Step does not compute gradients
// that only they need, and Net.ClearFrozen clears the rest. Call it before NewWorker. For an
// unknown name the error wraps ErrLayer and lists the known ones. It is also an error when no layer
// is left to train.
func (n *Net) Freeze(names []string) error {
	var known []string
	for _, l := range n.trained {
		known = append(known, l.Name)
	}
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			return fmt.Errorf("freeze %q: %w, want one of %v", name, ErrLayer, known)
		}
		n.trained[i].frozen = true
	}
	if !slices.ContainsFunc(n.trained, func(l trainedLayer) bool { return !l.frozen }) {
		return fmt.Errorf("freeze %v: no layer is left to train", names)
	}
	return nil
}

// ClearFrozen sets the gradients of frozen layers to zero. Adam's moments for them then stay zero,
// and the parameters do not change at all.
func (n *Net) ClearFrozen(g Gradients) {
	for i, l := range n.trained {
		if l.frozen {
			clear(g.data[2*i])
			clear(g.data[2*i+1])
		}
	}
}

// Decaying reports which of Tensors weight decay should shrink: weights that are not frozen. Biases
// do not make a network more complex.
func (n *Net) Decaying() []bool {
	decaying := make([]bool, 0, 2*len(n.trained))
	for i := range n.trained {
		decaying = append(decaying, !n.trained[i].frozen, false)
	}
	return decaying
}

// trains reports whether a layer has parameters that are not frozen.
func trains(l layer) bool {
	switch l := l.(type) {
	case *conv:
		return !l.frozen
	case *convPool:
		return !l.frozen
	case *depthwise:
		return !l.frozen
	case *pointwise:
		return !l.frozen
	case *dense:
		return !l.frozen
	}
	return false
}

// Finite reports whether no parameter is NaN or infinite. The loss may not show a broken first
// layer, because ReLU turns NaN into zero.
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
