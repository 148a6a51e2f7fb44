// Package report compares the int8 network with the float one that it was made from.
//
//	checkpoint -> calibrate -> convert -> REPORT -> bundle
//
// Newcomers need Compare, whose result travels inside the bundle, and Write, which shows it to a person.
package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"tirewatch/quantize/bundle"
	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/trainer/each"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

// ErrNoImages says that there is nothing to compare on.
var ErrNoImages = errors.New("no images to compare the networks on")

// Compare runs both networks on the images, preprocessed pixels, of which crack tells the true class. ranges are the largest
// activations that calibration found, in the order of the model's layers. The threshold is a probability.
func Compare(ctx context.Context, newFloat func() calibrate.Float, m *infer.Model, ranges []float32, threshold float64,
	images [][]byte, crack []bool, progress func(done int)) (bundle.Quantization, bundle.Evaluation, error) {
	q := bundle.Quantization{Images: len(images)}
	var e bundle.Evaluation
	if len(images) == 0 || len(images) != len(crack) {
		return q, e, fmt.Errorf("%w: %d images with %d labels", ErrNoImages, len(images), len(crack))
	}
	pairs := make([]pair, len(images))
	above, of := make([]int, len(ranges)), make([]int, len(ranges))
	err := each.Run(ctx, len(images),
		func() (*worker, error) { return newWorker(newFloat(), m, ranges) },
		func(w *worker, i int) (err error) {
			if pairs[i], err = w.run(images[i]); err != nil {
				return fmt.Errorf("image %d: %w", i+1, err)
			}
			return nil
		},
		func(w *worker) {
			for i := range ranges {
				above[i] += w.above[i]
				of[i] += w.of[i]
			}
		}, progress)
	if err != nil {
		return q, e, err
	}
	e = tally(&q, pairs, crack, verdict.Policy{Threshold: threshold})
	dead := convert.DeadChannels(m)
	for i, r := range ranges {
		q.Layers = append(q.Layers, bundle.LayerQuantization{
			Name: m.Layers[i].Name, Range: float64(r), Saturated: share(above[i], of[i]), DeadChannels: dead[i],
		})
	}
	return q, e, nil
}

// pair holds the logits of both networks for one image.
type pair struct{ float, int8 float64 }

// worker is what one processor needs: both networks and its counts.
type worker struct {
	float  calibrate.Float
	model  *infer.Model
	runner *infer.Runner
	ranges []float32
	above  []int // activations above the range, by layer
	of     []int // all activations, by layer
}

func newWorker(f calibrate.Float, m *infer.Model, ranges []float32) (*worker, error) {
	r, err := infer.NewRunner(m)
	if err != nil {
		return nil, err
	}
	return &worker{float: f, model: m, runner: r, ranges: ranges, above: make([]int, len(ranges)), of: make([]int, len(ranges))}, nil
}

func (w *worker) run(pix []byte) (pair, error) {
	float, err := w.float.Logit(pix, w.observe)
	if err != nil {
		return pair{}, err
	}
	sum, err := w.runner.Run(pix)
	if err != nil {
		return pair{}, err
	}
	return pair{float, w.model.Logit(sum)}, nil
}

// observe counts what the int8 network cuts off.
func (w *worker) observe(layer int, values []float32) {
	if layer >= len(w.ranges) {
		return
	}
	w.of[layer] += len(values)
	for _, v := range values {
		if v > w.ranges[layer] {
			w.above[layer]++
		}
	}
}

// tally compares the verdicts of both networks with each other and with the truth.
func tally(q *bundle.Quantization, pairs []pair, crack []bool, p verdict.Policy) (e bundle.Evaluation) {
	agree, floatRight, int8Right := 0, 0, 0
	for i, l := range pairs {
		floatLabel, floatP := p.Label(verdict.Probability(l.float))
		int8Label, int8P := p.Label(verdict.Probability(l.int8))
		q.LargestShift = max(q.LargestShift, math.Abs(floatP-int8P))
		agree += count(floatLabel == int8Label)
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
	q.Agreement = share(agree, len(pairs))
	q.FloatAccuracy = share(floatRight, len(pairs))
	q.Int8Accuracy = share(int8Right, len(pairs))
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

// Write shows the comparison to a person.
func Write(w io.Writer, q bundle.Quantization, e bundle.Evaluation) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	images := "testing images"
	if !e.HeldOut {
		images = "calibration images: not a measure of new tires"
	}
	fmt.Fprintf(t, "compared on\t%d %s\n", q.Images, images)
	fmt.Fprintf(t, "float accuracy\t%.2f %%\n", 100*q.FloatAccuracy)
	fmt.Fprintf(t, "int8 accuracy\t%.2f %%\n", 100*q.Int8Accuracy)
	fmt.Fprintf(t, "same verdict\t%.2f %%\n", 100*q.Agreement)
	fmt.Fprintf(t, "largest change of probability\t%.4f\n", q.LargestShift)
	fmt.Fprintf(t, "int8: cracks found, missed\t%d, %d\n", e.TruePositive, e.FalseNegative)
	fmt.Fprintf(t, "int8: normal passed, false alarms\t%d, %d\n", e.TrueNegative, e.FalsePositive)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(q.Layers) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "layer\tlargest activation\tcut off\tdead channels")
	for _, l := range q.Layers {
		fmt.Fprintf(t, "%s\t%.4g\t%.4f %%\t%d\n", l.Name, l.Range, 100*l.Saturated, l.DeadChannels)
	}
	return t.Flush()
}
