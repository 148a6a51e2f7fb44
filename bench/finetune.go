package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"tirewatch/trainer/nn"
	"tirewatch/trainer/synth"
	"tirewatch/vision/frame"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// The fine-tuning that is compared: the mobile network to block 9, of which blocks 5 to 9 and the
// head are trained. torch/mobile.py has the same.
const (
	tunedSide  = 448 // px
	tunedBatch = 16
	tunedRate  = 2e-4
	tunedDecay = 1e-3
)

func tunedGraph() *graph.Graph { return graph.Mobile(tunedSide, 9) }

// tunedNet returns the network with random weights whose scale keeps the activations between the
// limits of ReLU6, and the layers below block 5 frozen.
func tunedNet() (*nn.Net, error) {
	rng := rand.New(rand.NewPCG(seed, 3))
	net, err := nn.New(tunedGraph(), rng)
	if err != nil {
		return nil, err
	}
	var frozen []string
	below := true
	for _, p := range net.Params() {
		layer, part, _ := strings.Cut(p.Name, "/")
		if below = below && layer != "depthwise5"; below && part == "w" {
			frozen = append(frozen, layer)
		}
		for i := range p.Data {
			if part == "b" {
				p.Data[i] = float32(0.1 + 0.02*rng.NormFloat64())
			} else if layer != "score" {
				p.Data[i] *= 1.5
			}
		}
	}
	net.Changed()
	return net, net.Freeze(frozen)
}

// drawTuned draws the batch of the fine-tuning.
func drawTuned() (s sampleSet, err error) {
	spec := preprocess.Spec{Width: tunedSide, Height: tunedSide, Filter: preprocess.FilterTriangle}
	for i := range tunedBatch {
		f := frame.FromImage(synth.Draw(synth.Side, 480, seed, i, i%2 == 1))
		pix := make([]byte, spec.Size())
		if err := spec.Apply(pix, f, f.Bounds()); err != nil {
			return s, err
		}
		s.pix, s.crack = append(s.pix, pix), append(s.crack, i%2 == 1)
	}
	return s, nil
}

// timeTuning times fine-tuning steps on the batch of dir, like timeSteps.
func timeTuning(dir, threads string) error {
	n, err := positive(threads)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(n)
	s, err := readSamples(dir, tunedGraph())
	if err != nil {
		return err
	}
	net, err := tunedNet()
	if err != nil {
		return err
	}
	l := newLoop(s, tunedGraph(), net)
	l.stepper.Adam.Rate = tunedRate
	l.stepper.Adam.Decay(tunedDecay, net.Decaying())
	var loss float64
	for range 3 {
		loss = l.step(0, len(s.pix))
	}
	report(loss, func() { l.step(0, len(s.pix)) })
	return nil
}

// fineTuning compares the fine-tuning with PyTorch's round by round, as training does.
func fineTuning(w io.Writer, dir, scripts string, rounds int) error {
	s, err := drawTuned()
	if err != nil {
		return err
	}
	net, err := tunedNet()
	if err != nil {
		return err
	}
	if err := writeSamples(dir, net.Params(), s); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	script := filepath.Join(scripts, "finetune.py")
	var all []*contender
	for _, threads := range []int{2, 1} {
		n := fmt.Sprint(threads)
		env := []string{"OMP_NUM_THREADS=" + n}
		all = append(all,
			&contender{name: "tirewatch", threads: threads, env: env, args: []string{self, "tune", dir, n}},
			&contender{name: "PyTorch", threads: threads, env: env, args: []string{python, script, dir, n}},
			&contender{name: "PyTorch, memory kept", threads: threads, env: slices.Concat(env, memoryKept),
				args: []string{python, script, dir, n}})
	}
	if err := inTurns(all, rounds); err != nil {
		return err
	}
	if err := speeds(w, "fine-tuning", all, tunedBatch, rounds); err != nil {
		return err
	}
	return sameLosses(all)
}
