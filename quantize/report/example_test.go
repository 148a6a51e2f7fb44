package report_test

import (
	"context"
	"os"

	"tirewatch/quantize/report"
	"tirewatch/vision/verdict"
)

// Two networks of one pixel: the int8 network finds a crack from 100 on, the float network from
// 110. Only the image 105 gets another verdict.
func ExampleCompare() {
	images, crack := [][]byte{{0}, {99}, {105}, {200}}, []bool{false, false, false, true}
	r, err := report.Compare(context.Background(), newShifted, brightness(), []float32{255}, images, nil)
	if err != nil {
		panic(err)
	}
	quantization, evaluation, err := r.Judge(crack, verdict.Policy{Threshold: 0.5})
	if err != nil {
		panic(err)
	}
	evaluation.HeldOut = true
	quantization.Layers = nil // a table of its own
	if err := report.Write(os.Stdout, quantization, evaluation); err != nil {
		panic(err)
	}
	// Output:
	// compared on                         4 testing images
	// float accuracy                      100.00 %
	// int8 accuracy                       75.00 %
	// same verdict                        75.00 %
	// largest change of probability       0.0500
	// mean change of the logit            0.2000
	// int8: cracks found, missed          1, 0
	// int8: normal passed, false rejects  2, 1
}
