package quantize

import (
	"context"
	"errors"
	"fmt"

	"tirewatch/internal/each"
	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/quantize/report"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/bundle"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

// candidate is the int8 network that one calibration method results in.
type candidate struct {
	method calibrate.Method
	ranges []float32 // of the trained layers but the last
	model  *infer.Model
}

// choose tries every candidate of the job on the calibration images. It returns the best one, all
// trials, and the index of the best among them.
func (j *Job) choose(
	ctx context.Context, c *checkpoint.Checkpoint, newFloat func() calibrate.Float,
) (*candidate, []bundle.Trial, int, error) {
	images, policy := j.Calibration.Pix, verdict.Policy{Threshold: c.Threshold}
	candidates, err := j.candidates(ctx, c, newFloat)
	if err != nil {
		return nil, nil, 0, err
	}
	trials, err := try(ctx, newFloat, candidates, policy, images, j.progress(StepTry, len(images)))
	if err != nil {
		return nil, nil, 0, fmt.Errorf("try: %w", err)
	}
	chosen := best(trials)
	if _, fixed := fixedRanges(c); !j.BiasCorrection && !fixed {
		return candidates[chosen], trials, chosen, nil
	}
	corrected, err := correct(ctx, c, newFloat, candidates[chosen], images, j.progress)
	if !j.BiasCorrection && errors.Is(err, convert.ErrParams) {
		return candidates[chosen], trials, chosen, nil // not possible for this network, and not asked for
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("correct the biases: %w", err)
	}
	candidates = append(candidates, corrected)
	more, err := try(ctx, newFloat, candidates[len(trials):], policy, images, nil)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("try: %w", err)
	}
	more[0].BiasCorrection = true
	trials = append(trials, more...)
	chosen = best(trials)
	return candidates[chosen], trials, chosen, nil
}

// candidates calibrates with each method of the job. A network whose ranges are all fixed has one
// candidate and needs no images for it.
func (j *Job) candidates(
	ctx context.Context, c *checkpoint.Checkpoint, newFloat func() calibrate.Float,
) ([]*candidate, error) {
	if ranges, ok := fixedRanges(c); ok {
		model, err := convert.Convert(&c.Graph, c.Params, ranges)
		if err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		return []*candidate{{calibrate.MinMax, ranges, model}}, nil
	}
	methods := calibrate.Methods
	if j.Method != "" {
		methods = []calibrate.Method{j.Method}
	}
	images := j.Calibration.Pix
	progress := func(pass int) func(done int) {
		if j.Progress == nil {
			return nil
		}
		return func(done int) { j.Progress(StepCalibrate, pass*len(images)+done, 2*len(images)) }
	}
	layers := measuredLayers(&c.Graph)
	largest, err := calibrate.Measure(ctx, newFloat, names(layers), images, progress(0))
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	histograms, err := calibrate.Count(ctx, newFloat, largest, images, progress(1))
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	var candidates []*candidate
	for _, m := range methods {
		ranges := make([]float32, len(largest))
		for i := range histograms {
			if ranges[i], err = histograms[i].Range(m); err != nil {
				return nil, fmt.Errorf("calibrate: %w", err)
			}
			if limit, ok := convert.FixedRange(layers[i]); ok {
				ranges[i] = limit
			}
		}
		model, err := convert.Convert(&c.Graph, c.Params, ranges)
		if err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		candidates = append(candidates, &candidate{m, ranges, model})
	}
	return candidates, nil
}

// measuredLayers returns all trained layers except the last, whose output is the logit, or the
// scores that it is the mean of.
func measuredLayers(g *graph.Graph) []graph.Layer {
	var layers []graph.Layer
	for _, l := range g.Layers {
		if l.HasWeights() {
			layers = append(layers, l)
		}
	}
	return layers[:len(layers)-1]
}

func names(layers []graph.Layer) []string {
	names := make([]string, len(layers))
	for i, l := range layers {
		names[i] = l.Name
	}
	return names
}

// try runs the float network and all candidates on the images and returns one trial for each
// candidate.
func try(
	ctx context.Context, newFloat func() calibrate.Float, candidates []*candidate,
	policy verdict.Policy, images [][]byte, progress func(done int),
) ([]bundle.Trial, error) {
	float, int8 := make([]float64, len(images)), make([][]float64, len(candidates))
	for k := range int8 {
		int8[k] = make([]float64, len(images))
	}
	type worker struct {
		float   calibrate.Float
		runners []*infer.Runner
	}
	err := each.Run(ctx, len(images),
		func() (*worker, error) {
			w := &worker{float: newFloat()}
			for _, c := range candidates {
				r, err := infer.NewRunner(c.model)
				if err != nil {
					return nil, err
				}
				w.runners = append(w.runners, r)
			}
			return w, nil
		},
		func(w *worker, i int) (err error) {
			if float[i], err = w.float.Logit(images[i], nil); err != nil {
				return err
			}
			for k, r := range w.runners {
				sum, err := r.Run(images[i])
				if err != nil {
					return err
				}
				int8[k][i] = candidates[k].model.Logit(sum)
			}
			return nil
		}, nil, progress)
	if err != nil {
		return nil, err
	}
	var trials []bundle.Trial
	for k, c := range candidates {
		t := bundle.Trial{Method: string(c.method)}
		t.Agreement, t.LogitError = report.Agree(float, int8[k], policy)
		trials = append(trials, t)
	}
	return trials, nil
}

// best returns the index of the trial with the highest agreement, then the smallest logit error.
// Among equal trials the first wins, because it is the simplest method.
func best(trials []bundle.Trial) int {
	best := 0
	for i, t := range trials {
		if b := trials[best]; t.Agreement > b.Agreement || t.Agreement == b.Agreement && t.LogitError < b.LogitError {
			best = i
		}
	}
	return best
}
