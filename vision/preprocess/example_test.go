package preprocess_test

import (
	"fmt"
	"image"

	"tirewatch/vision/frame"
	"tirewatch/vision/preprocess"
)

func ExampleSpec_Apply() {
	f := frame.NewGray(1920, 1080)
	for i := range f.Pix {
		f.Pix[i] = 120
	}
	spec := preprocess.Thesis()
	input := make([]byte, spec.Size())
	err := spec.Apply(input, f, image.Rect(420, 0, 1500, 1080))
	brightness, sharpness := preprocess.Measure(input, spec.Width)
	fmt.Println(spec.Width, "x", spec.Height, err, brightness, sharpness)
	// Output: 379 x 379 <nil> 120 0
}
