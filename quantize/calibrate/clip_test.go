package calibrate_test

import (
	"errors"
	"math"
	"testing"

	"tirewatch/quantize/calibrate"
)

// ramp is a network with one measured layer. A pixel v becomes activation v, but 255 becomes the
// outlier.
type ramp struct{ outlier float32 }

func (r ramp) Logit(pix []byte, observe func(layer int, values []float32)) (float64, error) {
	values := make([]float32, len(pix))
	for i, v := range pix {
		values[i] = float32(v)
		if v == 255 {
			values[i] = r.outlier
		}
	}
	observe(0, values)
	return 0, nil
}

// evenImages makes images of 1000 values from 0 to 250, and one outlier in the first image.
func evenImages(images int) [][]byte {
	var all [][]byte
	for range images {
		pix := make([]byte, 1000)
		for i := range pix {
			pix[i] = byte(i / 4)
		}
		all = append(all, pix)
	}
	all[0][500] = 255
	return all
}

func ranges(t *testing.T, outlier float32, images [][]byte) map[calibrate.Method]float64 {
	t.Helper()
	newFloat := func() calibrate.Float { return ramp{outlier} }
	largest, err := calibrate.Measure(t.Context(), newFloat, []string{"a"}, images, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := calibrate.Count(t.Context(), newFloat, largest, images, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[calibrate.Method]float64)
	for _, m := range calibrate.Methods {
		r, err := h[0].Range(m)
		if err != nil {
			t.Fatal(err)
		}
		got[m] = float64(r)
	}
	return got
}

// One outlier among 20,000 activations. MinMax follows it. Percentile clips it, and one value in
// 10,000 with it. MSE weighs the clipping of the outlier against the coarser steps, 1000/255, of
// all other values.
func TestRanges(t *testing.T) {
	got := ranges(t, 1000, evenImages(20))
	if got[calibrate.MinMax] != 1000 {
		t.Errorf("min-max %g", got[calibrate.MinMax])
	}
	// The bins are 1000/8160 wide. Expect the first edge above 249.
	if r := got[calibrate.Percentile]; r < 249 || r > 249.2 {
		t.Errorf("percentile %g, want just above 249", r)
	}
	// With range 1000 the error is at most 20000 * (1000/255)²/12 = 26,000. With 750 it is 250² +
	// 14,000, so the outlier is kept.
	if r := got[calibrate.MSE]; r < 900 {
		t.Errorf("mse %g for one outlier among 20,000", r)
	}
	// Among 2,000,000 activations the outlier is clipped: half the range costs 500² and saves
	// 2,000,000 * ((1000/255)² - (500/255)²)/12.
	if r := ranges(t, 1000, evenImages(2000))[calibrate.MSE]; r < 250 || r > 510 {
		t.Errorf("mse %g for one outlier among 2,000,000", r)
	}
}

// Without an outlier, all methods keep nearly everything.
func TestRangesWithoutOutlier(t *testing.T) {
	for m, r := range ranges(t, 250, evenImages(20)) {
		if r < 245 || r > 250 {
			t.Errorf("%s %g, want about 250", m, r)
		}
	}
}

func TestUnknownMethod(t *testing.T) {
	if _, err := new(calibrate.Histogram).Range("entropy"); !errors.Is(err, calibrate.ErrMethod) {
		t.Errorf("error %v, want ErrMethod", err)
	}
	if _, err := calibrate.Count(t.Context(), nil, nil, nil, nil); !errors.Is(err, calibrate.ErrNoImages) {
		t.Errorf("error %v, want ErrNoImages", err)
	}
}

// Every value is counted once, the largest in the last bin.
func TestCount(t *testing.T) {
	newFloat := func() calibrate.Float { return scaled{0.5} }
	h, err := calibrate.Count(t.Context(), newFloat, []float32{100}, [][]byte{{0, 1, 200}, {0, 200, 7}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := len(h[0].Counts) - 1
	if h[0].Zeros != 2 || h[0].Counts[last] != 2 || h[0].Counts[int(math.Floor(0.5*float64(last+1)/100))] != 1 {
		t.Errorf("%d zeros, %d in the last bin", h[0].Zeros, h[0].Counts[last])
	}
}
