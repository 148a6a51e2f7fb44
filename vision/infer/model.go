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
// This is one IEEE multiplication, so all CPUs agree to the last bit. ReLU6 is the same clamp: its
// layers have the scale 6/255, so 255 is 6. A max pool after a layer takes the maximum of the sums,
// before requantising. The scales are positive, so the order is the same, and only a quarter of the
// sums must be requantised. A mean of n activations is their int32 sum, requantised with Mult
// 1/float32(n). The output of the last layer with weights is its int32 sum, or, before a TopMean,
// the int32 sum of the highest scores; the logit is float64(sum) * LogitScale.
package infer

import (
	"errors"
	"fmt"
	"math"

	"tirewatch/vision/graph"
	"tirewatch/vision/kernel"
)

//go:generate go tool msgp -io=false -tests=false

// Layer holds the integers of one trained layer.
type Layer struct {
	Name string  `msg:"name"`
	W    []byte  `msg:"w"`    // int8 as its bytes, in the layout of graph.Step.WeightShape
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

// Validate checks everything that a Runner relies on: the order of the layers, sizes, the range of
// the weights, and that no sum can overflow int32.
func (m *Model) Validate() error {
	steps, err := m.Graph.Plan()
	if err != nil {
		return err
	}
	if err := checkOrder(steps); err != nil {
		return fmt.Errorf("%w: %v", ErrModel, err)
	}
	out, i := output(steps), 0
	for k, s := range steps {
		if !s.HasWeights() {
			continue
		}
		if i == len(m.Layers) {
			return fmt.Errorf("%w: no weights for layer %s", ErrModel, s.Name)
		}
		if err := m.Layers[i].check(s, k == out, scores(steps[k:])); err != nil {
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

// output returns the index of the last layer with weights, whose sums are the result. A planned
// network has one.
func output(steps []graph.Step) int {
	for i := len(steps) - 1; ; i-- {
		if steps[i].HasWeights() {
			return i
		}
	}
}

// scores returns how many sums of the first step are added to the result: the highest ones before a
// TopMean, otherwise one.
func scores(steps []graph.Step) int {
	if len(steps) > 1 && steps[1].Kind == graph.TopMean {
		return steps[1].Top
	}
	return 1
}

// checkOrder refuses networks that Plan allows but integers cannot compute.
func checkOrder(steps []graph.Step) error {
	out, rows, flat := output(steps), false, false
	for i, s := range steps {
		if s.HasWeights() && i != out && s.Activation != graph.ReLU && s.Activation != graph.ReLU6 {
			return fmt.Errorf("layer %s has the activation %s, want relu or relu6 in all layers but the last",
				s.Name, s.Activation)
		}
		if n := s.In.H * s.In.W; s.Kind == graph.MeanPool && s.Kernel == 0 && n > kernel.MaxMean {
			return fmt.Errorf("layer %s: the mean of %d values is too large, the limit is %d", s.Name, n, kernel.MaxMean)
		}
		if s.HasWindow() || s.Kind == graph.MeanPool {
			if flat {
				return fmt.Errorf("layer %s reads rows of values that were flattened", s.Name)
			}
			rows = true
		}
		// A chain computes rows; it never has all of them to flatten, nor the output of a dense
		// layer.
		flat = flat || s.Kind == graph.Dense || s.Kind == graph.Flatten && rows && s.In.H > 1
	}
	return nil
}

// check checks the integers of one layer. The sums of the last one are not requantised, and the
// given number of them is added.
func (l *Layer) check(s graph.Step, last bool, added int) error {
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
		if reach > math.MaxInt32/int64(added) {
			return fmt.Errorf("channel %d: %d sums can reach %d each and overflow int32", c, added, reach)
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

// Logit returns the network's output before the sigmoid for the sum that a Runner returned.
func (m *Model) Logit(sum int32) float64 { return float64(sum) * m.LogitScale }
