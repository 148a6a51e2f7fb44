package convert

import (
	"fmt"
	"math"

	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// CorrectBias moves the biases of one trained layer so that the mean of its sums, over the images
// and positions that the inputs are means of, is the float network's again: rounding the weights
// and clipping the inputs shift it, and every layer behind adds to the shift. floatIn is the mean
// input of the layer in the float network, byteIn that in the int8 network in units of its bytes,
// both in the order of the shape in: (H, W, C), as large as what the layer reads or larger. largest
// is the range of the layer; the last one has none.
//
// The sums are linear in the inputs, so the mean inputs are all that is needed and no sum has to be
// looked at. Source: Nagel et al. 2019, "Data-free quantization through weight equalization and
// bias correction", section 4.2 and appendix D.
func CorrectBias(m *infer.Model, layer int, params []nn.Param, in graph.Shape, floatIn, byteIn []float64, largest float64) error {
	s, err := trainedStep(&m.Graph, layer)
	if err != nil {
		return err
	}
	if len(floatIn) != in.Size() || len(byteIn) != in.Size() || s.Kind == graph.Dense && in.Size() != s.In.C ||
		s.Kind == graph.Conv2D && (in.C != s.In.C || in.H < s.LiveIn.H || in.W < s.LiveIn.W) {
		return fmt.Errorf("%w: layer %s: means of %v for an input of %v", ErrParams, s.Name, in, s.LiveIn)
	}
	w, b := params[2*layer], params[2*layer+1]
	if err := checkParams(s, w, b); err != nil {
		return fmt.Errorf("%w: layer %s: %w", ErrParams, s.Name, err)
	}
	floatTaps, byteTaps := taps(s, in, floatIn), taps(s, in, byteIn)
	l := &m.Layers[layer]
	for c := range l.Bias {
		unit := m.LogitScale // of a sum, as a float value: input scale * weight scale
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
		// A channel that has no room for another bias keeps its own: it is all bias, and that is
		// exact.
		if math.Abs(bias) <= maxBias && reach+int64(math.Abs(bias)) <= math.MaxInt32 {
			l.Bias[c] = int32(bias)
		}
	}
	return nil
}

// trainedStep finds the step of a trained layer, counted from 0.
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
	return graph.Step{}, fmt.Errorf("%w: no trained layer %d", ErrParams, layer)
}

// taps gives the mean value that each weight of a filter meets, over all live positions: (kh, kw,
// inC) for a convolution, the input itself for a dense layer. Zeros around the image count.
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
