package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
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
	"tirewatch/vision/infer"
	"tirewatch/vision/preprocess"
)

// The files of a measurement. All hold the same network. Its weights are random, because the speed
// of a dense network does not depend on them.
const (
	bundleFile = "model.tire"
	int8File   = "int8.onnx"
	floatFile  = "float.onnx"
	arrayFile  = "onednn.bin"
	pixelFile  = "pixels.bin" // one drawn tire, preprocessed
)

const seed = 2024

func makeFiles(dir string) error {
	c, err := randomCheckpoint()
	if err != nil {
		return err
	}
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
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		bundleFile: signed,
		int8File:   int8Model.Encode(),
		floatFile:  floatModel.Encode(),
		arrayFile:  arrays(&b.Model),
		pixelFile:  drawnPixels(0),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// randomCheckpoint returns a thesis network before its first training step, but with random biases.
func randomCheckpoint() (*checkpoint.Checkpoint, error) {
	g := graph.Thesis()
	rng := rand.New(rand.NewPCG(seed, 1))
	net, err := nn.New(g, rng)
	if err != nil {
		return nil, err
	}
	c := &checkpoint.Checkpoint{Graph: *g, Params: net.Params(), Spec: preprocess.Thesis(), Threshold: 0.5}
	for _, p := range c.Params {
		if len(p.Shape) == 1 {
			for i := range p.Data {
				p.Data[i] = float32(0.02 * rng.NormFloat64())
			}
		}
	}
	return c, nil
}

// quantized makes the bundle from drawn tires, like `tirewatch quantize`.
func quantized(c *checkpoint.Checkpoint) (*bundle.Bundle, error) {
	job := quantize.Job{Serial: 1, Target: "*", Created: time.Unix(1_700_000_000, 0)}
	for i := range 16 {
		job.Calibration.Pix = append(job.Calibration.Pix, drawnPixels(i))
		job.Calibration.Crack = append(job.Calibration.Crack, i%2 == 1)
	}
	return quantize.Quantize(context.Background(), c, job)
}

// drawnPixels returns the picture of a tire as the network sees it. Every second one is cracked.
func drawnPixels(i int) []byte {
	spec := preprocess.Thesis()
	f := frame.FromImage(synth.Draw(synth.Side, 480, seed, i, i%2 == 1))
	pix := make([]byte, spec.Size())
	if err := spec.Apply(pix, f, f.Bounds()); err != nil {
		panic(fmt.Sprintf("internal error: %v", err))
	}
	return pix
}

// arrays writes the model for onednn/onednn.cpp, which knows the thesis network: for each layer
// with weights the weights (outC, kh, kw, inC) as int8, the biases as int32 and the multipliers as
// float32, then the logit's multiplier; little endian.
func arrays(m *infer.Model) []byte {
	var b bytes.Buffer
	// a bytes.Buffer returns no error
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	for _, l := range m.Layers {
		put(l.W)
		put(l.Bias)
		put(l.Mult)
	}
	put(float32(m.LogitScale))
	return b.Bytes()
}
