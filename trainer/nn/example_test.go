package nn_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// One training step on a white image that is labelled as cracked. The gradient of the bias is
// negative: a larger bias makes a crack more probable.
func ExampleWorker_Step() {
	g := &graph.Graph{Input: graph.Shape{H: 2, W: 2, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 1, Activation: graph.Sigmoid},
	}}
	rng := rand.New(rand.NewPCG(1, 1))
	net, err := nn.New(g, rng)
	if err != nil {
		log.Fatal(err)
	}
	gradients := net.NewGradients()
	result := net.NewWorker().Step([]float32{1, 1, 1, 1}, 1, rng, gradients)
	bias := gradients.Tensors[1].Data().([]float32)[0]
	fmt.Println(result.Loss > 0, bias < 0)
	// Output: true true
}
