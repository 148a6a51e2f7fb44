package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"tirewatch/internal/each"
	"tirewatch/trainer"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// The files that all frameworks start their training from.
const (
	// float32, little endian: weights (outC, kh, kw, inC) and biases of each layer, alternating
	weightFile    = "weights.bin"
	trainingFile  = "pixels.bin" // drawn tires, preprocessed, one after the other
	labelFile     = "labels.bin" // one byte per image: 1 for a crack
	trainingBatch = 64
)

// sampleSet holds images of drawn tires.
type sampleSet struct {
	pix   [][]byte
	crack []bool
}

// drawSamples draws n tires. Every second one is cracked.
func drawSamples(n int) (sampleSet, error) {
	s := sampleSet{pix: make([][]byte, n), crack: make([]bool, n)}
	stateless := func() (struct{}, error) { return struct{}{}, nil }
	err := each.Run(context.Background(), n, stateless, func(_ struct{}, i int) error {
		s.pix[i], s.crack[i] = drawnPixels(i), i%2 == 1
		return nil
	}, nil, nil)
	return s, err
}

// drawFiles writes the files of a training with new weights and n images.
func drawFiles(dir string, n int) error {
	c, err := randomCheckpoint()
	if err != nil {
		return err
	}
	s, err := drawSamples(n)
	if err != nil {
		return err
	}
	return writeSamples(dir, c.Params, s)
}

// writeSamples writes the files of a training into dir, which it creates.
func writeSamples(dir string, params []nn.Param, s sampleSet) error {
	var weights, labels bytes.Buffer
	for _, p := range params {
		binary.Write(&weights, binary.LittleEndian, p.Data) // a bytes.Buffer returns no error
	}
	binary.Write(&labels, binary.LittleEndian, s.crack)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{weightFile: weights.Bytes(), trainingFile: slices.Concat(s.pix...), labelFile: labels.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// readSamples reads the images of dir, which have the size that g takes.
func readSamples(dir string, g *graph.Graph) (s sampleSet, err error) {
	pix, err := os.ReadFile(filepath.Join(dir, trainingFile))
	if err != nil {
		return s, err
	}
	labels, err := os.ReadFile(filepath.Join(dir, labelFile))
	if err != nil {
		return s, err
	}
	size := g.Input.Size()
	if len(labels) == 0 || len(pix) != len(labels)*size {
		return s, fmt.Errorf("%s: %d bytes of images and %d labels, want %d bytes per label",
			dir, len(pix), len(labels), size)
	}
	s.pix = slices.Collect(slices.Chunk(pix, size))
	for _, l := range labels {
		s.crack = append(s.crack, l == 1)
	}
	return s, nil
}

// bareLoop is the inner loop of a training: the trainer's own step on float32 images in memory.
type bareLoop struct {
	net     *nn.Net
	stepper *trainer.Stepper
	images  [][]float32 // live parts
	crack   []bool
	rng     *rand.Rand
}

// freshLoop starts from the weights that drawFiles writes.
func freshLoop(s sampleSet, dropout bool) (*bareLoop, error) {
	c, err := randomCheckpoint()
	if err != nil {
		return nil, err
	}
	return newBareLoop(s, c.Params, dropout)
}

// newBareLoop starts from a copy of the given weights.
func newBareLoop(s sampleSet, params []nn.Param, dropout bool) (*bareLoop, error) {
	g := graph.Thesis()
	if !dropout {
		g.Layers = slices.DeleteFunc(g.Layers, func(l graph.Layer) bool { return l.Kind == graph.Dropout })
	}
	net, err := nn.FromParams(g, params)
	if err != nil {
		return nil, err
	}
	return newLoop(s, g, net), nil
}

func newLoop(s sampleSet, g *graph.Graph, net *nn.Net) *bareLoop {
	l := &bareLoop{net: net, stepper: trainer.NewStepper(net), crack: s.crack, rng: rand.New(rand.NewPCG(seed, 2))}
	live := net.LiveInput()
	for _, pix := range s.pix {
		x := make([]float32, 0, live.Size())
		for y := range live.H {
			for _, v := range pix[y*g.Input.W:][:live.W] {
				x = append(x, float32(v)*(1.0/255))
			}
		}
		l.images = append(l.images, x)
	}
	return l
}

// step trains on the images from..to and returns their mean loss before the step. Like a training,
// it makes a random stream for each image.
func (l *bareLoop) step(from, to int) float64 {
	drop := l.rng.Uint64()
	loss, _, err := l.stepper.Step(to-from, func(_, i int, _ []float32) (trainer.Example, error) {
		return trainer.Example{X: l.images[from+i], Crack: l.crack[from+i], Weight: 1, RNG: rand.New(rand.NewPCG(drop, uint64(i)))}, nil
	})
	if err != nil {
		panic("internal error: " + err.Error()) // all examples are in memory
	}
	return loss / float64(to-from)
}

// How long one process is timed on training. With default settings, PyTorch takes a quarter of a
// minute for a step.
const (
	stepSpan    = 3 * time.Second
	fewestSteps = 2
)

// timeSteps times steps on the whole batch of dir. It prints the median and the smallest time in
// ms, the number of steps, and the loss of the second step without dropout. That loss shows whether
// all frameworks do the same training.
func timeSteps(dir, threads string) error {
	n, err := positive(threads)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(n)
	s, err := readSamples(dir, graph.Thesis())
	if err != nil {
		return err
	}
	check, err := freshLoop(s, false)
	if err != nil {
		return err
	}
	check.step(0, len(s.pix))
	loss := check.step(0, len(s.pix))
	l, err := freshLoop(s, true)
	if err != nil {
		return err
	}
	l.step(0, len(s.pix))
	report(loss, func() { l.step(0, len(s.pix)) })
	return nil
}

// report times steps and prints what a contender prints.
func report(loss float64, step func()) {
	var spans []time.Duration
	for began := time.Now(); len(spans) < fewestSteps || time.Since(began) < stepSpan; {
		t := time.Now()
		step()
		spans = append(spans, time.Since(t))
	}
	printSpans(spans, loss)
}

func printSpans(spans []time.Duration, loss float64) {
	slices.Sort(spans)
	ms := func(d time.Duration) float64 { return d.Seconds() * 1e3 }
	fmt.Printf("%.3f %.3f %d %.9g\n", ms(spans[len(spans)/2]), ms(spans[0]), len(spans), loss)
}

// predictAll runs images forward on all cores, from their bytes, like a validation.
func predictAll(pix [][]byte, net *nn.Net) error {
	start := func() (*nn.Predictor, error) { return net.NewPredictor(), nil }
	return each.Run(context.Background(), len(pix), start, func(p *nn.Predictor, i int) error {
		_, err := p.Logit(pix[i], nil)
		return err
	}, nil, nil)
}
