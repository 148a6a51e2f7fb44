package kernel_test

import (
	"fmt"

	"tirewatch/vision/kernel"
)

func ExampleNewConv() {
	shape := kernel.ConvShape{
		In:   kernel.Area{H: 3, W: 3, C: 1, Row: 3},
		OutC: 1,
		Conv: kernel.Window{Kernel: 2, Stride: 1, OutH: 2, OutW: 2},
	}
	x := []uint8{
		1, 2, 3,
		4, 5, 6,
		7, 8, 9,
	}
	fastest := kernel.Bodies()[0]
	conv := kernel.NewConv(fastest, shape, []int8{1, 1, 1, 1}, []int32{0}, []float32{0.5})
	dst := make([]uint8, shape.OutSize())
	conv.Run(dst, x)
	fmt.Println(dst) // half the sum of each 2 x 2 window
	// Output: [6 8 12 14]
}
