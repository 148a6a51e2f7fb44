package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tirewatch/trainer"
	"tirewatch/trainer/dataset"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/preprocess"
)

// pixelMemory is how many bytes of preprocessed images are kept in memory; tests lower it.
var pixelMemory int64 = pixels.Memory

// newStore keeps count images for spec, in a file in dir as far as they do not fit in memory. An
// empty dir is the folder for temporary files.
func newStore(dir string, count int, spec preprocess.Spec) *pixels.Store {
	return pixels.NewStore(dir, pixelMemory, count, spec.Size())
}

// readHint says what to do when images could not be kept or changed under the reader's eyes.
func readHint(err error, elsewhere string) error {
	if full := new(pixels.FullError); errors.As(err, &full) {
		return withHint(err, elsewhere)
	}
	return err
}

// readTraining reads the training and validation images of a set, each file once, and gives the
// set's fingerprint.
func readTraining(cmd *cobra.Command, set *dataset.Set, spec preprocess.Spec, store *pixels.Store) (*dataset.Reading, error) {
	p := newProgress(cmd, "reading images", len(set.Train)+len(set.Val))
	r, err := set.Read(cmd.Context(), spec, store, func(done, _ int) { p.Set(done) })
	p.Done()
	if err != nil {
		return nil, readHint(err, "make room there, or choose --out on a larger disk")
	}
	leaveOut(cmd, r.Bad)
	return r, nil
}

// splitTraining divides what was read into images to train on and images to validate with.
func splitTraining(cmd *cobra.Command, r *dataset.Reading, seed uint64, share float64) (train, val []trainer.Sample, err error) {
	var p *progress
	trainImages, valImages, err := r.Validation(cmd.Context(), seed, share, func(done, total int) {
		if p == nil {
			p = newProgress(cmd, "looking for near-duplicates", total)
		}
		p.Set(done)
	})
	p.clear()
	return samplesOf(trainImages), samplesOf(valImages), err
}

// loadSamples reads images that nothing is trained on, and says which could not be read.
func loadSamples(cmd *cobra.Command, label string, set *dataset.Set, items []dataset.Item, spec preprocess.Spec, store *pixels.Store) ([]trainer.Sample, error) {
	p := newProgress(cmd, label, len(items))
	loaded, bad, err := set.Load(cmd.Context(), items, spec, store, func(done, _ int) { p.Set(done) })
	p.Done()
	if err != nil {
		return nil, readHint(err, "make room there, or let TMPDIR name a folder on a larger disk")
	}
	leaveOut(cmd, bad)
	return samplesOf(loaded), nil
}

func leaveOut(cmd *cobra.Command, bad []error) {
	for _, b := range bad {
		fmt.Fprintf(cmd.ErrOrStderr(), "left out: %v\n", b)
	}
}

func samplesOf(images []dataset.Image) []trainer.Sample {
	samples := make([]trainer.Sample, len(images))
	for i, im := range images {
		samples[i] = trainer.Sample{Pix: im.Pix, Crack: im.Class == dataset.Crack, Name: im.Path}
	}
	return samples
}

// labelsOf tells which of the samples are cracks.
func labelsOf(samples []trainer.Sample) []bool {
	labels := make([]bool, len(samples))
	for i, s := range samples {
		labels[i] = s.Crack
	}
	return labels
}
