package transfer_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/pixels"
	"tirewatch/trainer/transfer"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/preprocess"
)

const side = 32

// newborn is a network with three blocks and random weights.
func newborn(t *testing.T) *checkpoint.Checkpoint {
	t.Helper()
	g := graph.Mobile(side, 3)
	net, err := nn.New(g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	spec := preprocess.Spec{Width: side, Height: side, Filter: preprocess.FilterTriangle}
	return &checkpoint.Checkpoint{Graph: *g, Spec: spec, Params: net.Params(), Threshold: 0.5}
}

// lines makes n grey images. A cracked one has a dark line.
func lines(n int) []trainer.Sample {
	rng := rand.New(rand.NewPCG(2, 2))
	var samples []trainer.Sample
	for i := range n {
		pix := make([]byte, side*side)
		for k := range pix {
			pix[k] = byte(120 + rng.IntN(40))
		}
		s := trainer.Sample{Crack: i%3 == 0}
		if at := rng.IntN(side); s.Crack {
			for y := range side {
				pix[y*side+at] = 20
			}
		}
		s.Pix = pixels.Of(pix)
		samples = append(samples, s)
	}
	return samples
}

func quick() transfer.FineTuneConfig {
	cfg := transfer.FineTuneDefaults(side)
	cfg.Epochs, cfg.Rate, cfg.WarmUp = 3, 1e-2, 3
	return cfg
}

// The layers below the block keep their bytes, all others change, and the loss falls. The start is
// unchanged.
func TestFineTune(t *testing.T) {
	start, before := newborn(t), newborn(t)
	images := 0
	tuned, err := transfer.FineTune(context.Background(), quick(), start, "block3", lines(30),
		func(_, done, _ int) { images = done })
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(start, before) {
		t.Error("fine-tuning changed its start")
	}
	if images != 30 {
		t.Errorf("%d images reported, want 30", images)
	}
	for i, p := range tuned.Params {
		layer, _, _ := strings.Cut(p.Name, "/")
		upper := layer == "depthwise3" || layer == "pointwise3" || layer == "score"
		if changed := !reflect.DeepEqual(p.Data, before.Params[i].Data); changed != upper {
			t.Errorf("%s changed: %v, want %v", p.Name, changed, upper)
		}
	}
	h := tuned.History
	if len(h) != 3 || !(h[2].TrainLoss < h[0].TrainLoss) {
		t.Errorf("history %+v: want a falling loss in three epochs", h)
	}
	if len(tuned.Config.Frozen) != 5 {
		t.Errorf("frozen %v, want the convolution and two blocks", tuned.Config.Frozen)
	}
}

func TestFineTuneIsTheSameOnAnyNumberOfCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var params [][]nn.Param
	for _, cores := range []int{1, 3} {
		runtime.GOMAXPROCS(cores)
		tuned, err := transfer.FineTune(context.Background(), quick(), newborn(t), "block2", lines(30), nil)
		if err != nil {
			t.Fatal(err)
		}
		params = append(params, tuned.Params)
	}
	if !reflect.DeepEqual(params[0], params[1]) {
		t.Error("one core and three cores train different weights")
	}
}

// integers makes an int8 network of random weights, and the same network in floating point.
func integers(t *testing.T) (*infer.Model, *checkpoint.Checkpoint) {
	t.Helper()
	c := newborn(t)
	steps, err := c.Graph.Plan()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	m := &infer.Model{Graph: c.Graph}
	in, out := 1.0/255, 6.0/255
	for _, s := range steps {
		if !s.HasWeights() {
			continue
		}
		w, b := c.Params[2*len(m.Layers)].Data, c.Params[2*len(m.Layers)+1].Data
		l := infer.Layer{Name: s.Name, W: make([]byte, s.Weights()), Bias: make([]int32, s.Filters)}
		scale := 4 / math.Sqrt(float64(s.Weights()/s.Filters)) / 127
		for i := range w {
			v := int8(rng.IntN(201) - 100)
			l.W[i], w[i] = byte(v), float32(float64(v)*scale)
		}
		for i := range b {
			l.Bias[i] = int32(0.2 / (in * scale))
			b[i] = float32(float64(l.Bias[i]) * in * scale)
		}
		if s.Name == "score" {
			m.LogitScale = in * scale
		} else {
			l.Mult = slices.Repeat([]float32{float32(in * scale / out)}, s.Filters)
		}
		m.Layers = append(m.Layers, l)
		in = out
	}
	return m, c
}

