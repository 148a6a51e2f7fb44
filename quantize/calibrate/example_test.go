package calibrate_test

import (
	"context"
	"fmt"

	"tirewatch/quantize/calibrate"
)

// 20,000 activations from 0 to 249 and one outlier of 1000: each method chooses another range.
func ExampleMeasure() {
	ctx, newFloat := context.Background(), func() calibrate.Float { return ramp{outlier: 1000} }
	images := evenImages(20)
	largest, err := calibrate.Measure(ctx, newFloat, []string{"conv1"}, images, nil)
	if err != nil {
		panic(err)
	}
	histograms, err := calibrate.Count(ctx, newFloat, largest, images, nil)
	if err != nil {
		panic(err)
	}
	for _, m := range calibrate.Methods {
		r, err := histograms[0].Range(m)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %.0f becomes 255\n", m, r)
	}
	// Output:
	// minmax: 1000 becomes 255
	// percentile: 249 becomes 255
	// mse: 970 becomes 255
}
