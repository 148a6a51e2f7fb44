package trainer_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// A tiny network learns to separate dark images, which stand for cracks, from light ones.
func ExampleTrainer_Run() {
	g := &graph.Graph{Input: graph.Shape{H: 4, W: 4, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 1, Activation: graph.Sigmoid},
	}}
	spec := preprocess.Spec{Width: 4, Height: 4, Filter: preprocess.FilterTriangle}
	var samples []trainer.Sample
	for level := range byte(20) {
		pix := bytes.Repeat([]byte{12 * level}, spec.Size())
		samples = append(samples, trainer.Sample{Pix: pixels.Of(pix), Crack: level < 10})
	}
	cfg := checkpoint.Config{Epochs: 100, Batch: 4, Rate: 0.02, Seed: 1}
	t, err := trainer.New(cfg, g, spec, samples, samples)
	if err != nil {
		log.Fatal(err)
	}
	if err := t.Run(context.Background(), trainer.Observer{}); err != nil {
		log.Fatal(err)
	}
	best := t.History()[t.Best().BestEpoch-1]
	fmt.Println("accuracy above 0.9:", best.ValAccuracy > 0.9)
	// Output: accuracy above 0.9: true
}
