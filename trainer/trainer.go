// Package trainer trains the network on photographs of sound and cracked tires.
//
//	images -> split -> augment -> TRAIN -> checkpoint -> calibrate, quantize -> signed bundle
//
// Training follows the thesis: Adam, binary cross-entropy, dropout, new random augmentation of
// every image in every epoch. The weights with the best validation result are kept. With
// checkpoint.Config.EMADecay, these are moving averages of the weights.
// The same configuration and images give the same weights on any number of cores. An interrupted
// training resumes and ends with the weights of an uninterrupted one.
//
// Start with [New], [FineTune] or [Resume], then [Trainer.Run].
package trainer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/optim"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// Sample is one preprocessed image with its label.
type Sample struct {
	Pix   pixels.Image // made by preprocess.Spec.Apply
	Crack bool
	Name  string // file name, for messages only
	Group string // samples with the same name belong together; for reports only, empty: with no other
}

// Trainer holds a running training. It is owned by one goroutine.
type Trainer struct {
	state *checkpoint.Checkpoint // Params and Optimizer are filled in when a checkpoint is taken
	best  *checkpoint.Checkpoint // nil before the first epoch ends

	train, val []Sample
	net        *nn.Net
	average    *average // nil: the weights themselves are validated
	stepper    *Stepper
	cores      []core

	weights [2]float64 // loss weight of a sound and of a cracked tire
	passes  passes

	saving chan error // receives the result of the running save; nil when none runs
}

// core is the memory of one core, in addition to the stepper's.
type core struct {
	predict *nn.Predictor
	pix     []byte // one image as stored
}

// New starts a training with fresh weights.
func New(cfg checkpoint.Config, g *graph.Graph, spec preprocess.Spec, train, val []Sample) (*Trainer, error) {
	net, err := nn.New(g, rand.New(stream(cfg.Seed, streamInit, 0, 0)))
	if err != nil {
		return nil, err
	}
	state := &checkpoint.Checkpoint{Graph: *g, Spec: spec, Threshold: 0.5, Config: cfg}
	return start(state, net, train, val)
}

// FineTune starts a training from the weights of a checkpoint, usually on other images. Network and
// preprocessing are those of the checkpoint. cfg.Frozen names the layers that keep their weights.
func FineTune(cfg checkpoint.Config, from *checkpoint.Checkpoint, train, val []Sample) (*Trainer, error) {
	net, err := from.Net()
	if err != nil {
		return nil, err
	}
	state := &checkpoint.Checkpoint{Graph: from.Graph, Spec: from.Spec, Threshold: 0.5, Config: cfg}
	state.Inherit(from)
	return start(state, net, train, val)
}

// Resume continues a training from its last checkpoint, on the same images. best is the best
// checkpoint so far, or nil before the first epoch ends.
func Resume(last, best *checkpoint.Checkpoint, train, val []Sample) (*Trainer, error) {
	net, err := last.Net()
	if err != nil {
		return nil, err
	}
	t, err := start(last, net, train, val)
	if err != nil {
		return nil, err
	}
	t.best = best
	if err := t.stepper.Adam.Restore(last.Optimizer); err != nil {
		return nil, err
	}
	return t, nil
}

func start(state *checkpoint.Checkpoint, net *nn.Net, train, val []Sample) (*Trainer, error) {
	cfg := state.Config
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := net.Freeze(cfg.Frozen); err != nil {
		return nil, err
	}
	if err := checkSamples(state.Spec, train, val); err != nil {
		return nil, err
	}
	t := &Trainer{state: state, train: train, val: val, net: net, stepper: NewStepper(net)}
	t.weights = classWeights(train, cfg.CrackWeight)
	t.passes = passes{seed: cfg.Seed, n: len(train)}
	if cfg.EMADecay > 0 {
		var err error
		if t.average, err = newAverage(state, net); err != nil {
			return nil, err
		}
		state.Average = nil // the trainer's own memory from here on
	}
	for range runtime.GOMAXPROCS(0) {
		t.cores = append(t.cores, core{t.validated().NewPredictor(), make([]byte, state.Spec.Size())})
	}
	return t, nil
}

// validated returns the network that is validated and kept as the best.
func (t *Trainer) validated() *nn.Net {
	if t.average != nil {
		return t.average.net
	}
	return t.net
}

// ErrTooFew marks a data set that is too small to learn from.
var ErrTooFew = errors.New("too few images")

// checkSamples requires both classes in both parts. Otherwise neither the loss nor the accuracy has
// a meaning.
func checkSamples(spec preprocess.Spec, train, val []Sample) error {
	for _, p := range []struct {
		name    string
		samples []Sample
	}{{"training", train}, {"validation", val}} {
		cracks := 0
		for _, s := range p.samples {
			if s.Pix.Size() != spec.Size() {
				return fmt.Errorf("training: image of %d bytes, want %d", s.Pix.Size(), spec.Size())
			}
			if s.Crack {
				cracks++
			}
		}
		if cracks == 0 || cracks == len(p.samples) {
			return fmt.Errorf("%w: the %s part has %d cracked and %d sound tires, but needs both",
				ErrTooFew, p.name, cracks, len(p.samples)-cracks)
		}
	}
	return nil
}

