// Package calibrate measures how large the float network's activations become, so that they can be
// mapped to bytes.
//
//	checkpoint -> CALIBRATE -> convert -> bundle
//
// The measure is the largest activation of each layer over real images: min-max calibration, where
// the minimum is the 0 of ReLU. Newcomers need Measure.
package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"tirewatch/internal/each"
)

// Float is the float network. observe, when not nil, gets the activations of each trained layer,
// counted from 0, that the result depends on; they are valid during the call. It is not for
// concurrent use.
type Float interface {
	Logit(pix []byte, observe func(layer int, values []float32)) (float64, error)
}

// ErrNoImages says that there is nothing to measure on.
var ErrNoImages = errors.New("no calibration images")

// SilentLayerError says that a layer was 0 for every image. Such a network gives the same answer
// for all of them: it is not trained, or the images are not what it was trained on.
type SilentLayerError struct {
	Layer  string
	Images int
}

func (e *SilentLayerError) Error() string {
	return fmt.Sprintf("layer %s is 0 for all %d calibration images", e.Layer, e.Images)
}

// Measure gives the largest activation of each layer over the images, which are preprocessed
// pixels. layers names the trained layers in order but for the last: it gives the logit, which is
// not mapped to a byte. Measure works on all processors, with a network of its own from newFloat on
// each; the result does not depend on their number.
func Measure(ctx context.Context, newFloat func() Float, layers []string, images [][]byte, progress func(done int)) ([]float32, error) {
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
						broken = fmt.Errorf("layer %s gives no number", layers[layer])
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
