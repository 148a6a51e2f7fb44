package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"tirewatch/quantize/convert"
	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/pixels"
	"tirewatch/trainer/synth"
	"tirewatch/trainer/transfer"
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

var tunedSpec = preprocess.Spec{Width: tunedSide, Height: tunedSide, Filter: preprocess.FilterTriangle}

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
	for i := range tunedBatch {
		f := frame.FromImage(synth.Draw(synth.Side, 480, seed, i, i%2 == 1))
		pix := make([]byte, tunedSpec.Size())
		if err := tunedSpec.Apply(pix, f, f.Bounds()); err != nil {
			return s, err
		}
		s.pix, s.crack = append(s.pix, pix), append(s.crack, i%2 == 1)
	}
	return s, nil
}

// timeTuning times fine-tuning steps on the batch of dir, like timeSteps. With how "bare", they are
// the trainer's own step in float32, as in PyTorch. With "train", they are all that tirewatch train
// does for a batch: views of the images, frozen layers in int8, and the step.
func timeTuning(dir, threads, how string) error {
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
	switch how {
	case "bare":
		l := newLoop(s, tunedGraph(), net)
		l.stepper.Adam.Rate = tunedRate
		l.stepper.Adam.Decay(tunedDecay, net.Decaying())
		var loss float64
		for range 3 {
			loss = l.step(0, len(s.pix))
		}
		report(loss, func() { l.step(0, len(s.pix)) })
		return nil
	case "train":
		return timeFineTune(s, net)
	}
	return fmt.Errorf("tune %q: want bare or train", how)
}

// timeFineTune times epochs of one batch.
func timeFineTune(s sampleSet, net *nn.Net) error {
	c := &checkpoint.Checkpoint{Graph: *tunedGraph(), Params: net.Params(), Spec: tunedSpec, Threshold: 0.5}
	ranges := slices.Repeat([]float32{graph.MaxReLU6}, len(c.Params)/2-1)
	var err error
	cfg := transfer.FineTuneDefaults(tunedSide)
	if cfg.Trunk, err = convert.Convert(&c.Graph, c.Params, ranges); err != nil {
		return err
	}
	var samples []trainer.Sample
	for i, pix := range s.pix {
		samples = append(samples, trainer.Sample{Pix: pixels.Of(pix), Crack: s.crack[i]})
	}
	cfg.Epochs = 1000
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := time.Now()
	last, spans := began, []time.Duration(nil)
	_, err = transfer.FineTune(ctx, cfg, c, "block5", samples, func(epoch, _, _ int) {
		if epoch > 3 { // the first steps warm up
			spans = append(spans, time.Since(last))
		} else {
			began = time.Now()
		}
		if last = time.Now(); len(spans) >= fewestSteps && time.Since(began) >= stepSpan {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		return err
	}
	printSpans(spans, 0)
	return nil
}

// fineTuning compares the fine-tuning with PyTorch's round by round, on two cores.
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
	const threads = "2"
	script, env := filepath.Join(scripts, "finetune.py"), []string{"OMP_NUM_THREADS=" + threads}
	all := []*contender{
		{name: "tirewatch, all that train does", env: env, args: []string{self, "tune", dir, threads, "train"}, apart: true},
		{name: "tirewatch, bare steps in float32", env: env, args: []string{self, "tune", dir, threads, "bare"}},
		{name: "PyTorch", env: env, args: []string{python, script, dir, threads}},
		{name: "PyTorch, memory kept", env: slices.Concat(env, memoryKept), args: []string{python, script, dir, threads}},
	}
	for _, c := range all {
		c.threads = 2
	}
	if err := inTurns(all, rounds); err != nil {
		return err
	}
	if err := speeds(w, "fine-tuning", all, tunedBatch, rounds); err != nil {
		return err
	}
	return sameLosses(all)
}
