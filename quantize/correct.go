package quantize

import (
	"context"
	"math"

	"tirewatch/internal/each"
	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/infer"
)

// correct returns a copy of the candidate with corrected biases. It goes layer by layer from the
// first, so that each layer is measured with all earlier layers corrected.
func correct(
	ctx context.Context, c *checkpoint.Checkpoint, newFloat func() calibrate.Float,
	from *candidate, images [][]byte, progress func(Step, int) func(int),
) (*candidate, error) {
	model, err := convert.Convert(&c.Graph, c.Params, from.ranges)
	if err != nil {
		return nil, err
	}
	inputs, err := layerInputs(&c.Graph)
	if err != nil {
		return nil, err
	}
	floatMeans, err := floatMeans(ctx, newFloat, from.ranges, inputs, images, progress(StepCorrect, len(images)))
	if err != nil {
		return nil, err
	}
	for layer, in := range inputs {
		byteMeans, err := byteMeans(ctx, model, layer, in, images)
		if err != nil {
			return nil, err
		}
		largest := 0.0
		if layer < len(from.ranges) {
			largest = float64(from.ranges[layer])
		}
		if err := convert.CorrectBias(model, layer, c.Params, in.shape, floatMeans[layer], byteMeans, largest); err != nil {
			return nil, err
		}
	}
	return &candidate{from.method, from.ranges, model}, nil
}

// fixed is the unit of the sums of float activations: 2^-32 of their range. Unlike floats, integers
// have the same sum in any order.
const fixed = 1 << 32

// floatSums belongs to one goroutine. It sums the inputs of each trained layer of the float network
// over images: bytes for the first layer, fixed-point numbers for the others.
type floatSums struct {
	net    calibrate.Float
	ranges []float32 // of the trained layers but the last
	sums   [][]int64 // by layer, then place
}

func newSums(inputs []layerInput) [][]int64 {
	sums := make([][]int64, len(inputs))
	for l, in := range inputs {
		sums[l] = make([]int64, in.seen.Size())
	}
	return sums
}

func (f *floatSums) add(pix []byte) error {
	if len(pix) != len(f.sums[0]) {
		return errPools
	}
	for k, v := range pix {
		f.sums[0][k] += int64(v)
	}
	var mismatch error
	_, err := f.net.Logit(pix, func(layer int, values []float32) {
		if layer == len(f.ranges) {
			return // the logit is not an input of any layer
		}
		sums := f.sums[layer+1]
		if len(values) != len(sums) {
			mismatch = errPools
			return
		}
		scale := fixed / float64(f.ranges[layer])
		for k, v := range values {
			sums[k] += int64(math.RoundToEven(float64(v) * scale))
		}
	})
	if err != nil {
		return err
	}
	return mismatch
}

// floatMeans returns the mean input of each trained layer in the float network.
func floatMeans(
	ctx context.Context, newFloat func() calibrate.Float, ranges []float32, inputs []layerInput,
	images [][]byte, progress func(int),
) ([][]float64, error) {
	total := newSums(inputs)
	err := each.Run(ctx, len(images),
		func() (*floatSums, error) { return &floatSums{newFloat(), ranges, newSums(inputs)}, nil },
		func(f *floatSums, i int) error { return f.add(images[i]) },
		func(f *floatSums) {
			for l := range total {
				addTo(total[l], f.sums[l])
			}
		}, progress)
	if err != nil {
		return nil, err
	}
	means := make([][]float64, len(inputs))
	for l, sums := range total {
		unit := 1.0 / 255
		if l > 0 {
			unit = float64(ranges[l-1]) / fixed
		}
		means[l] = inputs[l].floats(mean(sums, unit, len(images)))
	}
	return means, nil
}

// byteMeans returns the mean input of one trained layer in the int8 network, in bytes.
func byteMeans(
	ctx context.Context, m *infer.Model, layer int, in layerInput, images [][]byte,
) ([]float64, error) {
	type worker struct {
		runner *infer.Runner
		sums   []int64
	}
	total := make([]int64, in.shape.Size())
	err := each.Run(ctx, len(images),
		func() (*worker, error) {
			r, err := infer.NewRunner(m)
			return &worker{r, make([]int64, in.shape.Size())}, err
		},
		func(w *worker, i int) error {
			add := func(values []uint8) {
				for k, v := range values {
					w.sums[k] += int64(v)
				}
			}
			if layer == 0 {
				add(images[i])
				return nil
			}
			_, err := w.runner.Observe(images[i], func(l int, values []uint8) {
				if l == layer-1 {
					add(in.bytes(values))
				}
			})
			return err
		},
		func(w *worker) { addTo(total, w.sums) }, nil)
	if err != nil {
		return nil, err
	}
	return mean(total, 1, len(images)), nil
}

func addTo(total, sums []int64) {
	for k, v := range sums {
		total[k] += v
	}
}

func mean(sums []int64, unit float64, n int) []float64 {
	m := make([]float64, len(sums))
	for k, v := range sums {
		m[k] = float64(v) * unit / float64(n)
	}
	return m
}
