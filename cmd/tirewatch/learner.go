package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/quantize"
	"tirewatch/trainer"
	"tirewatch/trainer/augment"
	"tirewatch/trainer/base"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/pixels"
	"tirewatch/trainer/transfer"
	"tirewatch/vision/infer"
)

// learner teaches the network mobile: it keeps the features of the base, which are computed once
// for each image.
type learner struct {
	cmd      *cobra.Command
	flags    *trainFlags
	start    *checkpoint.Checkpoint // the base with a score layer of zeros
	int8     *infer.Model           // the same in int8
	trunk    *transfer.Trunk
	store    *pixels.Store
	features map[string][]pixels.Image // by Sample.Name
}

// findBase is base.Find; tests have a base of their own.
var findBase = base.Find

// newLearner finds the base. dir is the folder for features that do not fit in memory, by default
// that for temporary files; count is the number of images.
func newLearner(cmd *cobra.Command, f *trainFlags, dir string, count int) (*learner, error) {
	found, err := findBase(f.network.base)
	if err != nil {
		return nil, err
	}
	l := &learner{cmd: cmd, flags: f, features: make(map[string][]pixels.Image)}
	if l.start, err = base.Network(found.Checkpoint, f.network.size, f.network.blocks); err != nil {
		return nil, err
	}
	f.cfg.Pretrained = found.SHA256
	if l.int8, err = quantize.Int8(cmd.Context(), l.start, quantize.Images{}, nil); err != nil {
		return nil, fmt.Errorf("convert the base: %w", err)
	}
	l.start = quantize.Rounded(l.start, l.int8) // so that float and int8 agree
	if l.trunk, err = transfer.NewTrunk(l.int8); err != nil {
		return nil, err
	}
	l.store = pixels.NewStore(dir, pixelMemory, count*transfer.Views, l.trunk.Shape().Size())
	return l, nil
}

func (l *learner) Close() error { return l.store.Close() }

// examples computes the features of those samples that have none yet.
func (l *learner) examples(samples []trainer.Sample) ([]transfer.Example, error) {
	var fresh []trainer.Sample
	for _, s := range samples {
		if l.features[s.Name] == nil {
			fresh = append(fresh, s)
		}
	}
	if len(fresh) > 0 {
		p := progress.New(l.cmd, "computing features", len(fresh)*transfer.Views)
		features, err := l.trunk.Features(l.cmd.Context(), fresh, transfer.Views, l.store, p.Set)
		p.Clear()
		if err != nil {
			return nil, readHint(err, otherTemp)
		}
		for i, s := range fresh {
			l.features[s.Name] = features[i]
		}
	}
	var examples []transfer.Example
	for _, s := range samples {
		examples = append(examples, transfer.Example{Views: l.features[s.Name], Crack: s.Crack, Name: s.Name, Group: s.Group})
	}
	return examples, nil
}

// teach fits the score layer on the samples. what begins the label of the progress.
func (l *learner) teach(what string, samples []trainer.Sample) (*transfer.Taught, *checkpoint.Checkpoint, error) {
	examples, err := l.examples(samples)
	if err != nil {
		return nil, nil, err
	}
	advance, done := progress.Follow(l.cmd, what+"fitting the score layer")
	began := time.Now()
	t, err := transfer.Teach(l.cmd.Context(), transfer.Job{Graph: &l.start.Graph, Examples: examples, Seed: l.flags.cfg.Seed,
		Progress: advance})
	done()
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(l.cmd.ErrOrStderr(), "%sscore layer fitted on %d images, weight decay %g, in %.1f s\n", what, len(samples), t.Decay,
		time.Since(began).Seconds())
	c, err := l.withHead(t.Head)
	if err != nil {
		return nil, nil, err
	}
	c.Threshold = t.Threshold
	return t, c, nil
}

// refit fits the score layer on other samples, with a weight decay that was chosen before.
func (l *learner) refit(samples []trainer.Sample, decay float64) (*checkpoint.Checkpoint, error) {
	examples, err := l.examples(samples)
	if err != nil {
		return nil, err
	}
	h, err := transfer.Fit(l.cmd.Context(), transfer.Job{Graph: &l.start.Graph, Examples: examples, Seed: l.flags.cfg.Seed}, decay)
	if err != nil {
		return nil, err
	}
	return l.withHead(h)
}

// withHead returns the network with a head. Its configuration says that nothing else was trained.
func (l *learner) withHead(h *transfer.Head) (*checkpoint.Checkpoint, error) {
	c, err := transfer.WithHead(l.start, h)
	if err != nil {
		return nil, err
	}
	recipe := transfer.HeadDefaults()
	c.Config = l.flags.cfg
	c.Config.Epochs, c.Config.Batch, c.Config.Rate, c.Config.Schedule = recipe.Epochs, recipe.Batch, recipe.Rate, checkpoint.Cosine
	c.Config.Validation, c.Config.Augment, c.Config.EMADecay, c.Config.Frozen = 0, augment.Ranges{}, 0, nil
	c.Config.Created = time.Now().UTC().Truncate(time.Second)
	for i := 0; i+2 < len(c.Params); i += 2 {
		name := c.Params[i].Name
		c.Config.Frozen = append(c.Config.Frozen, name[:len(name)-len("/w")])
	}
	return c, nil
}

// fineTune trains the upper blocks of a network with a fitted head.
func (l *learner) fineTune(what string, start *checkpoint.Checkpoint, samples []trainer.Sample) (*checkpoint.Checkpoint, error) {
	cfg := l.flags.network.recipe(&l.flags.cfg)
	cfg.Trunk = l.int8
	var bar *progress.Display
	began, last := time.Now(), 0
	c, err := transfer.FineTune(l.cmd.Context(), cfg, start, l.flags.network.from, samples, func(epoch, images, of int) {
		if epoch != last {
			bar.Clear()
			bar, last = progress.New(l.cmd, fmt.Sprintf("%sfine-tuning, epoch %d of %d", what, epoch, cfg.Epochs), of), epoch
		}
		bar.Set(images)
	})
	bar.Clear()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(l.cmd.ErrOrStderr(), "%sfine-tuned on %d images, loss %.4f, in %.0f s\n", what, len(samples),
		c.History[len(c.History)-1].TrainLoss, time.Since(began).Seconds())
	return c, nil
}

// int8Scores scores samples with the int8 network of a checkpoint.
func (l *learner) int8Scores(c *checkpoint.Checkpoint, train, test []trainer.Sample) ([]float64, error) {
	m, err := int8Model(l.cmd.Context(), c, train)
	if err != nil {
		return nil, err
	}
	return m.score(l.cmd.Context(), test, nil)
}

// maxCalibration is the number of images that a network is calibrated on in a cross-validation.
const maxCalibration = 256

// int8Model is the int8 network of a checkpoint, calibrated on the samples.
func int8Model(ctx context.Context, c *checkpoint.Checkpoint, samples []trainer.Sample) (*model, error) {
	var images quantize.Images
	for _, s := range spread(samples, maxCalibration) {
		pix, err := s.Pix.Load(nil)
		if err != nil {
			return nil, fmt.Errorf("calibrate on %s: %w", s.Name, err)
		}
		images.Pix, images.Crack = append(images.Pix, pix), append(images.Crack, s.Crack)
	}
	m, err := quantize.Int8(ctx, c, images, nil)
	if err != nil {
		return nil, err
	}
	return &model{kind: "int8", spec: c.Spec, band: metrics.Band{Threshold: c.Threshold}, newScorer: int8Scorer(m)}, nil
}
