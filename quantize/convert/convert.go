// Package convert turns the float network's parameters into the integers of infer.Model.
//
//	checkpoint -> calibrate -> CONVERT -> bundle
//
// Start with [Convert]. Package infer defines the integer arithmetic of the result. Convert
// computes its numbers as follows, for a layer with input scale si and output scale so, and for
// each of its output channels c:
//
//	si      1/255 for the image, otherwise the so of the layer before
//	so      range / 255: the range becomes 255; package calibrate finds it, for ReLU6 it is 6
//	sw[c]   max |w[c]| / 127
//	W[c]    round(w[c] / sw[c])                 -127..127, ties to even
//	Bias[c] round(b[c] / (si * sw[c]))          int32
//	Mult[c] float32(si * sw[c] / so)
//
// A mean keeps the scale of its input. The scale of the logit is si * sw of the last layer, divided
// by the number of scores that are added before a TopMean.
//
// A channel with very small weights and a large bias gets a larger sw, so that the bias fits into
// an int32. A channel of K weights loses less than K / 2^23 of its bias by that. This covers
// channels without weights too: they keep only their bias. The scheme is symmetric with per-channel
// scales, from Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient
// inference".
package convert

import (
	"errors"
	"fmt"
	"math"

	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// ErrParams marks float parameters or ranges that cannot be converted.
var ErrParams = errors.New("cannot quantize")

// OverflowError means that the sums of a channel could exceed the range of int32.
type OverflowError struct {
	Layer   string
	Channel int
	Reach   int64 // largest possible absolute sum
}

func (e *OverflowError) Error() string {
	return fmt.Sprintf("layer %s, channel %d: integer sums may reach %d and overflow", e.Layer, e.Channel, e.Reach)
}

// maxBias leaves half of the range of int32 for the products of a channel: enough for 33,000
// weights of the largest size, and for more in practice.
const maxBias = 1 << 30

// Convert quantizes the parameters of the network, which are weights and biases for each trained
// layer, in this order. ranges holds the activation that becomes 255 for each trained layer except
// the last; those with a FixedRange have that one. The error wraps ErrParams, or is from graph.Plan
// or infer.Model.Validate. A channel that could overflow is an *OverflowError.
func Convert(g *graph.Graph, params []nn.Param, ranges []float32) (*infer.Model, error) {
	steps, err := g.Plan()
	if err != nil {
		return nil, err
	}
	var trained []graph.Step
	for _, s := range steps {
		if s.HasWeights() {
			trained = append(trained, s)
		}
	}
	if len(params) != 2*len(trained) || len(ranges) != len(trained)-1 {
		return nil, fmt.Errorf("%w: %d tensors and %d ranges, the network has %d trained layers",
			ErrParams, len(params), len(ranges), len(trained))
	}
	m := &infer.Model{Graph: *g}
	in, added := 1.0/255, max(1, steps[len(steps)-1].Top)
	for i, s := range trained {
		w, b := params[2*i], params[2*i+1]
		if err := checkParams(s, w, b); err != nil {
			return nil, fmt.Errorf("%w: layer %s: %w", ErrParams, s.Name, err)
		}
		l, scales, err := layer(s, w.Data, b.Data, in)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrParams, err)
		}
		if i == len(trained)-1 {
			m.LogitScale = in * scales[0] / float64(added)
		} else {
			if err := checkRange(s, ranges[i]); err != nil {
				return nil, fmt.Errorf("%w: layer %s: %w", ErrParams, s.Name, err)
			}
			out := float64(ranges[i]) / 255
			for _, sw := range scales {
				l.Mult = append(l.Mult, multiplier(in*sw/out))
			}
			in = out
		}
		m.Layers = append(m.Layers, l)
	}
	return m, m.Validate()
}

// FixedRange returns the range of a layer whose activation has a limit of its own: byte 255 is then
// exactly that limit.
func FixedRange(l graph.Layer) (limit float32, ok bool) {
	return graph.MaxReLU6, l.Activation == graph.ReLU6
}

func checkRange(s graph.Step, r float32) error {
	if !(r > 0) || math.IsInf(float64(r), 0) {
		return fmt.Errorf("invalid range %g", r)
	}
	if limit, ok := FixedRange(s.Layer); ok && r != limit {
		return fmt.Errorf("range %g of a layer with %s, want %g", r, s.Activation, limit)
	}
	return nil
}

func checkParams(s graph.Step, w, b nn.Param) error {
	if w.Name != s.Name+"/w" || b.Name != s.Name+"/b" || len(w.Data) != s.Weights() || len(b.Data) != s.Filters {
		return fmt.Errorf("tensors %s of %d and %s of %d, want %d weights and %d biases",
			w.Name, len(w.Data), b.Name, len(b.Data), s.Weights(), s.Filters)
	}
	for _, p := range []nn.Param{w, b} {
		for i, v := range p.Data {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("%s[%d] is %g", p.Name, i, v)
			}
		}
	}
	return nil
}

// layer quantizes one layer whose input has scale in. It returns the layer and the weight scale of
// each channel.
func layer(s graph.Step, w, b []float32, in float64) (infer.Layer, []float64, error) {
	l := infer.Layer{Name: s.Name, W: make([]byte, len(w)), Bias: make([]int32, len(b))}
	scales := make([]float64, len(b))
	per := len(w) / len(b)
	for c := range b {
		row := w[c*per : (c+1)*per]
		sw := weightScale(row, b[c], in)
		bias := math.RoundToEven(float64(b[c]) / (in * sw))
		reach := int64(math.Abs(bias))
		for i, v := range row {
			q := int64(math.RoundToEven(float64(v) / sw))
			l.W[c*per+i] = byte(int8(q))
			reach += 255 * max(q, -q)
		}
		if reach > math.MaxInt32 {
			return l, nil, &OverflowError{Layer: s.Name, Channel: c, Reach: reach}
		}
		l.Bias[c] = int32(bias)
		scales[c] = sw
	}
	return l, scales, nil
}

// weightScale returns the step between two neighbouring int8 weights of a channel.
func weightScale(w []float32, bias float32, in float64) float64 {
	largest := 0.0
	for _, v := range w {
		largest = max(largest, math.Abs(float64(v)))
	}
	sw := max(largest/127, math.Abs(float64(bias))/(in*maxBias))
	if sw == 0 {
		return 1 // nothing to scale: all sums are 0
	}
	return sw
}

// multiplier rounds to float32, and returns at least the smallest normal float32. With that one
// every sum becomes 0, which is right, and the multiplier itself stays positive.
func multiplier(f float64) float32 { return max(float32(f), 0x1p-126) }

// DeadChannels counts, for each trained layer, the channels whose weights are all 0. Such a channel
// is the same for every image.
func DeadChannels(m *infer.Model) []int {
	dead := make([]int, len(m.Layers))
	for i, l := range m.Layers {
		per := len(l.W) / len(l.Bias)
		for c := range l.Bias {
			alive := false
			for _, w := range l.W[c*per : (c+1)*per] {
				alive = alive || w != 0
			}
			if !alive {
				dead[i]++
			}
		}
	}
	return dead
}
