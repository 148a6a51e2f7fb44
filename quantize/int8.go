package quantize

import (
	"context"
	"fmt"

	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/infer"
)

// Int8 converts a checkpoint as Quantize does, without measuring the result: for experiments, and
// for the layers of a network that stay as they are. Images are the calibration images. A network
// whose layers all have a fixed range, as those with ReLU6, needs none.
func Int8(ctx context.Context, c *checkpoint.Checkpoint, images Images, progress func(step Step, done, of int)) (*infer.Model, error) {
	if ranges, ok := fixedRanges(c); ok {
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
