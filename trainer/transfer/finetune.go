package transfer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/infer"
	"tirewatch/vision/preprocess"
)

// FineTuneConfig is the recipe of a fine-tuning. Start with FineTuneDefaults.
type FineTuneConfig struct {
	Epochs int
	Batch  int     // images
	Rate   float64 // highest learning rate
	// steps in which the rate rises to Rate; then it falls along half a cosine to 0
	WarmUp int
	Decay  float64 // of the weights, a step, relative to the learning rate
	// label of a sound tire; 1 minus it is the label of a crack
	Smoothing float64
	Shift     int // px, to every side
	Seed      uint64

	// The network in int8, of which only the layers that keep their weights are used. They run several
	// times faster, and the layers above learn from what a station computes. nil: in float32.
	Trunk *infer.Model
}

// FineTuneDefaults returns the recipe for images of side x side px. It was chosen at 448 px. The
// shift is a distance on the tire, so it is smaller in a smaller image.
func FineTuneDefaults(side int) FineTuneConfig {
	return FineTuneConfig{
		Epochs: 10, Batch: 16, Rate: 2e-4, WarmUp: 30, Decay: 1e-3, Smoothing: 0.02, Shift: side * 24 / 448,
	}
}

// Validate refuses a recipe that cannot be trained.
func (c *FineTuneConfig) Validate() error {
	switch {
	case c.Epochs < 1 || c.Batch < 1 || !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("fine-tuning: %d epochs, batches of %d, learning rate %g: all must be positive",
			c.Epochs, c.Batch, c.Rate)
	case c.WarmUp < 0 || c.Shift < 0:
		return fmt.Errorf("fine-tuning: %d warm-up steps, shifts of %d px: neither can be negative", c.WarmUp, c.Shift)
	case !(c.Decay >= 0 && c.Decay*c.Rate < 1):
		return fmt.Errorf("fine-tuning: weight decay %g, want 0 to below 1/rate", c.Decay)
	case !(c.Smoothing >= 0 && c.Smoothing < 0.5):
		return fmt.Errorf("fine-tuning: label smoothing %g, want 0 to below 0.5", c.Smoothing)
	}
	return nil
}

// rate returns the learning rate of a step of so many in all.
func (c *FineTuneConfig) rate(step, of int) float64 {
	if step < c.WarmUp {
		return c.Rate * float64(step+1) / float64(c.WarmUp)
	}
	done := float64(step-c.WarmUp) / float64(max(of-c.WarmUp, 1))
	return c.Rate * (1 + math.Cos(math.Pi*done)) / 2
}

// Samples are shown in another order in every epoch, and an image has another view in each. Each
// use has a random stream of its own.
const (
	streamOrder = iota + 1
	streamView
)

func stream(seed uint64, purpose, epoch, image int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(purpose)<<56|uint64(epoch)<<32|uint64(image)))
}

// FineTune trains the layers of start from a block on, usually after its head was fitted. The
// layers below keep their weights. Images are turned by quarters, mirrored, shifted, and made
// brighter or darker; sound and cracked tires have the same total weight. The same configuration
// and images give the same weights on any number of cores.
//
// from names the first block that changes, such as "block5". progress may be nil; it is called
// after each batch with the number of images done in the epoch, counted from 1. When ctx ends,
// FineTune returns its error.
func FineTune(ctx context.Context, cfg FineTuneConfig, start *checkpoint.Checkpoint, from string,
	train []trainer.Sample, progress func(epoch, images, of int)) (*checkpoint.Checkpoint, error) {
	t, err := newTuning(cfg, start, from, train)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	result := *start
	result.Config = t.config(start.Config)
	result.Optimizer.Steps, result.Optimizer.M, result.Optimizer.V = 0, nil, nil
	result.History, result.Epoch, result.BestEpoch, result.Partial = nil, 0, 0, checkpoint.Partial{}
	for epoch := 1; epoch <= cfg.Epochs; epoch++ {
		e, err := t.epoch(ctx, epoch, progress)
		if err != nil {
			return nil, err
		}
		e.Seconds = time.Since(began).Seconds()
		began = time.Now()
		result.History = append(result.History, e)
		result.Epoch, result.BestEpoch = epoch, epoch
	}
	result.Params = t.params(start)
	return &result, nil
}

// tuning is a running fine-tuning. It is owned by one goroutine.
type tuning struct {
	*halves
	cfg     FineTuneConfig
	train   []trainer.Sample
	weights [2]float64 // of the loss of a sound and of a cracked tire
	stepper *trainer.Stepper
	cores   []tuningCore
	step    int // steps done
}

