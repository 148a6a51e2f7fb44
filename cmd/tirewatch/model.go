package main

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/internal/each"
	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/metrics"
	"tirewatch/vision/bundle"
	"tirewatch/vision/infer"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

// scorer returns the logit of one preprocessed image. It is not safe for concurrent use.
type scorer func(pix []byte) (float64, error)

// model is a checkpoint or a bundle, whatever evaluate, compare and classify were given.
type model struct {
	kind      string // "checkpoint (float32)" or "bundle (int8)"
	spec      preprocess.Spec
	band      metrics.Band
	newScorer func() (scorer, error)

	float  *checkpoint.Checkpoint // nil for a bundle
	bundle *bundle.Bundle         // nil for a checkpoint
}

// openModel reads a checkpoint or a bundle. The signature of a bundle is checked if there are keys;
// otherwise a note says that it was not.
func openModel(cmd *cobra.Command, path string, keyFiles []string) (*model, error) {
	data, err := readModel(path)
	if err != nil {
		return nil, err
	}
	if bundle.IsBundle(data) {
		return openBundle(cmd, path, data, keyFiles)
	}
	c, err := checkpoint.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return checkpointModel(c)
}

// readModel reads a file that starts like a bundle or like a checkpoint.
func readModel(path string) ([]byte, error) {
	data, err := checkpoint.ReadFile(path) // has the higher size limit of the two
	if err != nil {
		return nil, err
	}
	if !bundle.IsBundle(data) && !checkpoint.IsCheckpoint(data) {
		return nil, cli.Hint(fmt.Errorf("%s is neither a checkpoint (.ckpt) nor a bundle (.tire)", path),
			"tirewatch train makes checkpoints, tirewatch quantize makes bundles")
	}
	return data, nil
}

func checkpointModel(c *checkpoint.Checkpoint) (*model, error) {
	net, err := c.Net()
	if err != nil {
		return nil, err
	}
	return &model{kind: "checkpoint (float32)", spec: c.Spec, band: metrics.Band{Threshold: c.Threshold}, float: c,
		newScorer: func() (scorer, error) {
			p := net.NewPredictor()
			return func(pix []byte) (float64, error) { return p.Logit(pix, nil) }, nil
		}}, nil
}

// bandOf returns the thresholds of a bundle.
func bandOf(b *bundle.Bundle) metrics.Band {
	h := b.Head()
	return metrics.Band{SoundBelow: h.SoundBelow, Threshold: h.Threshold}
}

func openBundle(cmd *cobra.Command, path string, data []byte, keyFiles []string) (*model, error) {
	b, err := decodeBundle(cmd, path, data, keyFiles)
	if err != nil {
		return nil, err
	}
	return &model{kind: "bundle (int8)", spec: b.Spec, band: bandOf(b), bundle: b, newScorer: int8Scorer(&b.Model)}, nil
}

// int8Scorer returns the newScorer of an int8 network.
func int8Scorer(m *infer.Model) func() (scorer, error) {
	return func() (scorer, error) {
		r, err := infer.NewRunner(m)
		if err != nil {
			return nil, err
		}
		return func(pix []byte) (float64, error) {
			sum, err := r.Run(pix)
			return m.Logit(sum), err
		}, nil
	}
}

// decodeBundle checks the signature if there are keys, and otherwise prints a note.
func decodeBundle(cmd *cobra.Command, path string, data []byte, keyFiles []string) (b *bundle.Bundle, err error) {
	if len(keyFiles) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: the signature of %s is not checked, because --key is missing\n", path)
		b, err = bundle.Inspect(data)
	} else {
		var keys []ed25519.PublicKey
		if keys, err = bundle.ReadPublicKeys(keyFiles); err == nil {
			b, err = bundle.Decode(data, keys)
			err = bundleHint(err, keys)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// score returns the probability of a crack for each of the samples. It uses all processors.
func (m *model) score(ctx context.Context, samples []trainer.Sample, progress func(done int)) ([]float64, error) {
	type worker struct {
		score scorer
		buf   []byte
	}
	out := make([]float64, len(samples))
	err := each.Run(ctx, len(samples),
		func() (worker, error) {
			score, err := m.newScorer()
			return worker{score, make([]byte, m.spec.Size())}, err
		},
		func(w worker, i int) error {
			pix, err := samples[i].Pix.Load(w.buf)
			if err != nil {
				return fmt.Errorf("classify %s: %w", samples[i].Name, err)
			}
			logit, err := w.score(pix)
			out[i] = verdict.Probability(logit)
			return err
		}, nil, progress)
	return out, err
}
