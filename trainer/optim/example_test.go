package optim_test

import (
	"fmt"

	"gorgonia.org/tensor"

	"tirewatch/trainer/optim"
)

// The minimum of (p-3)² + (q+1)², whose gradient is (2(p-3), 2(q+1)).
func ExampleAdam() {
	point := tensor.New(tensor.WithBacking([]float32{0, 0}))
	gradient := tensor.New(tensor.WithBacking([]float32{0, 0}))
	a := optim.NewAdam([]*tensor.Dense{point})
	a.Rate = 0.05
	x, g := point.Data().([]float32), gradient.Data().([]float32)
	for range 500 {
		g[0], g[1] = 2*(x[0]-3), 2*(x[1]+1)
		a.Step([]*tensor.Dense{gradient}, 1)
	}
	fmt.Printf("%.2f\n", x)
	// Output: [3.00 -1.00]
}
