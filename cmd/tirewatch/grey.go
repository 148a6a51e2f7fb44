package main

import (
	"context"

	"tirewatch/internal/each"
	"tirewatch/trainer"
	"tirewatch/trainer/baseline"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/preprocess"
)

// measureGrey measures what grey statistics alone reach on labelled images. It returns nil if a
// class has fewer than two groups.
func measureGrey(ctx context.Context, samples []trainer.Sample, labels []bool, groups []string,
	spec preprocess.Spec) (*greyFigures, error) {
	images := make([]pixels.Image, len(samples))
	for i, s := range samples {
		images[i] = s.Pix
	}
	features, err := greyFeatures(ctx, images, spec)
	if err != nil {
		return nil, err
	}
	scores := baseline.CrossScores(features, labels, groups)
	if scores == nil {
		return nil, nil
	}
	return &greyFigures{Accuracy: metrics.Confusion(scores, labels, 0.5).Accuracy(),
		AUC: metrics.ROCAUC(scores, labels)}, nil
}

// greyFeatures computes the grey statistics of images, on all processors.
func greyFeatures(ctx context.Context, images []pixels.Image, spec preprocess.Spec) ([]baseline.Features, error) {
	features := make([]baseline.Features, len(images))
	buffer := func() ([]byte, error) { return make([]byte, spec.Size()), nil }
	err := each.Run(ctx, len(images), buffer, func(buf []byte, i int) error {
		pix, err := images[i].Load(buf)
		if err == nil {
			features[i] = baseline.Measure(pix, spec.Width, spec.Height)
		}
		return err
	}, nil, nil)
	return features, err
}
