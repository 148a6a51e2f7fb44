// Package quantize makes a bundle from a checkpoint: the int8 network that a station runs, with the proof that it still
// is the network that was trained.
//
//	train -> checkpoint -> QUANTIZE (calibrate, convert, report) -> bundle -> push
//
// Newcomers need Quantize, which ties the steps together; bundle.Write then signs the result.
package quantize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tirewatch/quantize/bundle"
	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/quantize/report"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

// ErrTooFewImages says that there are not enough images to calibrate on or to take golden inputs from.
var ErrTooFewImages = errors.New("too few images")

// Images are preprocessed photographs with their labels.
type Images struct {
	Pix   [][]byte // Spec.Size() bytes each
	Crack []bool   // the true class of each
	Names []string // of the files, for people; may be nil
}

// Job is all that Quantize needs beside the checkpoint.
type Job struct {
	Calibration Images
	Evaluation  Images // when empty, the calibration images are evaluated on, and the bundle says so
	Serial      uint64
	Target      string // stations, see bundle.Bundle
	Created     time.Time
	Provenance  bundle.Provenance             // Calibration is filled in
	Progress    func(step Step, done, of int) // may be nil; calls do not overlap
}

// Step names a part of the work.
type Step string

const (
	StepCalibrate Step = "calibrate"
	StepCompare   Step = "compare"
)

// Quantize measures the activations on the calibration images, converts the weights to integers, compares the networks and
// returns the bundle, not yet signed. The same job makes the same bundle.
func Quantize(ctx context.Context, c *checkpoint.Checkpoint, job Job) (*bundle.Bundle, error) {
	eval := job.Evaluation
	heldOut := len(eval.Pix) > 0
	if !heldOut {
		eval = job.Calibration
	}
	if n := len(job.Calibration.Pix); n < bundle.MinGolden || len(eval.Pix) < bundle.MinGolden {
		return nil, fmt.Errorf("quantize: %w: %d to calibrate on and %d to evaluate on, want %d or more",
			ErrTooFewImages, n, len(eval.Pix), bundle.MinGolden)
	}
	net, err := c.Net()
	if err != nil {
		return nil, fmt.Errorf("quantize: %w", err)
	}
	newFloat := func() calibrate.Float { return net.NewPredictor() }

	ranges, err := calibrate.Measure(ctx, newFloat, measuredLayers(&c.Graph), job.Calibration.Pix,
		job.progress(StepCalibrate, len(job.Calibration.Pix)))
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	m, err := convert.Convert(&c.Graph, c.Params, ranges)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	q, e, err := report.Compare(ctx, newFloat, m, ranges, c.Threshold, eval.Pix, eval.Crack,
		job.progress(StepCompare, len(eval.Pix)))
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	e.HeldOut = heldOut
	golden, err := goldenInputs(m, eval)
	if err != nil {
		return nil, fmt.Errorf("golden inputs: %w", err)
	}
	b := &bundle.Bundle{
		Model:        *m,
		Spec:         c.Spec,
		Classes:      []string{string(verdict.Normal), string(verdict.Crack)},
		Threshold:    c.Threshold,
		Serial:       job.Serial,
		Created:      job.Created,
		Target:       job.Target,
		Provenance:   job.Provenance,
		Evaluation:   e,
		Quantization: q,
		Golden:       golden,
	}
	b.Provenance.Calibration = len(job.Calibration.Pix)
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("quantize: %w", err)
	}
	return b, nil
}

func (j *Job) progress(step Step, of int) func(done int) {
	if j.Progress == nil {
		return nil
	}
	return func(done int) { j.Progress(step, done, of) }
}

// measuredLayers names the trained layers but the last, whose output is the logit.
func measuredLayers(g *graph.Graph) []string {
	var names []string
	for _, l := range g.Layers[:len(g.Layers)-1] {
		if l.HasWeights() {
			names = append(names, l.Name)
		}
	}
	return names
}

// goldenInputs takes the first images of each class in turn, as far as there are any of it, and computes their sums with
// a fresh Runner.
func goldenInputs(m *infer.Model, images Images) ([]bundle.Golden, error) {
	r, err := infer.NewRunner(m)
	if err != nil {
		return nil, err
	}
	var golden []bundle.Golden
	for _, i := range pickGolden(images.Crack) {
		sum, err := r.Run(images.Pix[i])
		if err != nil {
			return nil, err
		}
		golden = append(golden, bundle.Golden{Pix: images.Pix[i], Sum: sum})
	}
	return golden, nil
}

// pickGolden chooses bundle.MinGolden images, half of each class; where one class has too few, the other fills up.
func pickGolden(crack []bool) []int {
	var of [2][]int // normal, crack
	for i, c := range crack {
		k := 0
		if c {
			k = 1
		}
		of[k] = append(of[k], i)
	}
	var picked []int
	for k := 0; len(picked) < bundle.MinGolden && len(of[0])+len(of[1]) > 0; k = 1 - k {
		if len(of[k]) > 0 {
			picked, of[k] = append(picked, of[k][0]), of[k][1:]
		}
	}
	return picked
}
