package main

import (
	"fmt"
	"math"
	"os"

	ort "github.com/yalue/onnxruntime_go"

	"tirewatch/quantize/onnx"
)

// ortEnv names the library of ONNX Runtime. Version 1.13.0 of the binding uses interface 20, which
// ONNX Runtime has from version 1.20 on.
const ortEnv = "ORT_LIBRARY"

// startORT loads the library. It is used for one model and until the process ends.
func startORT() error {
	path := os.Getenv(ortEnv)
	if path == "" {
		return fmt.Errorf("set %s to the path of ONNX Runtime's library, libonnxruntime.so.1", ortEnv)
	}
	if ort.IsInitialized() {
		return nil
	}
	ort.SetSharedLibraryPath(path)
	return ort.InitializeEnvironment()
}

// ortEngine is ONNX Runtime with its default settings, which include all optimizations.
type ortEngine struct {
	session *ort.AdvancedSession
	logit   *ort.Tensor[float32]
}

func openORT[T uint8 | float32](path string, image []T, threads int) (engine, error) {
	if err := startORT(); err != nil {
		return nil, err
	}
	side := int64(math.Sqrt(float64(len(image)))) // one channel
	x, err := ort.NewTensor(ort.NewShape(1, 1, side, side), image)
	if err != nil {
		return nil, err
	}
	y, err := ort.NewEmptyTensor[float32](ort.NewShape(1, 1))
	if err != nil {
		return nil, err
	}
	options, err := sessionOptions(threads)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	s, err := ort.NewAdvancedSession(path, []string{onnx.Image}, []string{onnx.Logit}, []ort.ArbitraryTensor{x}, []ort.ArbitraryTensor{y}, options)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return &ortEngine{s, y}, nil
}

func sessionOptions(threads int) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	if err := o.SetIntraOpNumThreads(threads); err != nil {
		return nil, err
	}
	return o, o.SetInterOpNumThreads(1)
}

func (e *ortEngine) Run() error { return e.session.Run() }

func (e *ortEngine) Logit() float64 { return float64(e.logit.GetData()[0]) }