// tuningCore is the memory of one core, in addition to the stepper's.
type tuningCore struct {
	pix, view []byte        // one image as stored, and a view of it
	lower     *infer.Runner // nil without a trunk
}

func newTuning(cfg FineTuneConfig, start *checkpoint.Checkpoint, from string, train []trainer.Sample) (*tuning, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	t := &tuning{cfg: cfg, train: train}
	var err error
	if t.weights, err = balance(start.Spec, train); err != nil {
		return nil, err
	}
	if t.halves, err = cut(start, from, cfg.Trunk); err != nil {
		return nil, err
	}
	if t.lower == nil && t.net.LiveInput().Size() != start.Spec.Size() {
		return nil, fmt.Errorf("fine-tuning: the network reads only %v of an image, want all of it", t.net.LiveInput())
	}
	t.stepper = trainer.NewStepper(t.net)
	t.stepper.Adam.Decay(cfg.Decay, t.net.Decaying())
	for range runtime.GOMAXPROCS(0) {
		c := tuningCore{pix: make([]byte, start.Spec.Size()), view: make([]byte, start.Spec.Size())}
		if t.lower != nil {
			if c.lower, err = infer.NewRunner(t.lower); err != nil {
				return nil, err
			}
		}
		t.cores = append(t.cores, c)
	}
	return t, nil
}

// ErrBlock marks a block that the network does not have.
var ErrBlock = errors.New("no such block")

// balance returns the weights of both classes, with a mean of 1 over the images. It requires images
// of both classes and of the right size.
func balance(spec preprocess.Spec, train []trainer.Sample) (weights [2]float64, err error) {
	var n [2]int
	for _, s := range train {
		if s.Pix.Size() != spec.Size() {
			return weights, fmt.Errorf("fine-tuning: image of %d bytes, want %d", s.Pix.Size(), spec.Size())
		}
		n[class(s.Crack)]++
	}
	return weightsOf(n, "fine-tuning")
}

// config records the recipe in the checkpoint.
func (t *tuning) config(c checkpoint.Config) checkpoint.Config {
	c.Epochs, c.Batch, c.Rate, c.Seed = t.cfg.Epochs, t.cfg.Batch, t.cfg.Rate, t.cfg.Seed
	c.Schedule, c.Frozen = checkpoint.Cosine, t.frozen
	return c
}

// epoch shows every image once.
func (t *tuning) epoch(ctx context.Context, epoch int, progress func(epoch, images, of int)) (checkpoint.Epoch, error) {
	n := len(t.train)
	order := stream(t.cfg.Seed, streamOrder, epoch, 0).Perm(n)
	steps := (n + t.cfg.Batch - 1) / t.cfg.Batch
	sum := checkpoint.Epoch{Epoch: epoch}
	for from := 0; from < n; from += t.cfg.Batch {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		batch := order[from:min(from+t.cfg.Batch, n)]
		t.stepper.Adam.Rate = t.cfg.rate(t.step, steps*t.cfg.Epochs)
		t.step++
		loss, right, err := t.stepper.Step(len(batch), func(core, i int, x []float32) (trainer.Example, error) {
			return t.example(core, x, epoch, batch[i])
		})
		if err != nil {
			return sum, err
		}
		sum.Rate = max(sum.Rate, t.stepper.Adam.Rate)
		sum.TrainLoss += loss / float64(n)
		sum.TrainAccuracy += float64(right) / float64(n)
		if progress != nil {
			progress(epoch, from+len(batch), n)
		}
	}
	if math.IsNaN(sum.TrainLoss) || math.IsInf(sum.TrainLoss, 0) || !t.net.Finite() {
		return sum, &trainer.DivergedError{Epoch: epoch, Rate: sum.Rate}
	}
	return sum, nil
}

// example makes a view of an image, or what the lower half makes of it, in x.
func (t *tuning) example(core int, x []float32, epoch, image int) (trainer.Example, error) {
	s, c := t.train[image], &t.cores[core]
	pix, err := s.Pix.Load(c.pix)
	if err != nil {
		return trainer.Example{}, fmt.Errorf("fine-tune on %s: %w", s.Name, err)
	}
	rng := stream(t.cfg.Seed, streamView, epoch, image)
	drawView(rng, t.cfg.Shift).apply(c.view, pix, t.side)
	if t.lower == nil {
		for i, v := range c.view {
			x[i] = float32(v) * (1.0 / 255)
		}
	} else if err := t.activations(c.lower, x, c.view); err != nil {
		return trainer.Example{}, fmt.Errorf("fine-tune on %s: %w", s.Name, err)
	}
	return trainer.Example{X: x, Crack: s.Crack, Smoothing: t.cfg.Smoothing, Weight: t.weights[class(s.Crack)], RNG: rng}, nil
}