// The frozen layers may run in int8: training starts from nearly the same losses, and changes the
// same layers.
func TestFineTuneOnATrunkInInt8(t *testing.T) {
	m, start := integers(t)
	cfg, before := quick(), slices.Clone(start.Params)
	cfg.Epochs, cfg.Rate = 1, 1e-4
	tune := func() *checkpoint.Checkpoint {
		tuned, err := transfer.FineTune(context.Background(), cfg, start, "block3", lines(30), nil)
		if err != nil {
			t.Fatal(err)
		}
		return tuned
	}
	float := tune()
	m.Graph.Layers = slices.Clone(m.Graph.Layers)
	m.Graph.Layers[len(m.Graph.Layers)-1].Top++ // only the lower layers count
	cfg.Trunk = m
	tuned := tune()
	if a, b := float.History[0].TrainLoss, tuned.History[0].TrainLoss; a == b || math.Abs(a-b) > 0.01*a {
		t.Errorf("losses %g in float and %g in int8, want nearly the same", a, b)
	}
	for i, p := range tuned.Params {
		if p.Name != before[i].Name {
			t.Fatalf("parameter %d is %s, want %s", i, p.Name, before[i].Name)
		}
		upper := i >= 2*len(tuned.Config.Frozen)
		if changed := !reflect.DeepEqual(p.Data, before[i].Data); changed != upper {
			t.Errorf("%s changed: %v, want %v", p.Name, changed, upper)
		}
	}
	if again := tune(); !reflect.DeepEqual(tuned.Params, again.Params) {
		t.Error("the same training made other weights")
	}
}

func TestFineTuneRefusesAnotherTrunk(t *testing.T) {
	m, start := integers(t)
	m.Graph.Layers = slices.Clone(m.Graph.Layers)
	m.Graph.Layers[0].Name = "other"
	cfg := quick()
	cfg.Trunk = m
	var mismatch *graph.MismatchError
	if _, err := transfer.FineTune(context.Background(), cfg, start, "block3", lines(6), nil); !errors.As(err, &mismatch) {
		t.Errorf("error %v, want a mismatch of networks", err)
	}
}

func TestFineTuneRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, block string
		change      func(cfg *transfer.FineTuneConfig)
		train       []trainer.Sample
		want        error
		text        string
	}{
		{name: "an unknown block", block: "block4", train: lines(6), want: transfer.ErrBlock, text: "block1 block2 block3"},
		{name: "sound tires only", block: "block3", train: lines(3)[1:], want: trainer.ErrTooFew, text: "not 0 and 2"},
		{name: "images of another size", block: "block3",
			train: []trainer.Sample{{Pix: pixels.Of(make([]byte, 9))}}, text: "9 bytes, want 1024"},
		{name: "no epoch", block: "block3", change: func(c *transfer.FineTuneConfig) { c.Epochs = 0 }, text: "0 epochs"},
		{name: "a rate that is not a number", block: "block3",
			change: func(c *transfer.FineTuneConfig) { c.Rate = math.NaN() }, text: "rate NaN"},
		{name: "labels that say nothing", block: "block3",
			change: func(c *transfer.FineTuneConfig) { c.Smoothing = 0.5 }, text: "smoothing 0.5"},
		{name: "a negative shift", block: "block3",
			change: func(c *transfer.FineTuneConfig) { c.Shift = -1 }, text: "shifts of -1 px"},
		{name: "too much decay", block: "block3",
			change: func(c *transfer.FineTuneConfig) { c.Decay = 1e6 }, text: "weight decay 1e+06"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := quick()
			if tc.change != nil {
				tc.change(&cfg)
			}
			_, err := transfer.FineTune(context.Background(), cfg, newborn(t), tc.block, tc.train, nil)
			if err == nil || !strings.Contains(err.Error(), tc.text) || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %q and %v", err, tc.text, tc.want)
			}
		})
	}
}

func TestFineTuneStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	_, err := transfer.FineTune(ctx, quick(), newborn(t), "block3", lines(30), func(int, int, int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
