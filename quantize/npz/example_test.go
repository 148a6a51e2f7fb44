package npz_test

import (
	"fmt"
	"math/rand/v2"

	"tirewatch/quantize/npz"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle/bundletest"
)

// The weights of a network as a NumPy archive, and back again.
func Example() {
	g := bundletest.Graph()
	net, err := nn.New(&g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		panic(err)
	}
	data, err := npz.Encode(&npz.Content{Graph: g, Params: net.Params(), Threshold: 0.375})
	if err != nil {
		panic(err)
	}
	c, err := npz.Decode(data)
	if err != nil {
		panic(err)
	}
	for _, p := range c.Params {
		fmt.Println(p.Name, p.Shape)
	}
	fmt.Println("threshold", c.Threshold)
	// Output:
	// conv1/w [3 3 3 1]
	// conv1/b [3]
	// dense1/w [5 12]
	// dense1/b [5]
	// dense2/w [1 5]
	// dense2/b [1]
	// threshold 0.375
}
