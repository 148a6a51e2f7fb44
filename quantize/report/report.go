// Package report compares the int8 network with the float network that it was made from.
//
//	checkpoint -> calibrate -> convert -> REPORT -> bundle
//
// Start with [Compare] and [Result.Judge], whose result is stored in the bundle, and [Write], which
// prints it.
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

// ErrNoImages means that there are no images, or not one label for each.
var ErrNoImages = errors.New("no images to compare the networks on")

// Result holds the outputs of both networks on the same images.
type Result struct {
	Float, Int8 []float64 // logits, one for each image
	Layers      []bundle.LayerQuantization
}

// Compare runs both networks on the images, which are preprocessed pixels. ranges holds the
// activation that becomes 255 for each layer but the last, in the order of the model's layers. The
// result does not depend on the number of processors. progress may be nil.
func Compare(
	ctx context.Context, newFloat func() calibrate.Float, m *infer.Model, ranges []float32,
	images [][]byte, progress func(done int),
) (*Result, error) {
	if len(images) == 0 {
		return nil, ErrNoImages
	}
	r := &Result{Float: make([]float64, len(images)), Int8: make([]float64, len(images))}
	noises := make([][]noise, len(images)) // by image, then layer; summed in this order
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
			Name: m.Layers[l].Name, Range: float64(rng), Saturated: share(sum.above, sum.of),
			SNR: sum.ratio(), DeadChannels: dead[l],
		})
	}
	return r, nil
}

// noise is the quantization noise of one layer: the difference of its activations in both networks.
type noise struct {
	signal, error float64 // sums of squares
	above, of     int     // float activations above the range, and all of them
}

func (n *noise) add(o noise) {
	n.signal += o.signal
	n.error += o.error
	n.above += o.above
	n.of += o.of
}

// ratio returns the signal-to-noise ratio in dB, within ±bundle.MaxSNR.
func (n noise) ratio() float64 {
	if n.error == 0 {
		return bundle.MaxSNR
	}
	return max(min(10*math.Log10(n.signal/n.error), bundle.MaxSNR), -bundle.MaxSNR)
}

// worker holds both networks and their activations of one image. It belongs to one goroutine.
type worker struct {
	float  calibrate.Float
	model  *infer.Model
	runner *infer.Runner
	ranges []float32
	values [][]float32 // activations of the float network, by layer
	noise  []noise     // by layer
}

func newWorker(f calibrate.Float, m *infer.Model, ranges []float32) (*worker, error) {
	r, err := infer.NewRunner(m)
	if err != nil {
		return nil, err
	}
	return &worker{float: f, model: m, runner: r, ranges: ranges,
		values: make([][]float32, len(ranges)), noise: make([]noise, len(ranges))}, nil
}

// run runs both networks on one image and measures w.noise.
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
			mismatch = fmt.Errorf("internal error: layer %s has %d bytes for %d values",
				w.model.Layers[layer].Name, len(values), len(w.values[layer]))
			return
		}
		w.noise[layer] = measure(w.values[layer], values, w.ranges[layer])
	})
	return float, w.model.Logit(sum), errors.Join(err, mismatch)
}

// measure compares float activations with their bytes. limit is the activation that becomes 255.
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

// Agree returns the share of images on which both networks have the same verdict, and the mean
// absolute difference of their logits.
func Agree(float, int8 []float64, p verdict.Policy) (agreement, logitError float64) {
	same := 0
	for i := range float {
		a, _ := p.Label(verdict.Probability(float[i]))
		b, _ := p.Label(verdict.Probability(int8[i]))
		same += count(a == b)
		logitError += math.Abs(float[i]-int8[i]) / float64(len(float))
	}
	return share(same, len(float)), logitError
}

// Judge compares the verdicts of both networks with each other and with the true classes. The two
// accuracies are those on the images that the network decides. crack is true for each image that
// shows a crack.
func (r *Result) Judge(crack []bool, p verdict.Policy) (q bundle.Quantization, e bundle.Evaluation, err error) {
	if len(crack) != len(r.Float) {
		return q, e, fmt.Errorf("%w: %d images with %d labels", ErrNoImages, len(r.Float), len(crack))
	}
	q = bundle.Quantization{Images: len(crack), Layers: r.Layers}
	q.Agreement, q.LogitError = Agree(r.Float, r.Int8, p)
	for i := range crack {
		shift := verdict.Probability(r.Float[i]) - verdict.Probability(r.Int8[i])
		q.LargestShift = max(q.LargestShift, math.Abs(shift))
	}
	e = evaluate(r.Int8, crack, p)
	q.FloatAccuracy, q.Int8Accuracy = evaluate(r.Float, crack, p).Accuracy(), e.Accuracy()
	return q, e, nil
}

// evaluate counts the answers to logits.
func evaluate(logits []float64, crack []bool, p verdict.Policy) (e bundle.Evaluation) {
	for i, l := range logits {
		var n *int
		switch label, _ := p.Label(verdict.Probability(l)); {
		case label == verdict.NoDecision && crack[i]:
			n = &e.UnsureCrack
		case label == verdict.NoDecision:
			n = &e.UnsureNormal
		case label == verdict.Crack && crack[i]:
			n = &e.TruePositive
		case label == verdict.Crack:
			n = &e.FalsePositive
		case crack[i]:
			n = &e.FalseNegative
		default:
			n = &e.TrueNegative
		}
		*n++
	}
	return e
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
