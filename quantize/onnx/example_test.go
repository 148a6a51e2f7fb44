package onnx_test

import (
	"fmt"
	"math/rand/v2"

	"tirewatch/quantize/onnx"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle/bundletest"
)

// A trained network as the bytes of an ONNX file, and back again.
func ExampleImport() {
	g := bundletest.Graph()
	net, err := nn.New(&g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		panic(err)
	}
	file, err := onnx.Float(&g, net.Params())
	if err != nil {
		panic(err)
	}
	m, err := onnx.Decode(file.Encode())
	if err != nil {
		panic(err)
	}
	n, err := onnx.Import(m, onnx.Options{})
	if err != nil {
		panic(err)
	}
	for _, p := range n.Params {
		fmt.Println(p.Name, p.Shape)
	}
	// Output:
	// conv1/w [3 3 3 1]
	// conv1/b [3]
	// dense1/w [5 12]
	// dense1/b [5]
	// dense2/w [1 5]
	// dense2/b [1]
}
