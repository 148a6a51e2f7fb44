package trainer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"tirewatch/trainer"
	"tirewatch/trainer/augment"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

const side = 31

var spec = preprocess.Spec{Width: side, Height: side, Filter: preprocess.FilterTriangle}

// tiny is a small version of the thesis network: two convolutions with pools, a hidden layer with
// dropout.
func tiny() *graph.Graph {
	conv := func(name string, filters int) graph.Layer {
		return graph.Layer{Kind: graph.Conv2D, Name: name, Filters: filters, Kernel: 3, Stride: 2, Padding: graph.Valid, Activation: graph.ReLU}
	}
	pool := func(name string) graph.Layer {
		return graph.Layer{Kind: graph.MaxPool2D, Name: name, Kernel: 2, Stride: 2, Padding: graph.Valid}
	}
	return &graph.Graph{Input: graph.Shape{H: side, W: side, C: 1}, Layers: []graph.Layer{
		conv("conv1", 16), pool("pool1"), conv("conv2", 16), pool("pool2"), {Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 16, Activation: graph.ReLU}, {Kind: graph.Dropout, Name: "dropout1", Rate: 0.2},
		{Kind: graph.Dense, Name: "dense2", Filters: 1, Activation: graph.Sigmoid},
	}}
}

// drawn makes n noise images. Every second one has a dark line across it in a random direction: a
// crack.
func drawn(n int, seed uint64) []trainer.Sample {
	rng := rand.New(rand.NewPCG(seed, 0))
	samples := make([]trainer.Sample, n)
	for i := range samples {
		pix := make([]byte, side*side)
		s := trainer.Sample{Pix: pixels.Of(pix), Crack: i%2 == 0, Name: fmt.Sprintf("image %d", i)}
		for k := range pix {
			pix[k] = uint8(120 + rng.IntN(50))
		}
		if s.Crack {
			angle := rng.Float64() * math.Pi
			for d := -14.0; d <= 14; d += 0.5 {
				x, y := int(15+d*math.Cos(angle)), int(15+d*math.Sin(angle))
				pix[y*side+x] = 20
				pix[y*side+x+1] = 20
			}
		}
		samples[i] = s
	}
	return samples
}

// load returns the bytes of a sample.
func load(t *testing.T, s trainer.Sample) []byte {
	t.Helper()
	pix, err := s.Pix.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pix
}

func config(epochs int) checkpoint.Config {
	return checkpoint.Config{Epochs: epochs, Batch: 16, Rate: 0.003, Seed: 7, Augment: augment.Thesis()}
}

