package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"tirewatch/quantize"
	"tirewatch/quantize/onnx"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/frame"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// The files of a measurement, in a folder for each network. All hold the same weights. They are
// random, because the speed of a network does not depend on them.
const (
	bundleFile     = "model.tire"
	int8File       = "int8.onnx"
	floatFile      = "float.onnx"
	arrayFile      = "onednn.bin"
	floatArrayFile = "onednn-float.bin"
	pixelFile      = "pixels.bin" // one drawn tire, preprocessed
)

const seed = 2024

// measured are the networks to measure, with the names of their folders. The first one is also the
// network of the trainings.
var measured = []struct {
	name  string
	graph *graph.Graph
	arm   bool // short enough for an emulator
}{
	{"thesis", graph.Thesis(), true},
	{"mobile-224-7", graph.Mobile(224, 7), true},
	{"mobile-224-9", graph.Mobile(224, 9), true},
	{"mobile-448-9", graph.Mobile(448, 9), false},
}

func makeFiles(dir string) error {
	for _, n := range measured {
		c, err := randomNetwork(n.graph)
		if err != nil {
			return err
		}
		if err := makeNetwork(filepath.Join(dir, n.name), c); err != nil {
			return err
		}
	}
	return nil
}

func makeNetwork(dir string, c *checkpoint.Checkpoint) error {
	b, err := quantized(c)
	if err != nil {
		return err
	}
	signed, err := bundle.Encode(b, bundletest.Key(1))
	if err != nil {
		return err
	}
	int8Model, err := onnx.Int8(&b.Model)
	if err != nil {
		return err
	}
	floatModel, err := onnx.Float(&c.Graph, c.Params)
	if err != nil {
		return err
	}
	int8Arrays, floatArrays, err := arrays(&b.Model, c.Params)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		bundleFile:     signed,
		int8File:       int8Model.Encode(),
		floatFile:      floatModel.Encode(),
		arrayFile:      int8Arrays,
		floatArrayFile: floatArrays,
		pixelFile:      drawnFor(c.Spec, 0),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// randomCheckpoint returns a thesis network before its first training step, but with random biases.
func randomCheckpoint() (*checkpoint.Checkpoint, error) { return randomNetwork(graph.Thesis()) }

// randomNetwork returns a network before its first training step, but with random biases.
func randomNetwork(g *graph.Graph) (*checkpoint.Checkpoint, error) {
	rng := rand.New(rand.NewPCG(seed, 1))
	net, err := nn.New(g, rng)
	if err != nil {
		return nil, err
	}
	c := &checkpoint.Checkpoint{Graph: *g, Params: net.Params(), Threshold: 0.5,
		Spec: preprocess.Spec{Width: g.Input.W, Height: g.Input.H, Filter: preprocess.FilterTriangle}}
	if g.Layers[len(g.Layers)-1].Kind == graph.TopMean {
		widen(c.Params, rng)
		return c, nil
	}
	for _, p := range c.Params {
		if len(p.Shape) == 1 {
			for i := range p.Data {
				p.Data[i] = float32(0.02 * rng.NormFloat64())
			}
		}
	}
	return c, nil
}

// widen draws weights that fill the range of ReLU6 and keep the differences between images through
// many layers. Like those of a trained network, they have a normal distribution.
func widen(params []nn.Param, rng *rand.Rand) {
	for i, p := range params {
		size := 0.3 // of biases
		if len(p.Shape) > 1 {
			size = 2 / math.Sqrt(float64(len(p.Data)/p.Shape[0]))
		}
		if i == 0 {
			size *= 3 // pixels are at most 1
		}
		for k := range p.Data {
			p.Data[k] = float32(size * rng.NormFloat64())
		}
	}
}

// quantized makes the bundle from drawn tires, like `tirewatch quantize`.
func quantized(c *checkpoint.Checkpoint) (*bundle.Bundle, error) {
	// a network with random weights may not agree with itself
	job := quantize.Job{Serial: 1, Target: "*", Created: time.Unix(1_700_000_000, 0), Force: true}
	for i := range 16 {
		job.Calibration.Pix = append(job.Calibration.Pix, drawnFor(c.Spec, i))
		job.Calibration.Crack = append(job.Calibration.Crack, i%2 == 1)
	}
	return quantize.Quantize(context.Background(), c, job)
}

// drawnPixels returns the picture of a tire as the thesis network sees it. Every second one is
// cracked.
func drawnPixels(i int) []byte { return drawnFor(preprocess.Thesis(), i) }

func drawnFor(spec preprocess.Spec, i int) []byte {
	f := frame.FromImage(synth.Draw(synth.Side, 480, seed, i, i%2 == 1))
	pix := make([]byte, spec.Size())
	if err := spec.Apply(pix, f, f.Bounds()); err != nil {
		panic(fmt.Sprintf("internal error: %v", err))
	}
	return pix
}