// maxLoss is the mean loss, in nats, above which a training counts as diverged. Guessing costs 0.7.
// At 10,000 the network is so sure of its errors that no training repairs it, and this is long
// before a number overflows.
const maxLoss = 1e4

// exploded reports whether a sum of losses over n images is NaN or above maxLoss.
func exploded(loss float64, n int) bool { return !(loss <= maxLoss*float64(n)) }

// DivergedError says that the loss diverged or that a weight became NaN. The current weights are
// lost, the best checkpoint is not.
type DivergedError struct {
	Epoch int
	Rate  float64
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("training diverged in epoch %d at learning rate %g: the loss exploded or a weight became NaN",
		e.Epoch, e.Rate)
}

// Observer receives the progress of a training. Batch and Epoch are called on the goroutine of Run.
// Any field may be nil.
type Observer struct {
	Batch func(epoch, images, of int)         // after each batch: images done in this epoch
	Epoch func(e checkpoint.Epoch, best bool) // after each epoch

	// Save is called after each epoch, and when ctx ends; best is nil when unchanged. It runs in
	// parallel with the next epoch, one call at a time, and never after Run has returned. Its error
	// ends the training, and nothing is saved after it.
	Save func(last, best *checkpoint.Checkpoint) error
}

// Stalled reports whether the patience of the configuration is used up.
func (t *Trainer) Stalled() bool {
	patience := t.state.Config.Patience
	return patience > 0 && t.state.Epoch-t.state.BestEpoch >= patience
}

// Run trains until all epochs are done, the patience is used up, or ctx ends. When ctx ends, it
// saves the position inside the epoch and returns ctx's error.
func (t *Trainer) Run(ctx context.Context, o Observer) error {
	for t.state.Epoch < t.state.Config.Epochs && !t.Stalled() {
		err := t.epoch(ctx, o)
		if errors.Is(err, context.Canceled) {
			return errors.Join(err, t.save(o, false), t.saved())
		}
		if err != nil {
			return errors.Join(err, t.saved())
		}
	}
	return t.saved()
}

// Best returns the checkpoint with the best validation result, nil before the first epoch ends.
func (t *Trainer) Best() *checkpoint.Checkpoint { return t.best }

// History returns the finished epochs.
func (t *Trainer) History() []checkpoint.Epoch { return t.state.History }

// epoch runs the rest of the current epoch and validates.
func (t *Trainer) epoch(ctx context.Context, o Observer) error {
	cfg, p := &t.state.Config, &t.state.Partial
	number := t.state.Epoch + 1
	t.stepper.Adam.Rate = cfg.RateAfter(t.state.History)
	diverged := &DivergedError{Epoch: number, Rate: t.stepper.Adam.Rate}
	images := cfg.ImagesPerEpoch(len(t.train))
	began := time.Now().Add(-time.Duration(p.Seconds * float64(time.Second)))
	for from := p.Batches * cfg.Batch; from < images; from += cfg.Batch {
		if err := ctx.Err(); err != nil {
			if !t.net.Finite() {
				return diverged // nothing to resume from
			}
			return err
		}
		to := min(from+cfg.Batch, images)
		loss, right, err := t.batch(t.passes.draw((number-1)*images+from, to-from))
		if err != nil {
			return err
		}
		if exploded(loss, to-from) {
			return diverged
		}
		p.Batches, p.Loss, p.Right, p.Seconds = p.Batches+1, p.Loss+loss, p.Right+right, time.Since(began).Seconds()
		if o.Batch != nil {
			o.Batch(number, to, images)
		}
		if err := t.saveFailed(); err != nil {
			return err
		}
	}
	t.validated().Changed()
	valLoss, valRight, err := t.validate()
	if err != nil {
		return err
	}
	if exploded(valLoss, len(t.val)) || !t.net.Finite() {
		return diverged
	}
	n := float64(images)
	e := checkpoint.Epoch{
		Epoch: number, Rate: t.stepper.Adam.Rate, TrainLoss: p.Loss / n, TrainAccuracy: float64(p.Right) / n,
		ValLoss: valLoss / float64(len(t.val)), ValAccuracy: float64(valRight) / float64(len(t.val)),
		Seconds: time.Since(began).Seconds(),
	}
	better := t.state.BestEpoch == 0 || betterThan(e, t.state.History[t.state.BestEpoch-1])
	t.state.Epoch, t.state.Partial = number, checkpoint.Partial{}
	t.state.History = append(t.state.History, e)
	if better {
		t.state.BestEpoch = number
	}
	if o.Epoch != nil {
		o.Epoch(e, better)
	}
	return t.save(o, better)
}

