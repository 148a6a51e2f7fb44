// Package report compares the int8 network with the float one that it was made from.
//
//	checkpoint -> calibrate -> convert -> REPORT -> bundle
//
// Newcomers need Compare, whose result travels inside the bundle, and Write or Tables, which show
// it to a person.
package report

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"tirewatch/internal/each"
	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/vision/bundle"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

// ErrNoImages says that there is nothing to compare on.
var ErrNoImages = errors.New("no images to compare the networks on")

// Result is what both networks said about the same images.
type Result struct {
	Float, Int8 []float64 // logits, one an image
	Layers      []bundle.LayerQuantization
}

// Compare runs both networks on the images, preprocessed pixels. ranges are the activations that
// become 255, in the order of the model's layers. The result does not depend on the number of
// processors.
func Compare(ctx context.Context, newFloat func() calibrate.Float, m *infer.Model, ranges []float32, images [][]byte, progress func(done int)) (*Result, error) {
	if len(images) == 0 {
		return nil, ErrNoImages
	}
	r := &Result{Float: make([]float64, len(images)), Int8: make([]float64, len(images))}
	noises := make([][]noise, len(images)) // by image, then layer: summed up in this order
	err := each.Run(ctx, len(images),
		func() (*worker, error) { return newWorker(newFloat(), m, ranges) },
		func(w *worker, i int) (err error) {
			if r.Float[i], r.Int8[i], err = w.run(images[i]); err != nil {
				return fmt.Errorf("image %d: %w", i+1, err)
			}
			noises[i] = slices.Clone(w.noise)
			return nil
		}, nil, progress)
	if err != nil {
		return nil, err
	}
	dead := convert.DeadChannels(m)
	for l, rng := range ranges {
		var sum noise
		for _, n := range noises {
			sum.add(n[l])
		}
		r.Layers = append(r.Layers, bundle.LayerQuantization{
			Name: m.Layers[l].Name, Range: float64(rng), Saturated: share(sum.above, sum.of), SNR: sum.ratio(), DeadChannels: dead[l],
		})
	}
	return r, nil
}

// noise compares the activations of one layer in both networks.
type noise struct {
	signal, error float64 // sums of squares
	above, of     int     // float activations above the range, and all
}

func (n *noise) add(o noise) {
	n.signal += o.signal
	n.error += o.error
	n.above += o.above
	n.of += o.of
}

// ratio is signal to noise in dB.
func (n noise) ratio() float64 {
	if n.error == 0 {
		return bundle.MaxSNR
	}
	return max(min(10*math.Log10(n.signal/n.error), bundle.MaxSNR), -bundle.MaxSNR)
}

// worker is what one processor needs: both networks and what they say about one image.
type worker struct {
	float  calibrate.Float
	model  *infer.Model
	runner *infer.Runner
	ranges []float32
	values [][]float32 // of the float network, by layer
	noise  []noise     // by layer
}

func newWorker(f calibrate.Float, m *infer.Model, ranges []float32) (*worker, error) {
	r, err := infer.NewRunner(m)
	if err != nil {
		return nil, err
	}
	return &worker{float: f, model: m, runner: r, ranges: ranges, values: make([][]float32, len(ranges)), noise: make([]noise, len(ranges))}, nil
}

func (w *worker) run(pix []byte) (float, int8 float64, err error) {
	float, err = w.float.Logit(pix, func(layer int, values []float32) {
		if layer < len(w.values) {
			w.values[layer] = append(w.values[layer][:0], values...)
		}
	})
	if err != nil {
		return 0, 0, err
	}
	var mismatch error
	sum, err := w.runner.Observe(pix, func(layer int, values []uint8) {
		if len(values) != len(w.values[layer]) {
			mismatch = fmt.Errorf("internal error: layer %s makes %d bytes of %d values", w.model.Layers[layer].Name, len(values), len(w.values[layer]))
			return
		}
		w.noise[layer] = measure(w.values[layer], values, w.ranges[layer])
	})
	return float, w.model.Logit(sum), errors.Join(err, mismatch)
}

// measure compares float activations with the bytes that stand for them; limit becomes 255.
func measure(values []float32, bytes []uint8, limit float32) noise {
	n := noise{of: len(values)}
	step := float64(limit) / 255
	for i, v := range values {
		f := float64(v)
		d := f - float64(bytes[i])*step
		n.signal += f * f
		n.error += d * d
		if v > limit {
			n.above++
		}
	}
	return n
}

// Agree gives the share of images on which both networks have the same verdict, and the mean
// absolute difference of their logits.
func Agree(float, int8 []float64, threshold float64) (agreement, logitError float64) {
	p, same := verdict.Policy{Threshold: threshold}, 0
	for i := range float {
		a, _ := p.Label(verdict.Probability(float[i]))
		b, _ := p.Label(verdict.Probability(int8[i]))
		same += count(a == b)
		logitError += math.Abs(float[i]-int8[i]) / float64(len(float))
	}
	return share(same, len(float)), logitError
}

// Judge compares the verdicts of both networks with each other and with the truth, at a threshold
// that is a probability. crack tells the true class of each image.
func (r *Result) Judge(crack []bool, threshold float64) (q bundle.Quantization, e bundle.Evaluation, err error) {
	if len(crack) != len(r.Float) {
		return q, e, fmt.Errorf("%w: %d images with %d labels", ErrNoImages, len(r.Float), len(crack))
	}
	q = bundle.Quantization{Images: len(crack), Layers: r.Layers}
	q.Agreement, q.LogitError = Agree(r.Float, r.Int8, threshold)
	p := verdict.Policy{Threshold: threshold}
	floatRight, int8Right := 0, 0
	for i := range crack {
		floatLabel, floatP := p.Label(verdict.Probability(r.Float[i]))
		int8Label, int8P := p.Label(verdict.Probability(r.Int8[i]))
		q.LargestShift = max(q.LargestShift, math.Abs(floatP-int8P))
		floatRight += count((floatLabel == verdict.Crack) == crack[i])
		int8Right += count((int8Label == verdict.Crack) == crack[i])
		switch said := int8Label == verdict.Crack; {
		case said && crack[i]:
			e.TruePositive++
		case said:
			e.FalsePositive++
		case crack[i]:
			e.FalseNegative++
		default:
			e.TrueNegative++
		}
	}
	q.FloatAccuracy = share(floatRight, len(crack))
	q.Int8Accuracy = share(int8Right, len(crack))
	return q, e, nil
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}
