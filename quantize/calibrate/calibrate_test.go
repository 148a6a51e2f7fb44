package calibrate_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"tirewatch/quantize/calibrate"
)

// scaled is a network with one layer for each factor. Its activations are the pixels times the
// factor.
type scaled []float32

func (s scaled) Logit(pix []byte, observe func(layer int, values []float32)) (float64, error) {
	if len(pix) == 0 {
		return 0, errors.New("empty image")
	}
	for layer, f := range s {
		values := make([]float32, len(pix))
		for i, v := range pix {
			values[i] = f * float32(v)
		}
		observe(layer, values)
	}
	return 0, nil
}

func network(factors ...float32) func() calibrate.Float {
	return func() calibrate.Float { return scaled(factors) }
}

func TestMeasure(t *testing.T) {
	images := [][]byte{{1, 2}, {9, 0}, {3, 3}, {0, 0}}
	last := 0
	got, err := calibrate.Measure(t.Context(), network(1, 0.5, -4), []string{"a", "b"}, images,
		func(done int) { last = done })
	if want := []float32{9, 4.5}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ranges %v, error %v, want %v", got, err, want)
	}
	if last != 4 {
		t.Errorf("progress ended at %d", last)
	}
}

func TestMeasureRefuses(t *testing.T) {
	images := [][]byte{{1, 2}, {9, 0}}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	_, err := calibrate.Measure(t.Context(), network(1, 1), []string{"a"}, nil, nil)
	if !errors.Is(err, calibrate.ErrNoImages) {
		t.Errorf("no images: error %v", err)
	}
	var silent *calibrate.SilentLayerError
	_, err = calibrate.Measure(t.Context(), network(1, 0, 1), []string{"a", "b"}, images, nil)
	if !errors.As(err, &silent) || silent.Layer != "b" {
		t.Errorf("a silent layer: error %v", err)
	}
	for name, f := range map[string]float32{"NaN": nan, "overflow": inf} {
		_, err := calibrate.Measure(t.Context(), network(1, f, 1), []string{"a", "b"}, [][]byte{{1}}, nil)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := calibrate.Measure(t.Context(), network(1, 1), []string{"a"}, [][]byte{{1}, {}}, nil); err == nil {
		t.Error("an empty image: accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := calibrate.Measure(ctx, network(1, 1), []string{"a"}, images, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}
