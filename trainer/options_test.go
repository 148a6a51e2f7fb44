package trainer_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
)

// start makes a trainer with a changed configuration.
func start(t *testing.T, epochs int, change func(*checkpoint.Config)) *trainer.Trainer {
	t.Helper()
	cfg := config(epochs)
	change(&cfg)
	tr, err := trainer.New(cfg, tiny(), spec, drawn(100, 1), drawn(40, 2))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// The thesis has 36 batches of 64 per epoch where a pass has 18. An epoch has the requested length,
// not that of a pass.
func TestStepsPerEpoch(t *testing.T) {
	batches, images := 0, 0
	var last *checkpoint.Checkpoint
	err := start(t, 2, func(c *checkpoint.Config) { c.StepsPerEpoch = 13 }).Run(t.Context(), trainer.Observer{
		Batch: func(_, done, of int) { batches, images = batches+1, of },
		Save:  func(l, _ *checkpoint.Checkpoint) error { last = l; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if batches != 2*13 || images != 13*16 || last.Optimizer.Steps != 26 {
		t.Errorf("%d batches, %d images an epoch, %d steps; want 26, 208 and 26", batches, images, last.Optimizer.Steps)
	}
	// Seven batches are a pass of 100 images and 12 of the next one: almost the same training, but
	// without a short last batch.
	epochs, _ := history(t, start(t, 2, func(c *checkpoint.Config) { c.StepsPerEpoch = 7 }))
	passes, _ := history(t, newTrainer(t, 2))
	if d := math.Abs(epochs[0].TrainLoss - passes[0].TrainLoss); d == 0 || d > 0.05 {
		t.Errorf("losses %g and %g, want near but not equal", epochs[0].TrainLoss, passes[0].TrainLoss)
	}
}

func TestPatience(t *testing.T) {
	tr := start(t, 200, func(c *checkpoint.Config) { c.Patience = 2 })
	epochs, last := history(t, tr)
	if len(epochs) == 200 || len(epochs) != last.BestEpoch+2 || !tr.Stalled() {
		t.Errorf("%d epochs, best was %d, want the end two after it", len(epochs), last.BestEpoch)
	}
	again, err := trainer.Resume(last, tr.Best(), drawn(100, 1), drawn(40, 2))
	if err != nil {
		t.Fatal(err)
	}
	if more, _ := history(t, again); len(more) != 0 {
		t.Errorf("resumed after its end it trained %d more epochs", len(more))
	}
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		cfg    checkpoint.Config
		losses []float64 // of the previous epochs
		want   float64
	}{
		{checkpoint.Config{Rate: 0.1}, []float64{1, 1, 1, 1, 1, 1, 1}, 0.1},
		{checkpoint.Config{Rate: 0.1, Schedule: checkpoint.Cosine, Epochs: 5, MinRate: 0.02}, nil, 0.1},
		{checkpoint.Config{Rate: 0.1, Schedule: checkpoint.Cosine, Epochs: 5, MinRate: 0.02}, []float64{1, 1}, 0.06},
		{checkpoint.Config{Rate: 0.1, Schedule: checkpoint.Cosine, Epochs: 5, MinRate: 0.02}, []float64{1, 1, 1, 1}, 0.02},
		{checkpoint.Config{Rate: 0.1, Schedule: checkpoint.Cosine, Epochs: 1}, nil, 0.1},
		{checkpoint.Config{Rate: 0.1, Schedule: checkpoint.Plateau}, []float64{9, 8, 7, 6, 5, 4, 3, 2}, 0.1},
		{checkpoint.Config{Rate: 0.1, Schedule: checkpoint.Plateau}, []float64{1, 2, 2, 2, 2}, 0.1},
		{checkpoint.Config{Rate: 0.1, Schedule: checkpoint.Plateau}, []float64{1, 2, 2, 2, 2, 2}, 0.05},
		{checkpoint.Config{Rate: 0.1, Schedule: checkpoint.Plateau}, []float64{1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, 0.025},
		{checkpoint.Config{Rate: 0.1, Schedule: checkpoint.Plateau, MinRate: 0.04}, []float64{1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, 0.04},
	} {
		var before []checkpoint.Epoch
		for _, l := range c.losses {
			before = append(before, checkpoint.Epoch{ValLoss: l})
		}
		if got := c.cfg.RateAfter(before); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s after %v: rate %g, want %g", c.cfg.Schedule, c.losses, got, c.want)
		}
	}
	epochs, _ := history(t, start(t, 3, func(c *checkpoint.Config) { c.Schedule = checkpoint.Cosine }))
	if r := [3]float64{epochs[0].Rate, epochs[1].Rate, epochs[2].Rate}; r[0] != 0.003 || r[1] >= r[0] || r[2] != 0 {
		t.Errorf("the history has the rates %v", r)
	}
	if flat, _ := history(t, start(t, 3, func(*checkpoint.Config) {})); flat[1].TrainLoss == epochs[1].TrainLoss {
		t.Error("the schedule changed no training")
	}
}

// A higher weight of cracks means fewer missed cracks.
func TestCrackWeight(t *testing.T) {
	alarms := func(weight float64) int {
		_, last := history(t, start(t, 2, func(c *checkpoint.Config) { c.CrackWeight = weight }))
		net, err := last.Net()
		if err != nil {
			t.Fatal(err)
		}
		p, n := net.NewPredictor(), 0
		for _, s := range drawn(40, 2) {
			if logit, err := p.Logit(load(t, s), nil); err != nil {
				t.Fatal(err)
			} else if logit >= 0 {
				n++
			}
		}
		return n
	}
	if few, many := alarms(0.05), alarms(20); few != 0 || many != 40 {
		t.Errorf("%d called cracked with a low crack weight, %d with weight 20, want 0 and 40 so early", few, many)
	}
}

// Frozen layers keep their weights exactly, the others learn, from any initial weights.
func TestFineTuneAndFreeze(t *testing.T) {
	tr := newTrainer(t, 2)
	history(t, tr)
	base := tr.Best()
	base.Origin, base.Licence = "other authors", "their terms"
	for _, frozen := range [][]string{nil, {"conv1"}, {"conv1", "conv2"}, {"conv2"}, {"dense2"}} {
		t.Run(fmt.Sprint(frozen), func(t *testing.T) {
			cfg := config(2)
			cfg.Frozen, cfg.Pretrained = frozen, "sum"
			tuned, err := trainer.FineTune(cfg, base, drawn(30, 5), drawn(20, 6))
			if err != nil {
				t.Fatal(err)
			}
			_, last := history(t, tuned)
			for i, p := range last.Params {
				layer, _, _ := strings.Cut(p.Name, "/")
				kept := reflect.DeepEqual(p.Data, base.Params[i].Data)
				if want := slices.Contains(frozen, layer); kept != want {
					t.Errorf("%s: kept %t, want %t", p.Name, kept, want)
				}
			}
			if last.Config.Pretrained != "sum" || !reflect.DeepEqual(last.Config.Frozen, frozen) {
				t.Errorf("the checkpoint holds %+v", last.Config)
			}
			if last.Origin != base.Origin || tuned.Best().Licence != base.Licence {
				t.Errorf("origin %q and licence %q were not inherited", last.Origin, tuned.Best().Licence)
			}
		})
	}
	cfg := config(1)
	cfg.Frozen = []string{"conv9"}
	if _, err := trainer.FineTune(cfg, base, drawn(30, 5), drawn(20, 6)); !errors.Is(err, nn.ErrLayer) || !strings.Contains(err.Error(), "conv1 conv2 dense1 dense2") {
		t.Errorf("a layer that is not there: %v", err)
	}
	cfg.Frozen = []string{"conv1", "conv2", "dense1", "dense2"}
	if _, err := trainer.FineTune(cfg, base, drawn(30, 5), drawn(20, 6)); err == nil {
		t.Error("everything frozen was accepted")
	}
}

// everything is a training that uses all options at the same time.
func everything(c *checkpoint.Config) {
	c.StepsPerEpoch, c.Patience, c.Schedule, c.MinRate, c.CrackWeight, c.Frozen = 5, 15, checkpoint.Plateau, 1e-5, 1.5, []string{"conv1"}
}

const killedEpochs = 40

// A training that is killed with SIGKILL at any moment, several times, ends with the weights of an
// uninterrupted one.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	kills := 0
	for ; ; kills++ {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTrainAsChild$")
		cmd.Env = append(os.Environ(), "TIREWATCH_TEST_RUN="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The child prints a line for every batch, and before and after each save. It is killed
		// after a random line.
		words, life := bufio.NewScanner(out), rng.IntN(60)
		for words.Scan() && words.Text() != "done" {
			if life--; life == 0 {
				cmd.Process.Kill()
			}
		}
		done := words.Text() == "done"
		err = cmd.Wait()
		if done {
			break
		}
		if life > 0 {
			t.Fatalf("the child failed without a kill: %v", err)
		}
	}
	_, want := history(t, start(t, killedEpochs, everything))
	run, last, best, err := trainer.OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	t.Logf("%d kills on the way to %d epochs", kills, last.Epoch)
	if last.Epoch != want.Epoch || last.BestEpoch != want.BestEpoch || best.Epoch != want.BestEpoch {
		t.Errorf("%d epochs, best %d (file %d); uninterrupted %d, best %d",
			last.Epoch, last.BestEpoch, best.Epoch, want.Epoch, want.BestEpoch)
	}
	if !reflect.DeepEqual(last.Params, want.Params) || !reflect.DeepEqual(last.Optimizer, want.Optimizer) {
		t.Error("the killed training ended with other weights")
	}
	for i, e := range last.History {
		w := want.History[i]
		e.Seconds, w.Seconds = 0, 0
		if e != w {
			t.Errorf("epoch %+v, uninterrupted %+v", e, w)
		}
	}
}

// TestTrainAsChild is the training that TestKilledAtAnyMoment kills.
func TestTrainAsChild(t *testing.T) {
	dir := os.Getenv("TIREWATCH_TEST_RUN")
	if dir == "" {
		t.Skip("runs as a child of TestKilledAtAnyMoment")
	}
	var tr *trainer.Trainer
	run, last, best, err := trainer.OpenRun(dir)
	if errors.Is(err, trainer.ErrNoRun) {
		if run, err = trainer.CreateRun(dir); err == nil {
			tr = start(t, killedEpochs, everything)
		}
	} else if err == nil {
		tr, err = trainer.Resume(last, best, drawn(100, 1), drawn(40, 2))
	}
	if err != nil {
		t.Fatal(err)
	}
	err = tr.Run(context.Background(), trainer.Observer{
		Batch: func(_, _, _ int) { fmt.Println("batch") },
		Save: func(last, best *checkpoint.Checkpoint) error {
			fmt.Println("save")
			defer fmt.Println("saved")
			return run.Save(last, best)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("done")
}
