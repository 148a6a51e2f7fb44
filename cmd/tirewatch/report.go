package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	quantreport "tirewatch/quantize/report"
	"tirewatch/trainer"
	"tirewatch/trainer/augment"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/report"
	"tirewatch/vision/bundle"
)

// reportTraining writes the report of the best weights on the validation images, also for a
// training that was stopped. Before the end of the first epoch there is nothing to report.
func reportTraining(cmd *cobra.Command, t *trainer.Trainer, runDir, dir string, val []trainer.Sample) error {
	if t.Best() == nil {
		return nil
	}
	m, err := checkpointModel(t.Best())
	if err != nil {
		return err
	}
	// Ctrl-C ended the training. The report takes a second and is written anyway.
	ctx := context.WithoutCancel(cmd.Context())
	scores, err := m.score(ctx, val, nil)
	if err != nil {
		return err
	}
	r := newReport("Training "+runDir, report.Validation, m, dir, val, scores)
	r.History = t.History()
	return writeReport(cmd, r, runDir)
}

// newReport collects the facts about a model and the images that it scored. dir is the folder of
// the data set.
func newReport(title, part string, m *model, dir string, samples []trainer.Sample, scores []float64) *report.Report {
	r := &report.Report{Title: title, Part: part, Threshold: m.band.Threshold, SoundBelow: m.band.SoundBelow,
		Width: m.spec.Width, Height: m.spec.Height}
	r.Facts = append(r.Facts, report.Fact{Name: "Kind", Value: m.kind})
	for i, s := range scores {
		name := samples[i].Name
		if rel, err := filepath.Rel(dir, name); err == nil && !strings.HasPrefix(rel, "..") {
			name = filepath.ToSlash(rel)
		}
		r.Images = append(r.Images, report.Image{Name: name, Group: samples[i].Group, Pix: samples[i].Pix,
			Crack: samples[i].Crack, Score: s})
	}
	if c := m.float; c != nil {
		r.History, r.Best = c.History, c.BestEpoch
		r.Facts = append(r.Facts, checkpointFacts(c)...)
		if net, err := c.Net(); err == nil {
			// networks without convolutions have no heat maps
			if e, err := net.NewExplainer(); err == nil {
				r.Explain = e.CAM
			}
		}
	}
	if b := m.bundle; b != nil {
		r.Facts = append(r.Facts, bundleFacts(b)...)
		r.Tables = quantreport.Tables(b.Quantization, b.Evaluation)
	}
	return r
}

func writeReport(cmd *cobra.Command, r *report.Report, dir string) error {
	if err := r.Write(dir); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "report: %s\n", filepath.Join(dir, "report.html"))
	return nil
}

func checkpointFacts(c *checkpoint.Checkpoint) []report.Fact {
	parameters := 0
	for _, p := range c.Params {
		parameters += len(p.Data)
	}
	facts := []report.Fact{
		{Name: "Network", Value: fmt.Sprintf("%d parameters", parameters)},
		{Name: "Image", Value: fmt.Sprintf("%d x %d px, grey", c.Spec.Width, c.Spec.Height)},
	}
	if c.Origin != "" {
		facts = append(facts, report.Fact{Name: "Origin", Value: c.Origin})
	}
	made := c.Config.Created.UTC().Format("2006-01-02 15:04 UTC")
	if c.Config.Imported != "" {
		return append(facts,
			report.Fact{Name: "Weights", Value: "imported from an " + c.Config.Imported},
			report.Fact{Name: "Imported by", Value: c.Config.Tool + ", " + made})
	}
	facts = append(facts, report.Fact{Name: "Weights", Value: weightsFact(c)})
	facts = append(facts, configFacts(c.Config)...)
	return append(facts,
		report.Fact{Name: "Data set", Value: "fingerprint " + cmp.Or(c.Config.Data, "unknown")},
		report.Fact{Name: "Made by", Value: c.Config.Tool + ", started " + made})
}

// weightsFact says which weights a checkpoint has.
func weightsFact(c *checkpoint.Checkpoint) string {
	switch {
	case !isMobile(&c.Graph):
		return fmt.Sprintf("from epoch %d of %d, the best on validation", c.BestEpoch, c.Config.Epochs)
	case c.BestEpoch == 0:
		return "of the pretrained network; the score layer alone was fitted"
	}
	return fmt.Sprintf("the upper blocks fine-tuned in %d epochs", c.BestEpoch)
}

// configFacts lists the options of the training. Options that change nothing at their default are
// left out.
func configFacts(cfg checkpoint.Config) []report.Fact {
	rate := fmt.Sprintf("%g", cfg.Rate)
	switch cfg.Schedule {
	case checkpoint.Cosine:
		rate += fmt.Sprintf(", falling along a cosine to %g", cfg.MinRate)
	case checkpoint.Plateau:
		rate += fmt.Sprintf(", halved after %d epochs without a lower validation loss, down to %g",
			checkpoint.PlateauEpochs, cfg.MinRate)
	}
	augmented := "each image is changed at random in each epoch"
	switch {
	case cfg.Augment == (augment.Ranges{}):
		augmented = "none"
	case cfg.Augment.QuarterTurns:
		augmented += ", with quarter turns"
	}
	facts := []report.Fact{
		{Name: "Training", Value: fmt.Sprintf("batches of %d, seed %d", cfg.Batch, cfg.Seed)},
		{Name: "Learning rate", Value: rate},
		{Name: "Augmentation", Value: augmented},
	}
	add := func(when bool, name, format string, args ...any) {
		if when {
			facts = append(facts, report.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
		}
	}
	add(cfg.Validation > 0, "Held back for validation", "%.3g %% of the training images", 100*cfg.Validation)
	add(cfg.EMADecay > 0, "Weights", "moving average with a decay of %g", cfg.EMADecay)
	add(cfg.Groups != "", "Images that belong together", "%s", cfg.Groups)
	add(cfg.StepsPerEpoch > 0, "An epoch", "%d batches, drawn from the shuffled images", cfg.StepsPerEpoch)
	add(cfg.Patience > 0, "Patience", "stops after %d epochs without a better result on validation", cfg.Patience)
	add(cfg.CrackWeight > 0 && cfg.CrackWeight != 1, "Class weights",
		"a cracked tire counts %.3g times as much as a sound one", cfg.CrackWeight)
	add(cfg.Pretrained != "", "Fine-tuned from", "%s", firstWeights(cfg))
	add(len(cfg.Frozen) > 0, "Frozen layers", "%s", strings.Join(cfg.Frozen, ", "))
	return facts
}

func bundleFacts(b *bundle.Bundle) []report.Fact {
	facts := []report.Fact{
		{Name: "Serial", Value: fmt.Sprint(b.Serial)},
		{Name: "Made for", Value: b.Target},
		{Name: "Checkpoint", Value: "SHA-256 " + b.Provenance.Checkpoint},
		{Name: "Calibrated on", Value: fmt.Sprintf("%d images, data set fingerprint %s", b.Provenance.Calibration,
			b.Provenance.Data)},
		{Name: "Made by", Value: b.Provenance.Tool + ", " + b.Created.UTC().Format("2006-01-02 15:04 UTC")},
	}
	if b.Provenance.Origin != "" {
		facts = append(facts, report.Fact{Name: "Origin", Value: b.Provenance.Origin})
	}
	return facts
}
