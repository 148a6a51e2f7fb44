package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/png"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/internal/durable"
	"tirewatch/trainer"
	"tirewatch/trainer/dataset"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/preprocess"
)

// pixelMemory is how many bytes of preprocessed images are kept in memory; tests lower it.
var pixelMemory int64 = pixels.Memory

// newStore makes a store for count images of spec. What does not fit in memory goes to a file in
// dir, by default the folder for temporary files.
func newStore(dir string, count int, spec preprocess.Spec) *pixels.Store {
	return pixels.NewStore(dir, pixelMemory, count, spec.Size())
}

// readHint adds advice to the error of a full disk.
func readHint(err error, advice string) error {
	if _, ok := errors.AsType[*pixels.FullError](err); ok {
		return cli.Hint(err, advice)
	}
	return err
}

// Advice for a full disk: where the images are in the run folder, and where they are in the folder
// for temporary files.
const (
	otherOut  = "delete files there, or choose --out on a larger disk"
	otherTemp = "delete files there, or set TMPDIR to a folder on a larger disk"
)

// readTraining reads the training and validation images of a data set, each file once, and with
// them its fingerprint. whenFull is the advice for a full disk.
func readTraining(cmd *cobra.Command, set *dataset.Set, spec preprocess.Spec, store *pixels.Store,
	whenFull string) (*dataset.Reading, error) {
	p := progress.New(cmd, "reading images", len(set.Train)+len(set.Val))
	r, err := set.Read(cmd.Context(), spec, store, func(done, _ int) { p.Set(done) })
	p.Done()
	if err != nil {
		return nil, readHint(err, whenFull)
	}
	leaveOut(cmd, r.Bad)
	return r, nil
}

// splitTraining divides what was read into images to train on and images to validate with.
func splitTraining(cmd *cobra.Command, r *dataset.Reading, seed uint64,
	share float64) (train, val []trainer.Sample, err error) {
	var p *progress.Display
	trainImages, valImages, err := r.Validation(cmd.Context(), seed, share, func(done, total int) {
		if p == nil {
			p = progress.New(cmd, "looking for near-duplicates", total)
		}
		p.Set(done)
	})
	p.Clear()
	return samplesOf(trainImages), samplesOf(valImages), err
}

// loadSamples reads images that are not for training, and prints which cannot be read.
func loadSamples(cmd *cobra.Command, label string, set *dataset.Set, items []dataset.Item, spec preprocess.Spec,
	store *pixels.Store) ([]trainer.Sample, error) {
	p := progress.New(cmd, label, len(items))
	loaded, bad, err := set.Load(cmd.Context(), items, spec, store, func(done, _ int) { p.Set(done) })
	p.Done()
	if err != nil {
		return nil, readHint(err, otherTemp)
	}
	leaveOut(cmd, bad)
	return samplesOf(loaded), nil
}

// leaveOut names images that are not used, and why.
func leaveOut(cmd *cobra.Command, bad []error) {
	for _, b := range bad {
		fmt.Fprintf(cmd.ErrOrStderr(), "left out: %v\n", b)
	}
}

func samplesOf(images []dataset.Image) []trainer.Sample {
	samples := make([]trainer.Sample, len(images))
	for i, im := range images {
		samples[i] = trainer.Sample{Pix: im.Pix, Crack: im.Class == dataset.Crack, Name: im.Path, Group: im.Group}
	}
	return samples
}

// groupsOf returns the group of each sample. known is false if nothing says which belong together.
// A sample that belongs to no other is a group of its own.
func groupsOf(samples []trainer.Sample) (groups []string, known bool) {
	for _, s := range samples {
		known = known || s.Group != ""
		groups = append(groups, cmp.Or(s.Group, s.Name))
	}
	return groups, known
}

// labelsOf says which of the samples are cracks.
func labelsOf(samples []trainer.Sample) []bool {
	labels := make([]bool, len(samples))
	for i, s := range samples {
		labels[i] = s.Crack
	}
	return labels
}

// writePNG writes an image completely or not at all.
func writePNG(path string, img image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return fmt.Errorf("draw %s: %w", path, err)
	}
	return durable.WriteFile(path, b.Bytes(), 0o644)
}
