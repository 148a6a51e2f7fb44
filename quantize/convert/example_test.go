package convert_test

import (
	"fmt"

	"tirewatch/quantize/convert"
)

// A network of two pixels, two hidden units and the output. Calibration found 2.55 as the range of
// the hidden layer, so one of its byte steps is 0.01.
func ExampleConvert() {
	g, params := dense()
	m, err := convert.Convert(g, params, []float32{2.55})
	if err != nil {
		panic(err)
	}
	fmt.Println("float weights", params[0].Data, "biases", params[1].Data)
	hidden := m.Layers[0]
	fmt.Println("int8 weights ", int8s(hidden.W), "biases", hidden.Bias)
	// Output:
	// float weights [1.27 -0.635 0.05 0.0254] biases [0.5 -0.1]
	// int8 weights  [127 -64 127 65] biases [12750 -64770]
}
