package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tirewatch/vision/bundle"
	"tirewatch/vision/infer"
)

// engine is a runtime that has loaded the network and the image.
type engine interface {
	Run() error
	Logit() float64 // logit of the last Run
}

// open loads the network of dir into a runtime: tirewatch, ort (int8) or ort-float.
func open(name, dir string, threads int) (engine, error) {
	pix, err := os.ReadFile(filepath.Join(dir, pixelFile))
	if err != nil {
		return nil, err
	}
	switch name {
	case "tirewatch":
		return openOurs(filepath.Join(dir, bundleFile), pix, threads)
	case "ort":
		return openORT(filepath.Join(dir, int8File), pix, threads)
	case "ort-float":
		scaled := make([]float32, len(pix))
		for i, v := range pix {
			scaled[i] = float32(v) / 255
		}
		return openORT(filepath.Join(dir, floatFile), scaled, threads)
	}
	return nil, fmt.Errorf("unknown runtime %q: want tirewatch, ort or ort-float", name)
}

// ours is the runner of package infer.
type ours struct {
	model  *infer.Model
	runner *infer.Runner
	pix    []byte
	sum    int32
}

func openOurs(path string, pix []byte, threads int) (engine, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Inspect(data)
	if err != nil {
		return nil, err
	}
	r, err := infer.NewRunner(&b.Model, infer.Threads(threads))
	if err != nil {
		return nil, err
	}
	return &ours{model: &b.Model, runner: r, pix: pix}, nil
}

func (o *ours) Run() (err error) {
	o.sum, err = o.runner.Run(o.pix)
	return err
}

func (o *ours) Logit() float64 { return o.model.Logit(o.sum) }

// How long one process is timed. The runtimes run round by round, so that a slow phase of the
// machine affects all of them.
const (
	warmUp    = 150 * time.Millisecond
	timedSpan = 500 * time.Millisecond
	fewest    = 5 // inferences
)

// timeRuntime prints the median and the smallest time of an inference in ms, the number of
// inferences, and the logit.
func timeRuntime(name, dir, threads string) error {
	n, err := positive(threads)
	if err != nil {
		return err
	}
	e, err := open(name, dir, n)
	if err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < warmUp; {
		if err := e.Run(); err != nil {
			return err
		}
	}
	var spans []time.Duration
	for began := time.Now(); len(spans) < fewest || time.Since(began) < timedSpan; {
		t := time.Now()
		if err := e.Run(); err != nil {
			return err
		}
		spans = append(spans, time.Since(t))
	}
	slices.Sort(spans)
	ms := func(d time.Duration) float64 { return d.Seconds() * 1e3 }
	fmt.Printf("%.4f %.4f %d %.9g\n", ms(spans[len(spans)/2]), ms(spans[0]), len(spans), e.Logit())
	return nil
}

// repeat runs a runtime a number of times on one thread.
func repeat(name, dir, times string) error {
	n, err := positive(times)
	if err != nil {
		return err
	}
	e, err := open(name, dir, 1)
	if err != nil {
		return err
	}
	for range n {
		if err := e.Run(); err != nil {
			return err
		}
	}
	fmt.Printf("%.9g\n", e.Logit())
	return nil
}
