package quantize

import (
	"context"
	"fmt"
	"slices"

	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/infer"
)

// Int8 converts a checkpoint as Quantize does, without measuring the result: for experiments, and
// for the layers of a network that stay as they are. Images are the calibration images. A network
// whose layers all have a fixed range, as those with ReLU6, needs none; then its biases are not
// corrected.
func Int8(ctx context.Context, c *checkpoint.Checkpoint, images Images, progress func(step Step, done, of int)) (*infer.Model, error) {
	if ranges, ok := fixedRanges(c); ok && len(images.Pix) == 0 {
		m, err := convert.Convert(&c.Graph, c.Params, ranges)
		if err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		return m, nil
	}
	net, err := c.Net()
	if err != nil {
		return nil, fmt.Errorf("quantize: %w", err)
	}
	job := &Job{Calibration: images, Progress: progress}
	best, _, _, err := job.choose(ctx, c, func() calibrate.Float { return net.NewPredictor() })
	if err != nil {
		return nil, err
	}
	return best.model, nil
}

// fixedRanges returns the ranges of a network in which no layer is calibrated.
func fixedRanges(c *checkpoint.Checkpoint) (ranges []float32, ok bool) {
	for _, l := range measuredLayers(&c.Graph) {
		limit, fixed := convert.FixedRange(l)
		if !fixed {
			return nil, false
		}
		ranges = append(ranges, limit)
	}
	return ranges, true
}

// Rounded returns a copy of a checkpoint with the weights and biases that its int8 network has, but
// for the last layer, as float32. Converted again, they are the same integers: float and int8 then
// differ only by the rounding of the activations. For layers that are not trained further.
func Rounded(c *checkpoint.Checkpoint, m *infer.Model) *checkpoint.Checkpoint {
	rounded := *c
	rounded.Params = slices.Clone(c.Params)
	ranges, _ := fixedRanges(c)
	in := 1.0 / 255
	for i, r := range ranges {
		l, w, b := &m.Layers[i], c.Params[2*i], c.Params[2*i+1]
		out := float64(r) / 255
		per := len(l.W) / len(l.Bias)
		weights, biases := make([]float32, len(w.Data)), make([]float32, len(b.Data))
		for ch, mult := range l.Mult {
			step := float64(mult) * out / in
			for k, q := range l.W[ch*per:][:per] {
				weights[ch*per+k] = float32(float64(int8(q)) * step)
			}
			biases[ch] = float32(float64(l.Bias[ch]) * in * step)
		}
		w.Data, b.Data = weights, biases
		rounded.Params[2*i], rounded.Params[2*i+1] = w, b
		in = out
	}
	return &rounded
}
