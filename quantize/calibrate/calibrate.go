// Package calibrate finds the range of activations of each layer of the float network, so that they
// can be mapped to bytes.
//
//	checkpoint -> CALIBRATE -> convert -> bundle
//
// Start with [Measure], which finds the largest activation of each layer over real images; the
// smallest is 0, because of the ReLU. [Count] then builds a [Histogram] for each layer, from which
// [Histogram.Range] chooses the activation that becomes byte 255.
package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"tirewatch/internal/each"
)

// Float is the float network. If observe is not nil, Logit calls it for each trained layer, counted
// from 0, with the activations that the logit depends on. They are valid during the call only. A
// Float is not safe for concurrent use.
type Float interface {
	Logit(pix []byte, observe func(layer int, values []float32)) (float64, error)
}

// ErrNoImages means that the list of images is empty.
var ErrNoImages = errors.New("no calibration images")

// SilentLayerError means that a layer was 0 for every image. Such a network returns the same logit
// for all images: it is not trained, or the images are of another kind than those that it was
// trained on.
type SilentLayerError struct {
	Layer  string
	Images int
}

func (e *SilentLayerError) Error() string {
	return fmt.Sprintf("layer %s is 0 for all %d calibration images", e.Layer, e.Images)
}

// Measure returns the largest activation of each layer over the images, which are preprocessed
// pixels. layers holds the names of the trained layers in order, except the last: its output is the
// logit, which is not mapped to a byte. Measure uses all processors, each with its own network from
// newFloat. The result does not depend on their number. progress may be nil.
func Measure(
	ctx context.Context, newFloat func() Float, layers []string, images [][]byte, progress func(done int),
) ([]float32, error) {
	if len(images) == 0 {
		return nil, ErrNoImages
	}
	type worker struct {
		net     Float
		largest []float32
	}
	largest := make([]float32, len(layers))
	err := each.Run(ctx, len(images),
		func() (*worker, error) { return &worker{newFloat(), make([]float32, len(layers))}, nil },
		func(w *worker, i int) error {
			var broken error
			_, err := w.net.Logit(images[i], func(layer int, values []float32) {
				if layer >= len(layers) {
					return
				}
				for _, v := range values {
					if v > w.largest[layer] {
						w.largest[layer] = v
					} else if v != v {
						broken = fmt.Errorf("layer %s returns NaN", layers[layer])
					}
				}
				if math.IsInf(float64(w.largest[layer]), 0) {
					broken = fmt.Errorf("layer %s overflows", layers[layer])
				}
			})
			if err = errors.Join(err, broken); err != nil {
				return fmt.Errorf("calibration image %d: %w", i+1, err)
			}
			return nil
		},
		func(w *worker) {
			for i, v := range w.largest {
				largest[i] = max(largest[i], v)
			}
		}, progress)
	if err != nil {
		return nil, err
	}
	for i, v := range largest {
		if v == 0 {
			return nil, &SilentLayerError{Layer: layers[i], Images: len(images)}
		}
	}
	return largest, nil
}
