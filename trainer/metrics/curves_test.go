package metrics_test

import (
	"math"
	"reflect"
	"testing"

	"tirewatch/trainer/metrics"
)

// Published values: the interval of 81 of 263, and those of 0 of 20 and 1 of 29, are from
// Newcombe's table I (1998).
func TestWilsonAsPublished(t *testing.T) {
	for _, c := range []struct {
		k, n   int
		lo, hi float64
	}{
		{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718},
		{20, 20, 0.8389, 1}, {0, 0, 0, 1},
	} {
		lo, hi := metrics.Wilson(c.k, c.n, metrics.Z95)
		if math.Abs(lo-c.lo) > 5e-5 || math.Abs(hi-c.hi) > 5e-5 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", c.k, c.n, lo, hi, c.lo, c.hi)
		}
	}
}

// Areas as computed by scikit-learn. The first is the example in its documentation; ties count
// once.
func TestAreas(t *testing.T) {
	for _, c := range []struct {
		name      string
		scores    []float64
		labels    []bool
		roc, prec float64
	}{
		{"scikit-learn's example", []float64{.1, .4, .35, .8}, []bool{F, F, T, T}, .75, 0.5 + 0.5*2./3},
		{"perfect", []float64{.1, .2, .8, .9}, []bool{F, F, T, T}, 1, 1},
		{"upside down", []float64{.9, .8, .2, .1}, []bool{F, F, T, T}, 0, 0.5*1./3 + 0.5*2./4},
		{"all the same", []float64{.5, .5, .5, .5}, []bool{F, T, F, F}, .5, .25},
		{"a tie of both", []float64{.9, .6, .6, .1}, []bool{T, T, F, F}, .875, 0.5 + 0.5*2./3},
	} {
		near(t, c.name+", ROC", metrics.ROCAUC(c.scores, c.labels), c.roc)
		near(t, c.name+", precision-recall", metrics.AveragePrecision(c.scores, c.labels), c.prec)

		// The trapezoids under the drawn ROC curve have the same area as the one from the ranks.
		area, x, y := 0.0, 0.0, 0.0
		for _, cut := range metrics.Cuts(c.scores, c.labels) {
			nx, ny := cut.FalseRejectRate(), cut.Crack().Recall
			area += (nx - x) * (ny + y) / 2
			x, y = nx, ny
		}
		near(t, c.name+", trapezoids", area, c.roc)
	}
}

func TestCuts(t *testing.T) {
	want := []metrics.Cut{
		{.9, metrics.Matrix{TP: 1, FN: 1, TN: 2}},
		{.6, metrics.Matrix{TP: 2, FP: 1, TN: 1}},
		{.1, metrics.Matrix{TP: 2, FP: 2}},
	}
	scores, labels := []float64{.6, .1, .9, .6}, []bool{T, F, T, F}
	got := metrics.Cuts(scores, labels)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	for _, c := range got {
		if m := metrics.Confusion(scores, labels, c.Threshold); m != c.Matrix {
			t.Errorf("at %g: %+v, want %+v", c.Threshold, c.Matrix, m)
		}
	}
}

func TestCalibration(t *testing.T) {
	bins := metrics.Calibration([]float64{0, .1, .3, 1, .8}, []bool{F, F, T, T, F}, 4)
	want := []metrics.Bin{{Lo: 0, Hi: .25, Images: 2, Mean: .05}, {Lo: .25, Hi: .5, Images: 1, Cracks: 1, Mean: .3}, {Lo: .5, Hi: .75},
		{Lo: .75, Hi: 1, Images: 2, Cracks: 1, Mean: .9}}
	if !reflect.DeepEqual(bins, want) {
		t.Errorf("got %+v\nwant %+v", bins, want)
	}
	near(t, "calibration error", metrics.CalibrationError(bins), (.1+.7+.8)/5)
	near(t, "calibration error without images", metrics.CalibrationError(nil), 0)
}