func newTrainer(t *testing.T, epochs int) *trainer.Trainer {
	t.Helper()
	tr, err := trainer.New(config(epochs), tiny(), spec, drawn(100, 1), drawn(40, 2))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// history trains and collects the epochs and the last weights.
func history(t *testing.T, tr *trainer.Trainer) (epochs []checkpoint.Epoch, last *checkpoint.Checkpoint) {
	t.Helper()
	err := tr.Run(context.Background(), trainer.Observer{
		Epoch: func(e checkpoint.Epoch, _ bool) { e.Seconds = 0; epochs = append(epochs, e) },
		Save:  func(l, _ *checkpoint.Checkpoint) error { last = l; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return epochs, last
}

// Ten fixed losses guard the whole trainer: initial weights, shuffling, augmentation, dropout,
// gradients and Adam. The tolerance is for CPUs without fused multiply-add.
func TestTenFixedLosses(t *testing.T) {
	want := []float64{0.654552, 0.549908, 0.493018, 0.397495, 0.335455, 0.283735, 0.232513, 0.133169, 0.110619, 0.067554}
	epochs, _ := history(t, newTrainer(t, 10))
	for i, e := range epochs {
		if i >= len(want) || math.Abs(e.TrainLoss-want[i]) > 1e-3*want[i] {
			t.Errorf("epoch %d: loss %.6f", i+1, e.TrainLoss)
		}
	}
}

// The trainer learns: new images are classified correctly.
func TestLearns(t *testing.T) {
	tr := newTrainer(t, 40)
	history(t, tr)
	best := tr.Best().History[tr.Best().BestEpoch-1]
	if best.ValAccuracy < 0.95 {
		t.Errorf("validation accuracy %.3f after 40 epochs, want 0.95", best.ValAccuracy)
	}
}

// The same seed gives the same bytes on one core and on many.
func TestDeterministicOnAnyNumberOfCores(t *testing.T) {
	_, first := history(t, newTrainer(t, 2))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	_, second := history(t, newTrainer(t, 2))
	runtime.GOMAXPROCS(5)
	_, third := history(t, newTrainer(t, 2))
	if !reflect.DeepEqual(first.Params, second.Params) || !reflect.DeepEqual(first.Params, third.Params) {
		t.Error("the weights depend on the number of cores")
	}
}

// stored moves all images but the first few into a file.
func stored(t *testing.T, samples []trainer.Sample) ([]trainer.Sample, *pixels.Store) {
	t.Helper()
	store := pixels.NewStore(t.TempDir(), 5*side*side, len(samples), side*side)
	t.Cleanup(func() { store.Close() })
	for i := range samples {
		var err error
		if samples[i].Pix, err = store.Put(load(t, samples[i])); err != nil {
			t.Fatal(err)
		}
	}
	return samples, store
}

// A set that does not fit in memory gives the same weights as one that fits.
func TestStreamsTheSame(t *testing.T) {
	wantEpochs, want := history(t, newTrainer(t, 2))
	train, _ := stored(t, drawn(100, 1))
	val, _ := stored(t, drawn(40, 2))
	tr, err := trainer.New(config(2), tiny(), spec, train, val)
	if err != nil {
		t.Fatal(err)
	}
	epochs, got := history(t, tr)
	if !reflect.DeepEqual(epochs, wantEpochs) || !reflect.DeepEqual(got.Params, want.Params) {
		t.Error("the weights depend on where the images are kept")
	}
}

// An image that cannot be read back ends the training, and the error names it. Earlier checkpoints
// stay.
func TestLostImages(t *testing.T) {
	for name, lose := range map[string]func(train, val *pixels.Store){
		"train on image":    func(train, val *pixels.Store) { train.Close() },
		"validate on image": func(train, val *pixels.Store) { val.Close() },
	} {
		train, trainStore := stored(t, drawn(100, 1))
		val, valStore := stored(t, drawn(40, 2))
		tr, err := trainer.New(config(5), tiny(), spec, train, val)
		if err != nil {
			t.Fatal(err)
		}
		saved := 0
		err = tr.Run(t.Context(), trainer.Observer{
			Epoch: func(e checkpoint.Epoch, _ bool) {
				if e.Epoch == 2 {
					lose(trainStore, valStore)
				}
			},
			Save: func(last, _ *checkpoint.Checkpoint) error {
				saved = last.Epoch
				return nil
			},
		})
		if !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), name) || saved != 2 {
			t.Errorf("%s: error %v after %d epochs", name, err, saved)
		}
	}
}

// A training that stops inside an epoch and resumes from its file ends with the weights of an
// uninterrupted one.
func TestResumeIsExact(t *testing.T) {
	_, want := history(t, newTrainer(t, 3))

	dir := filepath.Join(t.TempDir(), "run")
	run, err := trainer.CreateRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	batches := 0
	err = newTrainer(t, 3).Run(ctx, trainer.Observer{Save: run.Save, Batch: func(_, _, _ int) {
		if batches++; batches == 10 { // seven batches an epoch: inside the second
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want canceled", err)
	}
	if _, _, _, err := trainer.OpenRun(dir); !errors.Is(err, trainer.ErrRunBusy) {
		t.Fatalf("a second training in the folder: error %v, want ErrRunBusy", err)
	}
	run.Close()

	run, last, best, err := trainer.OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if last.Epoch != 1 || last.Partial.Batches != 3 {
		t.Errorf("stopped after %d epochs and %d batches, want 1 and 3", last.Epoch, last.Partial.Batches)
	}
	tr, err := trainer.Resume(last, best, drawn(100, 1), drawn(40, 2))
	if err != nil {
		t.Fatal(err)
	}
	_, got := history(t, tr)
	if !reflect.DeepEqual(got.Params, want.Params) {
		t.Error("the resumed training ended with other weights")
	}
	for i, e := range got.History {
		if e.TrainLoss != want.History[i].TrainLoss {
			t.Errorf("epoch %d: loss %g, uninterrupted %g", e.Epoch, e.TrainLoss, want.History[i].TrainLoss)
		}
	}
}

// A checkpoint is written while the next epoch trains, but never two at the same time, and Run
// returns only after the last one. What Save received does not change afterwards.
func TestSaveBesideTraining(t *testing.T) {
	var want []*checkpoint.Checkpoint
	if err := newTrainer(t, 3).Run(t.Context(), trainer.Observer{Save: func(last, _ *checkpoint.Checkpoint) error {
		want = append(want, last)
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	begun := make(chan int, 1) // the epoch of the newest batch
	var got []*checkpoint.Checkpoint
	var writing atomic.Int32
	err := newTrainer(t, 3).Run(t.Context(), trainer.Observer{
		Batch: func(epoch, _, _ int) {
			select {
			case <-begun:
			default:
			}
			begun <- epoch
		},
		Save: func(last, _ *checkpoint.Checkpoint) error {
			if writing.Add(1) > 1 {
				t.Error("two saves at a time")
			}
			defer writing.Add(-1)
			before, err := checkpoint.Encode(last)
			for last.Epoch < 3 && <-begun <= last.Epoch { // until the next epoch has started
			}
			after, err2 := checkpoint.Encode(last)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			if !bytes.Equal(before, after) {
				t.Errorf("the checkpoint of epoch %d changed while it was written", last.Epoch)
			}
			got = append(got, last)
			return nil
		},
	})
	if err != nil || len(got) != 3 || writing.Load() != 0 {
		t.Fatalf("error %v, %d saves, %d of them running", err, len(got), writing.Load())
	}
	for i := range got {
		if !reflect.DeepEqual(got[i].Params, want[i].Params) {
			t.Errorf("epoch %d was saved with other weights", i+1)
		}
	}
}

// A checkpoint that could not be written ends the training in the next epoch. Nothing is written
// after it, even when Ctrl-C arrives at the same time.
func TestFailedSaveEndsTraining(t *testing.T) {
	broken := errors.New("the disk is gone")
	for name, stop := range map[string]bool{"alone": false, "with Ctrl-C": true} {
		ctx, cancel := context.WithCancel(t.Context())
		saves, failed, ended := 0, make(chan struct{}), 0
		err := newTrainer(t, 5).Run(ctx, trainer.Observer{
			Epoch: func(e checkpoint.Epoch, _ bool) { ended = e.Epoch },
			Batch: func(epoch, images, _ int) {
				if epoch == 3 && images < 32 {
					<-failed
					if stop {
						cancel()
					}
				}
			},
			Save: func(last, _ *checkpoint.Checkpoint) error {
				if saves++; last.Epoch < 2 {
					return nil
				}
				defer close(failed)
				return broken
			},
		})
		cancel()
		// 3 when the error arrived late
		if !errors.Is(err, broken) || saves != 2 || ended > 3 {
			t.Errorf("%s: error %v after %d saves and %d epochs, want the disk's after 2 and 2",
				name, err, saves, ended)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	sound := func() []trainer.Sample { // odd indexes
		var s []trainer.Sample
		for i, d := range drawn(20, 1) {
			if i%2 == 1 {
				s = append(s, d)
			}
		}
		return s
	}
	for name, c := range map[string]struct {
		train, val []trainer.Sample
		change     func(*checkpoint.Config)
		want       error
	}{
		"one class only":     {sound(), drawn(8, 1), nil, trainer.ErrTooFew},
		"no images":          {nil, nil, nil, trainer.ErrTooFew},
		"no validation":      {drawn(20, 1), nil, nil, trainer.ErrTooFew},
		"image of odd size":  {[]trainer.Sample{{Pix: pixels.Of(make([]byte, 3))}}, drawn(8, 1), nil, nil},
		"no epochs":          {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.Epochs = 0 }, nil},
		"negative rate":      {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.Rate = -1 }, nil},
		"rate not a number":  {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.Rate = math.NaN() }, nil},
		"negative steps":     {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.StepsPerEpoch = -1 }, nil},
		"negative patience":  {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.Patience = -1 }, nil},
		"unknown schedule":   {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.Schedule = "weekly" }, nil},
		"rates upside-down":  {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.MinRate = 1 }, nil},
		"decay of 1":         {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.EMADecay = 1 }, nil},
		"weight not finite":  {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.CrackWeight = math.Inf(1) }, nil},
		"rotation of 1000 °": {drawn(20, 1), drawn(8, 1), func(c *checkpoint.Config) { c.Augment.Rotation = 1000 }, nil},
	} {
		cfg := config(1)
		if c.change != nil {
			c.change(&cfg)
		}
		_, err := trainer.New(cfg, tiny(), spec, c.train, c.val)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Divergence from a high learning rate is noticed, and the earlier best checkpoint remains.
func TestDivergence(t *testing.T) {
	cfg := config(50)
	cfg.Rate = 1e30
	tr, err := trainer.New(cfg, tiny(), spec, drawn(40, 1), drawn(10, 2))
	if err != nil {
		t.Fatal(err)
	}
	var diverged *trainer.DivergedError
	if err := tr.Run(context.Background(), trainer.Observer{}); !errors.As(err, &diverged) {
		t.Fatalf("error %v, want DivergedError", err)
	}
}

func TestRunFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "monday")
	run, err := trainer.CreateRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := newTrainer(t, 1).Run(context.Background(), trainer.Observer{Save: run.Save}); err != nil {
		t.Fatal(err)
	}
	run.Close()
	for _, name := range []string{"best.ckpt", "last.ckpt", "metrics.csv"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := trainer.CreateRun(dir); !errors.Is(err, trainer.ErrRunExists) {
		t.Errorf("error %v, want ErrRunExists", err)
	}
	if _, _, _, err := trainer.OpenRun(t.TempDir()); !errors.Is(err, trainer.ErrNoRun) {
		t.Errorf("error %v, want ErrNoRun", err)
	}
}
