package preprocess_test

import (
	"testing"

	"tirewatch/vision/preprocess"
)

func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		name              string
		pix               []byte
		bright, sharpness float64
	}{
		{"nothing", nil, 0, 0},
		{"flat", []byte{7, 7, 7, 7}, 7, 0},
		{"stripes", []byte{0, 255, 255, 0}, 127.5, 127.5}, // one step of 255 in each row of two
		{"a change between rows is no step", []byte{0, 0, 255, 255}, 127.5, 0},
	} {
		if b, s := preprocess.Measure(c.pix, 2); b != c.bright || s != c.sharpness {
			t.Errorf("%s: brightness %g, sharpness %g; want %g and %g", c.name, b, s, c.bright, c.sharpness)
		}
	}
}
