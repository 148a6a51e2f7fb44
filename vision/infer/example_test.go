package infer_test

import (
	"fmt"
	"log"

	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

func ExampleRunner_Run() {
	// one unit on an image of two pixels: 3*a - b + 10
	model := &infer.Model{
		Graph: graph.Graph{
			Input:  graph.Shape{H: 1, W: 1, C: 2},
			Layers: []graph.Layer{{Kind: graph.Dense, Name: "unit", Filters: 1, Activation: graph.Sigmoid}},
		},
		Layers:     []infer.Layer{{Name: "unit", W: []byte{3, 0xff}, Bias: []int32{10}}},
		LogitScale: 0.5,
	}
	runner, err := infer.NewRunner(model)
	if err != nil {
		log.Fatal(err)
	}
	sum, err := runner.Run([]byte{2, 5})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sum", sum, "logit", model.Logit(sum))
	// Output: sum 11 logit 5.5
}