// betterThan compares two epochs by validation accuracy. Equal accuracies are common with a small
// validation set, and then the lower loss wins.
func betterThan(a, b checkpoint.Epoch) bool {
	if a.ValAccuracy != b.ValAccuracy {
		return a.ValAccuracy > b.ValAccuracy
	}
	return a.ValLoss < b.ValLoss
}

// save takes a checkpoint and starts to pass it to the observer; saved and saveFailed return the
// result. Training continues meanwhile, on its own memory. If it is killed before the checkpoint is
// on disk, it resumes from the previous one and reaches the same weights. save first waits for the
// previous save and returns its error: a last checkpoint must not name a best one that was never
// written.
func (t *Trainer) save(o Observer, better bool) error {
	if err := t.saved(); err != nil {
		return err
	}
	last := *t.state
	last.Params = copyParams(t.net.Params())
	last.Optimizer = t.stepper.Adam.State()
	if t.average != nil {
		last.Average = t.average.data()
	}
	var best *checkpoint.Checkpoint
	if better {
		b := last
		if b.Optimizer = (optim.State{}); t.average != nil {
			b.Params, b.Average = b.Averaged(), nil
		}
		best, t.best = &b, &b
	}
	if o.Save == nil {
		return nil
	}
	done := make(chan error, 1)
	t.saving = done
	go func() { done <- o.Save(&last, best) }()
	return nil
}

// saved waits for the running save and returns its error.
func (t *Trainer) saved() error {
	if t.saving == nil {
		return nil
	}
	err := <-t.saving
	t.saving = nil
	return err
}

// saveFailed returns the error of a save that has ended, so that a full disk is reported at once
// and not at the end of a long epoch.
func (t *Trainer) saveFailed() error {
	select {
	case err := <-t.saving: // blocks when saving is nil
		t.saving = nil
		return err
	default:
		return nil
	}
}

func copyParams(ps []nn.Param) []nn.Param {
	out := make([]nn.Param, len(ps))
	for i, p := range ps {
		out[i] = p
		out[i].Data = append([]float32(nil), p.Data...)
	}
	return out
}

// batch takes one optimizer step on the drawn images. It returns the sum of their losses and how
// many were classified correctly, with dropout and augmentation. On error the weights are
// unchanged.
func (t *Trainer) batch(images []drawn) (loss float64, right int, err error) {
	loss, right, err = t.stepper.Step(len(images), func(core, i int, x []float32) (Example, error) {
		return t.example(core, x, images[i])
	})
	if err == nil && t.average != nil {
		t.average.add(t.net.Params(), t.stepper.Adam.Steps())
	}
	return loss, right, err
}

// example augments one image into x.
func (t *Trainer) example(core int, x []float32, d drawn) (Example, error) {
	cfg, s, live := &t.state.Config, t.train[d.image], t.net.LiveInput()
	pix, err := s.Pix.Load(t.cores[core].pix)
	if err != nil {
		return Example{}, fmt.Errorf("train on %s: %w", s.Name, err)
	}
	rng := rand.New(stream(cfg.Seed, streamImage, d.pass, d.image))
	cfg.Augment.Draw(rng, t.state.Spec.Width, t.state.Spec.Height).Apply(x, live.W, live.H, pix)
	return Example{X: x, Crack: s.Crack, Weight: t.weights[class(s)], RNG: rng}, nil
}

// Validate returns the mean loss and the accuracy on the validation images with the current
// weights.
func (t *Trainer) Validate() (loss, accuracy float64, err error) {
	loss, right, err := t.validate()
	return loss / float64(len(t.val)), float64(right) / float64(len(t.val)), err
}

// validate returns the sum of the losses and the number of correct answers on the validation
// images.
func (t *Trainer) validate() (loss float64, right int, err error) {
	logits, errs := make([]float64, len(t.val)), make([]error, len(t.val))
	parallel(len(t.cores), len(t.val), func(core, i int) {
		c := &t.cores[core]
		pix, err := t.val[i].Pix.Load(c.pix)
		if err == nil {
			logits[i], err = c.predict.Logit(pix, nil)
		}
		errs[i] = err
	})
	for i, logit := range logits {
		if errs[i] != nil {
			return 0, 0, fmt.Errorf("validate on %s: %w", t.val[i].Name, errs[i])
		}
		l, _ := nn.CrossEntropy(logit, label(t.val[i].Crack))
		loss += l
		if (logit >= 0) == t.val[i].Crack {
			right++
		}
	}
	return loss, right, nil
}

// Purposes of random streams. Each use of randomness has its own stream, so that none depends on
// how often another one was used.
const (
	streamInit = iota + 1
	streamShuffle
	streamImage
)

func stream(seed uint64, purpose, pass, image int) rand.Source {
	return rand.NewPCG(seed, uint64(purpose)<<56|uint64(pass)<<32|uint64(image))
}
