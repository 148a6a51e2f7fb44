// Package infer runs the int8 network on a preprocessed image.
//
//	preprocess -> INFER -> verdict
//
// A Model is the quantized network as data. A Runner runs it on one image at a time and allocates
// nothing. Start with [NewRunner] and [Runner.Run].
//
// # The integer law
//
// These rules define the arithmetic. Activations are uint8 with zero point 0: the first one is the
// pixel itself (scale 1/255), and ReLU makes the others non-negative. Weights are int8 from -127 to
// 127, with one scale per output channel. Sums are int32. The output of a layer is
//
//	clamp(round(float32(sum) * Mult[channel]), 0, 255)    round to nearest, ties to even
//
// This is one IEEE multiplication, so all CPUs agree to the last bit. A max pool after a layer
// takes the maximum of the sums, before requantising. The scales are positive, so the order is the
// same, and only a quarter of the sums must be requantised. The output of the last layer is its
// int32 sum; the logit is float64(sum) * LogitScale.
package infer

import (
	"errors"
	"fmt"
	"math"

	"tirewatch/vision/graph"
)

//go:generate go tool msgp -io=false -tests=false

// Layer holds the integers of one trained layer.
type Layer struct {
	Name string  `msg:"name"`
	W    []byte  `msg:"w"`    // int8 as its bytes; Conv2D (outC, kh, kw, inC), Dense (units, inC)
	Bias []int32 `msg:"bias"` // (outC) in units of input scale * weight scale
	// (outC) input scale * weight scale / output scale; empty for the last layer
	Mult []float32 `msg:"mult"`
}

// Model is a quantized network.
type Model struct {
	Graph      graph.Graph `msg:"graph"`
	Layers     []Layer     `msg:"layers"`      // the trained layers, in the graph's order
	LogitScale float64     `msg:"logit_scale"` // logit = sum of the last layer * LogitScale
}

// ErrModel marks a model whose integers do not fit its graph or break the integer law.
var ErrModel = errors.New("invalid model")

// Validate checks everything that a Runner relies on: sizes, the range of the weights, and that no
// sum can overflow int32.
func (m *Model) Validate() error {
	steps, err := m.Graph.Plan()
	if err != nil {
		return err
	}
	if v := m.Graph.Version(); v != graph.Version1 {
		return fmt.Errorf("%w: networks of version %d cannot be run yet", ErrModel, v)
	}
	i := 0
	for k, s := range steps {
		if !s.HasWeights() {
			continue
		}
		last := k == len(steps)-1
		if !last && s.Activation != graph.ReLU {
			return fmt.Errorf("%w: layer %s has the activation %s, want relu in all layers but the last",
				ErrModel, s.Name, s.Activation)
		}
		if i == len(m.Layers) {
			return fmt.Errorf("%w: no weights for layer %s", ErrModel, s.Name)
		}
		if err := m.Layers[i].check(s, last); err != nil {
			return fmt.Errorf("%w: layer %s: %v", ErrModel, s.Name, err)
		}
		i++
	}
	if i != len(m.Layers) {
		return fmt.Errorf("%w: %d trained layers, the network has %d", ErrModel, len(m.Layers), i)
	}
	if !(m.LogitScale > 0) || math.IsInf(m.LogitScale, 0) {
		return fmt.Errorf("%w: invalid logit scale %g", ErrModel, m.LogitScale)
	}
	return nil
}

func (l *Layer) check(s graph.Step, last bool) error {
	if l.Name != s.Name {
		return fmt.Errorf("its weights have the name %q", l.Name)
	}
	mults := s.Filters
	if last {
		mults = 0
	}
	if len(l.W) != s.Weights() || len(l.Bias) != s.Filters || len(l.Mult) != mults {
		return fmt.Errorf("%d weights, %d biases, %d scales, want %d, %d, %d",
			len(l.W), len(l.Bias), len(l.Mult), s.Weights(), s.Filters, mults)
	}
	for _, f := range l.Mult {
		if !(f > 0) || math.IsInf(float64(f), 0) {
			return fmt.Errorf("invalid scale %g", f)
		}
	}
	per := len(l.W) / s.Filters
	for c := range s.Filters {
		// The largest absolute value of a sum or of a part of it, for any bytes from 0 to 255.
		reach := int64(l.Bias[c])
		if reach < 0 {
			reach = -reach
		}
		for _, b := range l.W[c*per : (c+1)*per] {
			w := int64(int8(b))
			if w == -128 {
				return errors.New("weight -128, want -127 to 127")
			}
			reach += 255 * max(w, -w)
		}
		if reach > math.MaxInt32 {
			return fmt.Errorf("channel %d: sums can reach %d and overflow int32", c, reach)
		}
	}
	return nil
}

// Weights returns the layer's weights as int8, in a new slice.
func (l *Layer) Weights() []int8 {
	w := make([]int8, len(l.W))
	for i, b := range l.W {
		w[i] = int8(b)
	}
	return w
}

// Logit returns the network's output before the sigmoid for a sum of the last layer.
func (m *Model) Logit(sum int32) float64 { return float64(sum) * m.LogitScale }
