package checkpoint_test

import (
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// Writes new weights of the thesis network to a file and reads them back.
func ExampleWrite() {
	dir, err := os.MkdirTemp("", "checkpoint")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	g := graph.Thesis()
	net, err := nn.New(g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "last.ckpt")
	err = checkpoint.Write(path, &checkpoint.Checkpoint{Graph: *g, Spec: preprocess.Thesis(), Params: net.Params(), Threshold: 0.5})
	if err != nil {
		log.Fatal(err)
	}
	c, err := checkpoint.Read(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Params[0].Name, c.Params[0].Shape, c.Threshold)
	// Output: conv1/w [128 3 3 1] 0.5
}
