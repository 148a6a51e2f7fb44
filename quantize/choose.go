package quantize

import (
	"context"
	"fmt"
	"math"

	"tirewatch/internal/each"
	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/quantize/report"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/bundle"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// candidate is one way to make the integers.
type candidate struct {
	method calibrate.Method
	ranges []float32 // of the trained layers but the last
	model  *infer.Model
}

// choose makes the candidates of the job, tries each on the calibration images and takes the best,
// with what was tried.
func (j *Job) choose(ctx context.Context, c *checkpoint.Checkpoint, newFloat func() calibrate.Float) (*candidate, []bundle.Trial, int, error) {
	images := j.Calibration.Pix
	candidates, err := j.candidates(ctx, c, newFloat)
	if err != nil {
		return nil, nil, 0, err
	}
	trials, err := try(ctx, newFloat, candidates, c.Threshold, images, j.progress(StepTry, len(images)))
	if err != nil {
		return nil, nil, 0, fmt.Errorf("try: %w", err)
	}
	chosen := best(trials)
	if !j.BiasCorrection {
		return candidates[chosen], trials, chosen, nil
	}
	corrected, err := correct(ctx, c, newFloat, candidates[chosen], images, j.progress)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("correct the biases: %w", err)
	}
	candidates = append(candidates, corrected)
	more, err := try(ctx, newFloat, candidates[len(trials):], c.Threshold, images, nil)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("try: %w", err)
	}
	more[0].BiasCorrection = true
	trials = append(trials, more...)
	chosen = best(trials)
	return candidates[chosen], trials, chosen, nil
}

// candidates calibrates by each method of the job.
func (j *Job) candidates(ctx context.Context, c *checkpoint.Checkpoint, newFloat func() calibrate.Float) ([]*candidate, error) {
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
	largest, err := calibrate.Measure(ctx, newFloat, measuredLayers(&c.Graph), images, progress(0))
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
		}
		model, err := convert.Convert(&c.Graph, c.Params, ranges)
		if err != nil {
			return nil, fmt.Errorf("convert: %w", err)
		}
		candidates = append(candidates, &candidate{m, ranges, model})
	}
	return candidates, nil
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

// try runs the float network and all candidates on the images.
func try(ctx context.Context, newFloat func() calibrate.Float, candidates []*candidate, threshold float64, images [][]byte, progress func(done int)) ([]bundle.Trial, error) {
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
		t.Agreement, t.LogitError = report.Agree(float, int8[k], threshold)
		trials = append(trials, t)
	}
	return trials, nil
}

// best is the trial with the highest agreement, then with the smallest error of the logit; of
// equals the first, which is the simplest.
func best(trials []bundle.Trial) int {
	best := 0
	for i, t := range trials {
		if b := trials[best]; t.Agreement > b.Agreement || t.Agreement == b.Agreement && t.LogitError < b.LogitError {
			best = i
		}
	}
	return best
}

// correct copies the candidate and corrects its biases layer by layer, the first first: each is
// measured with those before it corrected.
func correct(ctx context.Context, c *checkpoint.Checkpoint, newFloat func() calibrate.Float, from *candidate, images [][]byte, progress func(Step, int) func(int)) (*candidate, error) {
	model, err := convert.Convert(&c.Graph, c.Params, from.ranges)
	if err != nil {
		return nil, err
	}
	inputs, err := inputShapes(&c.Graph)
	if err != nil {
		return nil, err
	}
	floatMeans, err := floatMeans(ctx, newFloat, from.ranges, inputs, images, progress(StepCorrect, len(images)))
	if err != nil {
		return nil, err
	}
	for layer := range inputs {
		byteMeans, err := byteMeans(ctx, model, layer, inputs[layer], images)
		if err != nil {
			return nil, err
		}
		largest := 0.0
		if layer < len(from.ranges) {
			largest = float64(from.ranges[layer])
		}
		if err := convert.CorrectBias(model, layer, c.Params, inputs[layer], floatMeans[layer], byteMeans, largest); err != nil {
			return nil, err
		}
	}
	return &candidate{from.method, from.ranges, model}, nil
}

// inputShapes gives the input of each trained layer: the whole image for the first, the live region
// for the others.
func inputShapes(g *graph.Graph) ([]graph.Shape, error) {
	steps, err := g.Plan()
	if err != nil {
		return nil, err
	}
	var shapes []graph.Shape
	for _, s := range steps {
		switch {
		case s.HasWeights() && len(shapes) == 0:
			shapes = append(shapes, s.In)
		case s.HasWeights():
			shapes = append(shapes, s.LiveIn)
		}
	}
	return shapes, nil
}

// fixed is the unit of the sums of float activations: 2^-32 of their range. Integers sum to the
// same in any order.
const fixed = 1 << 32

// floatMeans gives the mean input of each trained layer in the float network.
func floatMeans(ctx context.Context, newFloat func() calibrate.Float, ranges []float32, inputs []graph.Shape, images [][]byte, progress func(int)) ([][]float64, error) {
	type worker struct {
		net  calibrate.Float
		sums [][]int64
	}
	newSums := func() [][]int64 {
		sums := make([][]int64, len(inputs))
		for l, s := range inputs {
			sums[l] = make([]int64, s.Size())
		}
		return sums
	}
	total := newSums()
	err := each.Run(ctx, len(images),
		func() (*worker, error) { return &worker{newFloat(), newSums()}, nil },
		func(w *worker, i int) error {
			if len(images[i]) != len(w.sums[0]) {
				return errPools
			}
			for k, v := range images[i] {
				w.sums[0][k] += int64(v)
			}
			var other error
			_, err := w.net.Logit(images[i], func(layer int, values []float32) {
				if layer == len(ranges) {
					return // the logit is nobody's input
				}
				sums := w.sums[layer+1]
				if len(values) != len(sums) {
					other = errPools
					return
				}
				scale := fixed / float64(ranges[layer])
				for k, v := range values {
					sums[k] += int64(math.RoundToEven(float64(v) * scale))
				}
			})
			if err == nil {
				err = other
			}
			return err
		},
		func(w *worker) {
			for l := range total {
				for k, v := range w.sums[l] {
					total[l][k] += v
				}
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
		means[l] = mean(sums, unit, len(images))
	}
	return means, nil
}

// errPools is about networks whose trained layers do not read what the one before them shows.
var errPools = fmt.Errorf("bias correction knows no pools but those behind a convolution: %w", convert.ErrParams)

// byteMeans gives the mean input of one trained layer in the int8 network, in bytes.
func byteMeans(ctx context.Context, m *infer.Model, layer int, input graph.Shape, images [][]byte) ([]float64, error) {
	type worker struct {
		runner *infer.Runner
		sums   []int64
	}
	total := make([]int64, input.Size())
	err := each.Run(ctx, len(images),
		func() (*worker, error) {
			r, err := infer.NewRunner(m)
			return &worker{r, make([]int64, input.Size())}, err
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
					add(values)
				}
			})
			return err
		},
		func(w *worker) {
			for k, v := range w.sums {
				total[k] += v
			}
		}, nil)
	if err != nil {
		return nil, err
	}
	return mean(total, 1, len(images)), nil
}

func mean(sums []int64, unit float64, n int) []float64 {
	m := make([]float64, len(sums))
	for k, v := range sums {
		m[k] = float64(v) * unit / float64(n)
	}
	return m
}
