package convert

import (
	"fmt"
	"math"

	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// CorrectBias changes the biases of one trained layer so that the mean of its sums equals that of
// the float network, over the images that the mean inputs are from. Rounded weights and clipped
// inputs shift this mean, and every layer adds to the shift. floatIn is the mean input of the layer
// in the float network, byteIn the mean input in the int8 network in bytes. Both are in the order
// (H, W, C) of the shape in, which is at least as large as the layer's live input. largest is the
// range of the layer; it is not used for the last one.
//
// The sums are linear in the inputs, so their means follow from the mean inputs. Source: Nagel et
// al. 2019, "Data-free quantization through weight equalization and bias correction", section 4.2
// and appendix D. The error wraps ErrParams.
func CorrectBias(
	m *infer.Model, layer int, params []nn.Param, in graph.Shape, floatIn, byteIn []float64, largest float64,
) error {
	s, err := trainedStep(&m.Graph, layer)
	if err != nil {
		return err
	}
	if len(floatIn) != in.Size() || len(byteIn) != in.Size() || s.Kind == graph.Dense && in.Size() != s.In.C ||
		s.HasWindow() && (in.C != s.In.C || in.H < s.LiveIn.H || in.W < s.LiveIn.W) {
		return fmt.Errorf("%w: layer %s: mean inputs of shape %v, want %v", ErrParams, s.Name, in, s.LiveIn)
	}
	w, b := params[2*layer], params[2*layer+1]
	if err := checkParams(s, w, b); err != nil {
		return fmt.Errorf("%w: layer %s: %w", ErrParams, s.Name, err)
	}
	floatAll, byteAll := taps(s, in, floatIn), taps(s, in, byteIn)
	l := &m.Layers[layer]
	for c := range l.Bias {
		floatTaps, byteTaps := channelTaps(s, floatAll, c), channelTaps(s, byteAll, c)
		// unit is the float value of a sum: input scale * weight scale
		unit := m.LogitScale * float64(max(1, m.Graph.Layers[len(m.Graph.Layers)-1].Top))
		if l.Mult != nil {
			unit = float64(l.Mult[c]) * largest / 255
		}
		floatMean, byteMean := float64(b.Data[c]), float64(l.Bias[c])
		reach := int64(0)
		for k := range floatTaps {
			q := int8(l.W[c*len(byteTaps)+k])
			floatMean += float64(w.Data[c*len(floatTaps)+k]) * floatTaps[k]
			byteMean += float64(q) * byteTaps[k]
			reach += 255 * max(int64(q), -int64(q))
		}
		bias := float64(l.Bias[c]) + math.RoundToEven(floatMean/unit-byteMean)
		// A corrected bias that does not fit is dropped: such a channel is nearly all bias, and its
		// own bias is exact.
		if math.Abs(bias) <= maxBias && reach+int64(math.Abs(bias)) <= math.MaxInt32 {
			l.Bias[c] = int32(bias)
		}
	}
	return nil
}

// trainedStep returns the step of a trained layer, counted from 0.
func trainedStep(g *graph.Graph, layer int) (graph.Step, error) {
	steps, err := g.Plan()
	if err != nil {
		return graph.Step{}, err
	}
	for _, s := range steps {
		if s.HasWeights() {
			if layer == 0 {
				return s, nil
			}
			layer--
		}
	}
	return graph.Step{}, fmt.Errorf("%w: the network has no trained layer %d", ErrParams, layer)
}

// channelTaps returns the mean input of each weight of filter c. A filter of a depthwise
// convolution reads one channel, every other filter all.
func channelTaps(s graph.Step, taps []float64, c int) []float64 {
	if s.Kind != graph.Depthwise2D {
		return taps
	}
	own := make([]float64, 0, len(taps)/s.In.C)
	for k := c; k < len(taps); k += s.In.C {
		own = append(own, taps[k])
	}
	return own
}

// taps returns the mean input of each place of a window over all live positions: (kh, kw, inC) for
// a convolution, the mean input itself for a dense layer. The zeros of the padding count.
func taps(s graph.Step, in graph.Shape, mean []float64) []float64 {
	if s.Kind == graph.Dense {
		return mean
	}
	t := make([]float64, s.Kernel*s.Kernel*in.C)
	for ky := range s.Kernel {
		for kx := range s.Kernel {
			tap := t[(ky*s.Kernel+kx)*in.C:][:in.C]
			for oy := range s.LiveOut.H {
				for ox := range s.LiveOut.W {
					y, x := oy*s.Stride+ky-s.PadTop, ox*s.Stride+kx-s.PadLeft
					if y < 0 || x < 0 || y >= in.H || x >= in.W {
						continue
					}
					for c, v := range mean[(y*in.W+x)*in.C:][:in.C] {
						tap[c] += v
					}
				}
			}
			for c := range tap {
				tap[c] /= float64(s.LiveOut.H * s.LiveOut.W)
			}
		}
	}
	return t
}
