package f32_test

import (
	"fmt"

	"tirewatch/trainer/nn/f32"
)

// A convolution of 2 x 2 windows with stride 1 over a 2 x 3 image: one output channel that adds the
// four values of a window.
func ExampleRows() {
	x := []float32{
		1, 2, 3,
		4, 5, 6,
	}
	v := f32.Windows{Step: 1, Runs: 2, RunLen: 2, RunStride: 3}
	dst := make([]float32, 2)
	f32.Rows(dst, x, 2, v, []float32{1, 1, 1, 1}, []float32{0})
	fmt.Println(dst)
	// Output: [12 16]
}
