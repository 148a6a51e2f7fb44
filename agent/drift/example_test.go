package drift_test

import (
	"fmt"

	"tirewatch/agent/drift"
	"tirewatch/vision/bundle"
	"tirewatch/vision/verdict"
)

func Example() {
	reference := &bundle.Reference{Brightness: bundle.Statistic{N: 500, Mean: 110, SD: 12}}
	w := drift.New(reference, drift.Options{Window: 200, Least: 3, Limit: 2})
	for range 3 { // three tires under a dead lamp
		for _, f := range w.Observe(drift.Observation{Brightness: 70, Label: verdict.Normal}) {
			fmt.Println(f.Alarm, f)
		}
	}
	// Output:
	// true brightness is 70 on average, 3.3 standard deviations below the reference of 110: darker than in training: check lamps, exposure and the lens
}
