package graph_test

import (
	"fmt"
	"log"

	"tirewatch/vision/graph"
)

func ExampleGraph_Plan() {
	steps, err := graph.Thesis().Plan()
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range steps[:2] {
		fmt.Printf("%s: %v -> %v, live %v\n", s.Name, s.In, s.Out, s.LiveOut)
	}
	params, macs, live := graph.Totals(steps)
	fmt.Println(params, "parameters,", macs, "multiply-accumulates,", live, "live")
	// Output:
	// conv1: 379 x 379 x 1 -> 189 x 189 x 128, live 170 x 170 x 128
	// pool1: 189 x 189 x 128 -> 94 x 94 x 128, live 85 x 85 x 128
	// 108657 parameters, 199418048 multiply-accumulates, 165220928 live
}
