package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/quantize/sound"
	"tirewatch/trainer/dataset"
	"tirewatch/vision/anomaly"
	"tirewatch/vision/preprocess"
)

// readSound reads the pictures of --second-opinion, none for an empty dir. It accepts a data set
// without cracks. A manifest or the names of the files say which pictures belong together.
func readSound(cmd *cobra.Command, dir string, spec preprocess.Spec) ([]sound.Image, error) {
	if dir == "" {
		return nil, nil
	}
	set, err := dataset.Open(dir)
	var empty *dataset.EmptyClassError
	if errors.As(err, &empty) && empty.Class == dataset.Crack {
		err = nil
	}
	if err != nil {
		return nil, cli.Hint(fmt.Errorf("second opinion: %w", err), "put the pictures of sound tires into "+dir+"/normal")
	}
	if _, err := set.Group(dataset.Grouping{}); err != nil {
		return nil, err
	}
	items := set.Whole().Train
	samples, err := loadSamples(cmd, "reading pictures for the second opinion", set, items, spec,
		newStore("", len(items), spec))
	if err != nil {
		return nil, err
	}
	groups, _ := groupsOf(samples)
	var images []sound.Image
	for i, s := range samples {
		pix, err := s.Pix.Load(nil)
		if err != nil {
			return nil, err
		}
		images = append(images, sound.Image{Pix: pix, Crack: s.Crack, Group: groups[i]})
	}
	return images, nil
}

// secondOpinionText describes a second opinion in a line.
func secondOpinionText(a *anomaly.Model) string {
	r := a.Result
	text := fmt.Sprintf("learned from %d pictures of sound tires, limit %.1f; held out, %d of them are above it",
		r.Sound, a.Mean(a.Limit), r.FalseAlarms)
	if r.Cracks == 0 {
		return text
	}
	text += fmt.Sprintf(", and %d of %d cracked ones", r.Found, r.Cracks)
	if r.AUC > 0 {
		text += fmt.Sprintf("; AUC %.3f (95 %% interval %.3f to %.3f)", r.AUC, r.AUCLow, r.AUCHigh)
	}
	return text
}
