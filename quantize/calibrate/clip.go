package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"tirewatch/internal/each"
)

// Method is a way to choose the range of a layer: the activation that becomes 255.
type Method string

const (
	// MinMax takes the largest activation: nothing is clipped, but a few very large values make all
	// steps coarse.
	MinMax Method = "minmax"
	// Percentile clips the largest 0.01 % of the activations.
	Percentile Method = "percentile"
	// MSE takes the range with the smallest mean squared error of clipping and rounding together.
	MSE Method = "mse"
)

// Methods lists all methods, the simplest first.
var Methods = []Method{MinMax, Percentile, MSE}

// Kept is the share of activations that Percentile does not clip.
const Kept = 0.9999

// bins is the resolution of a Histogram: 32 bins to one step of a byte at the full range.
const bins = 255 * 32

// Histogram counts the activations of one layer between 0 and the largest.
type Histogram struct {
	Largest float32
	Zeros   int64       // activations that are exactly 0: they have no error in any range
	Counts  [bins]int64 // the others, by size
}

// Count runs the images again and counts the activations of each layer. largest is the result of
// Measure on the same images. The result does not depend on the number of processors.
func Count(
	ctx context.Context, newFloat func() Float, largest []float32, images [][]byte, progress func(done int),
) ([]Histogram, error) {
	if len(images) == 0 {
		return nil, ErrNoImages
	}
	total := make([]Histogram, len(largest))
	for i, v := range largest {
		total[i].Largest = v
	}
	type worker struct {
		net    Float
		layers []Histogram
	}
	err := each.Run(ctx, len(images),
		func() (*worker, error) { return &worker{newFloat(), make([]Histogram, len(largest))}, nil },
		func(w *worker, i int) error {
			_, err := w.net.Logit(images[i], func(layer int, values []float32) {
				if layer < len(w.layers) {
					w.layers[layer].add(values, largest[layer])
				}
			})
			if err != nil {
				return fmt.Errorf("calibration image %d: %w", i+1, err)
			}
			return nil
		},
		func(w *worker) {
			for l := range total {
				total[l].Zeros += w.layers[l].Zeros
				for b, n := range w.layers[l].Counts {
					total[l].Counts[b] += n
				}
			}
		}, progress)
	if err != nil {
		return nil, err
	}
	return total, nil
}

func (h *Histogram) add(values []float32, largest float32) {
	scale := bins / float64(largest)
	for _, v := range values {
		if v > 0 {
			h.Counts[min(int(float64(v)*scale), bins-1)]++
		} else {
			h.Zeros++
		}
	}
}

// ErrMethod marks a method that is not in Methods.
var ErrMethod = errors.New("unknown calibration method")

// Range returns the activation that becomes 255. The error for an unknown method wraps ErrMethod.
func (h *Histogram) Range(m Method) (float32, error) {
	switch m {
	case MinMax:
		return h.Largest, nil
	case Percentile:
		return h.percentile(Kept), nil
	case MSE:
		return h.leastError(), nil
	}
	return 0, fmt.Errorf("%w %q, want one of %v", ErrMethod, m, Methods)
}

// percentile returns the upper edge of the first bin up to which at least the given share of all
// activations is counted.
func (h *Histogram) percentile(share float64) float32 {
	all := h.Zeros
	for _, n := range h.Counts {
		all += n
	}
	seen, want := h.Zeros, int64(math.Ceil(share*float64(all)))
	for b, n := range h.Counts[:bins-1] {
		if seen += n; seen >= want {
			return h.edge(b + 1)
		}
	}
	return h.Largest
}

// edge returns the lower edge of a bin.
func (h *Histogram) edge(bin int) float32 { return float32(float64(h.Largest) * float64(bin) / bins) }

// smallestClip is the smallest part of the full range that leastError tries. A smaller range would
// spend more than three bits of the byte on small activations, and their rounding hardly changes
// the verdict.
const smallestClip = 0.1

// leastError tries ranges in steps of 1 % of the full one, the largest first, so that the largest
// of equally good ranges wins.
func (h *Histogram) leastError() float32 {
	best, least := h.Largest, math.Inf(1)
	for percent := 100; percent >= 100*smallestClip; percent-- {
		clip := float64(h.Largest) * float64(percent) / 100
		if e := h.squaredError(clip); e < least {
			best, least = float32(clip), e
		}
	}
	return best
}

// squaredError sums the squared errors of mapping all counted activations to bytes with this range.
// Each bin counts with the value at its centre.
func (h *Histogram) squaredError(clip float64) float64 {
	step := clip / 255
	width := float64(h.Largest) / bins
	sum := 0.0
	for b, n := range h.Counts {
		if n > 0 {
			v := (float64(b) + 0.5) * width
			d := v - min(math.RoundToEven(v/step), 255)*step
			sum += float64(n) * d * d
		}
	}
	return sum
}
