package trainer_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"testing"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
)

func newAveraged(t *testing.T, epochs int, decay float64) *trainer.Trainer {
	t.Helper()
	cfg := config(epochs)
	cfg.EMADecay = decay
	tr, err := trainer.New(cfg, tiny(), spec, drawn(100, 1), drawn(40, 2))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// The average follows its formula, step by step, and training does not depend on it.
func TestAverageIsThatOfAllSteps(t *testing.T) {
	const decay = 0.7
	plain, want := newTrainer(t, 1), [][]float64(nil)
	step := 0
	var weights []*checkpoint.Checkpoint // after 1, 2, ... steps
	for n := 1; n <= 7; n++ {            // seven batches an epoch
		ctx, cancel := context.WithCancel(t.Context())
		done := 0
		newTrainer(t, 1).Run(ctx, trainer.Observer{
			Batch: func(_, _, _ int) {
				if done++; done == n {
					cancel()
				}
			},
			Save: func(last, _ *checkpoint.Checkpoint) error { weights = append(weights, last); return nil },
		})
		cancel()
	}
	first, err := nn.FromParams(tiny(), firstWeights(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range first.Params() {
		want = append(want, make([]float64, len(p.Data)))
		for k, v := range p.Data {
			want[len(want)-1][k] = float64(v)
		}
	}
	for _, c := range weights {
		step++
		d := min(decay, float64(step)/float64(step+9))
		for i, p := range c.Params {
			for k, v := range p.Data {
				want[i][k] = d*want[i][k] + (1-d)*float64(v)
			}
		}
	}
	_, last := history(t, newAveraged(t, 1, decay))
	_, same := history(t, plain)
	if !reflect.DeepEqual(last.Params, same.Params) {
		t.Error("the weights that are trained depend on the average")
	}
	for i := range want {
		for k, v := range want[i] {
			if got := float64(last.Average[i][k]); math.Abs(got-v) > 1e-6 {
				t.Fatalf("tensor %d, value %d: average %g, want %g", i, k, got, v)
			}
		}
	}
}

// firstWeights returns the weights before the first step.
func firstWeights(t *testing.T) (first []nn.Param) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	newTrainer(t, 1).Run(ctx, trainer.Observer{Save: func(last, _ *checkpoint.Checkpoint) error {
		first = last.Params
		return nil
	}})
	return first
}

// The best checkpoint holds the averaged weights, because these were validated.
func TestBestIsWhatWasValidated(t *testing.T) {
	tr := newAveraged(t, 6, 0.9)
	_, last := history(t, tr)
	best := tr.Best()
	if best.Average != nil || last.Average == nil || reflect.DeepEqual(best.Params, last.Params) {
		t.Fatal("want averages as the weights of the best checkpoint, and beside the weights of the last one")
	}
	again, err := trainer.FineTune(config(1), best, drawn(100, 1), drawn(40, 2))
	if err != nil {
		t.Fatal(err)
	}
	loss, accuracy, err := again.Validate()
	if want := best.History[best.BestEpoch-1]; err != nil || loss != want.ValLoss || accuracy != want.ValAccuracy {
		t.Errorf("loss %g, accuracy %g, error %v; the history says %g and %g", loss, accuracy, err, want.ValLoss,
			want.ValAccuracy)
	}
}

// A training that stops inside an epoch and resumes from its file ends with the bytes of an
// uninterrupted one, averages included.
func TestResumeOfAnAverageIsExact(t *testing.T) {
	whole := newAveraged(t, 3, 0.9)
	_, want := history(t, whole)
	dir := filepath.Join(t.TempDir(), "run")
	run, err := trainer.CreateRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	batches := 0
	err = newAveraged(t, 3, 0.9).Run(ctx, trainer.Observer{Save: run.Save, Batch: func(_, _, _ int) {
		if batches++; batches == 10 {
			cancel()
		}
	}})
	if run.Close(); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want canceled", err)
	}
	run, last, best, err := trainer.OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	tr, err := trainer.Resume(last, best, drawn(100, 1), drawn(40, 2))
	if err != nil {
		t.Fatal(err)
	}
	_, got := history(t, tr)
	if !reflect.DeepEqual(got.Params, want.Params) || !reflect.DeepEqual(got.Average, want.Average) ||
		!reflect.DeepEqual(tr.Best().Params, whole.Best().Params) {
		t.Error("the resumed training ended with other weights")
	}
}
