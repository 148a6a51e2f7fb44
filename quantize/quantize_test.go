package quantize_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tirewatch/quantize"
	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

// small is an untrained checkpoint of the small test network.
func small(t *testing.T) *checkpoint.Checkpoint {
	t.Helper()
	g := bundletest.Graph()
	net, err := nn.New(&g, rand.New(rand.NewPCG(3, 3)))
	if err != nil {
		t.Fatal(err)
	}
	return &checkpoint.Checkpoint{Graph: g, Params: net.Params(), Threshold: 0.5,
		Spec: preprocess.Spec{Width: g.Input.W, Height: g.Input.H, Filter: preprocess.FilterTriangle}}
}

// images returns n images of noise. Every third one is labelled crack and is dark on its left half.
func images(n int, seed uint64) quantize.Images {
	rng := rand.New(rand.NewPCG(seed, 0))
	g := bundletest.Graph()
	var im quantize.Images
	for i := range n {
		pix := make([]byte, g.Input.Size())
		for k := range pix {
			pix[k] = byte(rng.Uint32())
			if i%3 == 2 && k%g.Input.W < g.Input.W/2 {
				pix[k] /= 8
			}
		}
		im.Pix, im.Crack = append(im.Pix, pix), append(im.Crack, i%3 == 2)
	}
	return im
}

func job() quantize.Job {
	return quantize.Job{
		Calibration: images(30, 1), Evaluation: images(60, 2), Serial: 12, Target: "hamburg/*/*",
		Force:      true, // the scores of an untrained network are close to its threshold
		Created:    time.Date(2024, 5, 17, 8, 30, 0, 0, time.UTC),
		Provenance: bundle.Provenance{Tool: "test", Checkpoint: "aa", Data: "bb"},
	}
}

func TestQuantize(t *testing.T) {
	steps := make(map[quantize.Step]int)
	j := job()
	j.Progress = func(s quantize.Step, done, of int) { steps[s] = max(steps[s], done*1000+of) }
	b, err := quantize.Quantize(t.Context(), small(t), j)
	if err != nil {
		t.Fatal(err)
	}
	data, err := bundle.Encode(b, bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	got, err := bundle.Decode(data, bundletest.Public(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.SelfTest(); err != nil {
		t.Error(err)
	}
	if got.Serial != 12 || got.Target != "hamburg/*/*" || got.Provenance.Calibration != 30 || !got.Evaluation.HeldOut {
		t.Errorf("serial %d, target %s, %+v, %+v", got.Serial, got.Target, got.Provenance, got.Evaluation)
	}
	q := got.Quantization
	if q.Images != 60 || got.Evaluation.Images() != 60 || q.Agreement < 0.9 || q.LargestShift > 0.05 || len(q.Layers) != 2 {
		t.Errorf("comparison %+v", q)
	}
	if steps[quantize.StepCalibrate] != 60_060 || steps[quantize.StepTry] != 30_030 || steps[quantize.StepCompare] != 60_060 {
		t.Errorf("progress ended at %v", steps)
	}
	// Two golden inputs of each class: images 0 and 1 are normal, 2 and 5 are cracks.
	for i, want := range []int{0, 2, 1, 5} {
		if !bytes.Equal(got.Golden[i].Pix, j.Evaluation.Pix[want]) {
			t.Errorf("golden input %d is not image %d", i, want)
		}
	}
}

// The same job makes the same file, in whatever order the goroutines finish.
func TestDeterministic(t *testing.T) {
	var first []byte
	for range 3 {
		j := job()
		j.BiasCorrection = true
		b, err := quantize.Quantize(t.Context(), small(t), j)
		if err != nil {
			t.Fatal(err)
		}
		data, err := bundle.Encode(b, bundletest.Key(1))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		}
		if !bytes.Equal(first, data) {
			t.Fatal("the same job made different bytes")
		}
	}
}

// A network with scores goes the whole way, and its bundle runs.
func TestQuantizeMobile(t *testing.T) {
	g := graph.Mobile(32, 3)
	net, err := nn.New(g, rand.New(rand.NewPCG(3, 3)))
	if err != nil {
		t.Fatal(err)
	}
	ck := &checkpoint.Checkpoint{Graph: *g, Params: net.Params(), Threshold: 0.5,
		Spec: preprocess.Spec{Width: 32, Height: 32, Filter: preprocess.FilterTriangle}}
	j := job()
	for _, im := range []*quantize.Images{&j.Calibration, &j.Evaluation} {
		rng := rand.New(rand.NewPCG(9, 9))
		for i := range im.Pix {
			im.Pix[i] = make([]byte, g.Input.Size())
			for k := range im.Pix[i] {
				im.Pix[i][k] = byte(rng.Uint32())
			}
		}
	}
	j.BiasCorrection = true
	b, err := quantize.Quantize(t.Context(), ck, j)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range b.Quantization.Layers {
		if l.Range != graph.MaxReLU6 {
			t.Errorf("layer %s has the range %g, want 6", l.Name, l.Range)
		}
	}
	data, err := bundle.Encode(b, bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	got, err := bundle.Decode(data, bundletest.Public(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.SelfTest(); err != nil {
		t.Error(err)
	}
}

func TestWithoutEvaluationImages(t *testing.T) {
	j := job()
	j.Evaluation = quantize.Images{}
	b, err := quantize.Quantize(t.Context(), small(t), j)
	if err != nil {
		t.Fatal(err)
	}
	if b.Evaluation.HeldOut || b.Quantization.Images != 30 {
		t.Errorf("%+v on %d images, want HeldOut false and the 30 calibration images", b.Evaluation, b.Quantization.Images)
	}
}

func TestOneClassOnly(t *testing.T) {
	j := job()
	j.Evaluation.Crack = slices.Repeat([]bool{true}, len(j.Evaluation.Crack))
	b, err := quantize.Quantize(t.Context(), small(t), j)
	if err != nil || len(b.Golden) != bundle.MinGolden {
		t.Errorf("error %v, want %d golden inputs", err, bundle.MinGolden)
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(c *checkpoint.Checkpoint, j *quantize.Job)
		want  error
	}{
		"three images": {func(_ *checkpoint.Checkpoint, j *quantize.Job) { j.Calibration = images(3, 1) },
			quantize.ErrTooFewImages},
		"fifteen images": {func(_ *checkpoint.Checkpoint, j *quantize.Job) { j.Calibration = images(15, 1) },
			quantize.ErrTooFewImages},
		"one class": {func(_ *checkpoint.Checkpoint, j *quantize.Job) { clear(j.Calibration.Crack) }, quantize.ErrOneClass},
		"three to compare": {func(_ *checkpoint.Checkpoint, j *quantize.Job) { j.Evaluation = images(3, 1) },
			quantize.ErrTooFewImages},
		"no serial":       {func(_ *checkpoint.Checkpoint, j *quantize.Job) { j.Serial = 0 }, bundle.ErrInvalid},
		"a broken target": {func(_ *checkpoint.Checkpoint, j *quantize.Job) { j.Target = "hamburg" }, bundle.ErrInvalid},
		"threshold 0":     {func(c *checkpoint.Checkpoint, _ *quantize.Job) { c.Threshold = 0 }, bundle.ErrInvalid},
		"tensors missing": {func(c *checkpoint.Checkpoint, _ *quantize.Job) { c.Params = c.Params[1:] }, nn.ErrParams},
	} {
		t.Run(name, func(t *testing.T) {
			ck, j := small(t), job()
			c.spoil(ck, &j)
			if b, err := quantize.Quantize(t.Context(), ck, j); b != nil || !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	t.Run("a layer that is always 0", func(t *testing.T) {
		ck := small(t)
		clear(ck.Params[0].Data)
		_, err := quantize.Quantize(t.Context(), ck, job())
		var silent *calibrate.SilentLayerError
		if !errors.As(err, &silent) || silent.Layer != "conv1" {
			t.Errorf("error %v, want a SilentLayerError", err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := quantize.Quantize(ctx, small(t), job()); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want Canceled", err)
		}
	})
}

// A job can name one method. Otherwise all are tried and the best is chosen.
func TestMethods(t *testing.T) {
	j := job()
	b, err := quantize.Quantize(t.Context(), small(t), j)
	if err != nil {
		t.Fatal(err)
	}
	q := b.Quantization
	if len(q.Trials) != 3 || q.Way().Method == "" {
		t.Fatalf("tried %+v", q.Trials)
	}
	for _, trial := range q.Trials {
		if w := q.Way(); trial.Agreement > w.Agreement || trial.Agreement == w.Agreement && trial.LogitError < w.LogitError {
			t.Errorf("%+v is better than the chosen %+v", trial, w)
		}
	}
	for i, m := range calibrate.Methods {
		j.Method = m
		b, err := quantize.Quantize(t.Context(), small(t), j)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Quantization.Trials; len(got) != 1 || got[0] != q.Trials[i] {
			t.Errorf("%s alone: %+v, among all: %+v", m, got, q.Trials[i])
		}
		for _, l := range b.Quantization.Layers {
			if l.SNR < 25 {
				t.Errorf("%s: layer %s has %.1f dB", m, l.Name, l.SNR)
			}
		}
	}
	j.Method = "entropy"
	if _, err := quantize.Quantize(t.Context(), small(t), j); !errors.Is(err, calibrate.ErrMethod) {
		t.Errorf("error %v, want ErrMethod", err)
	}
}

// Bias correction is one more trial.
func TestBiasCorrection(t *testing.T) {
	j := job()
	j.BiasCorrection = true
	b, err := quantize.Quantize(t.Context(), small(t), j)
	if err != nil {
		t.Fatal(err)
	}
	q := b.Quantization
	last := q.Trials[len(q.Trials)-1]
	if len(q.Trials) != 4 || !last.BiasCorrection || last.LogitError > 1.5*q.Trials[0].LogitError {
		t.Errorf("tried %+v", q.Trials)
	}
}

// The threshold is chosen from the scores of the int8 network, which the station runs, and the
// evaluation uses this threshold.
func TestBudget(t *testing.T) {
	j := job()
	j.Budgets = []metrics.Budget{{Side: metrics.Escape, Limit: 0.25}}
	// the network scores the dark third lower: label the others as cracks
	for i, c := range j.Evaluation.Crack {
		j.Evaluation.Crack[i] = !c
	}
	b, err := quantize.Quantize(t.Context(), small(t), j)
	if err != nil {
		t.Fatal(err)
	}
	if b.Budget != (bundle.Budget{Side: bundle.Escape, Limit: 0.25}) || b.Threshold == 0.5 || b.Evaluation.FalseNegative > 10 {
		t.Errorf("budget %+v, threshold %g, %+v", b.Budget, b.Threshold, b.Evaluation)
	}
	if bundle.Escape != string(metrics.Escape) || bundle.FalseReject != string(metrics.FalseReject) ||
		bundle.UnsureShare != string(metrics.UnsureShare) {
		t.Error("bundle and metrics name the sides differently")
	}
	j.Evaluation = quantize.Images{}
	if _, err := quantize.Quantize(t.Context(), small(t), j); !errors.Is(err, quantize.ErrNotHeldOut) {
		t.Errorf("without testing images: error %v", err)
	}
}

// Two budgets choose two thresholds from the scores of the int8 network. The bundle has the newer
// format, drawn golden inputs and the unsure images. With budgets that one threshold keeps, it has
// the older format and photographs only.
func TestTwoThresholds(t *testing.T) {
	j := job()
	for i, c := range j.Evaluation.Crack {
		j.Evaluation.Crack[i] = c == (i < 9) // nine are labelled wrong, so the classes overlap
	}
	j.Budgets = []metrics.Budget{{Side: metrics.Escape, Limit: 0.05}, {Side: metrics.FalseReject, Limit: 0.1}}
	b, err := quantize.Quantize(t.Context(), small(t), j)
	if err != nil {
		t.Fatal(err)
	}
	e := b.Evaluation
	if len(b.Heads) != 1 || !b.Policy("").Three() || e.Images() != 60 || e.Unsure() == 0 || e.FalseNegative > 2 || e.FalsePositive > 2 {
		t.Fatalf("%+v, %+v", b.Heads, e)
	}
	if r := b.Reference; r.NormalLogit.N+r.CrackLogit.N != e.Decided() || r.Brightness.N != 60 {
		t.Errorf("reference %+v of %d decided images", r, e.Decided())
	}
	drawn := 0
	for _, g := range b.Golden {
		if g.Seed != 0 {
			drawn++
		}
	}
	data, err := bundle.Encode(b, bundletest.Key(1))
	if err != nil || len(b.Golden) != 6 || drawn != 4 || b.Version() != 2 {
		t.Fatalf("version %d, %d golden inputs, %d drawn, %v", b.Version(), len(b.Golden), drawn, err)
	}
	got, err := bundle.Decode(data, bundletest.Public(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.SelfTest(); err != nil {
		t.Error(err)
	}
	for _, budgets := range [][]metrics.Budget{
		{{Side: metrics.Escape, Limit: 0.8}, {Side: metrics.FalseReject, Limit: 0.8}}, {{Side: metrics.UnsureShare}},
	} {
		j.Budgets = budgets
		b, err := quantize.Quantize(t.Context(), small(t), j)
		if err != nil || b.Heads != nil || b.Version() != 1 || len(b.Golden) != bundle.MinGolden || b.Threshold == 0.5 {
			t.Errorf("%v: %+v, %v", budgets, b, err)
		}
	}
}

// All images score close to the threshold, so the networks disagree on many of them. Quantize
// refuses that unless it is forced.
func TestAgreement(t *testing.T) {
	ck, j := small(t), job()
	j.Force = false
	for i := range j.Evaluation.Pix { // images that differ in one bit have close scores
		j.Evaluation.Pix[i] = bytes.Clone(j.Evaluation.Pix[0])
		j.Evaluation.Pix[i][i] ^= 1
	}
	net, err := ck.Net()
	if err != nil {
		t.Fatal(err)
	}
	var logits []float64
	for _, pix := range j.Evaluation.Pix {
		l, err := net.NewPredictor().Logit(pix, nil)
		if err != nil {
			t.Fatal(err)
		}
		logits = append(logits, l)
	}
	slices.Sort(logits)
	ck.Threshold = verdict.Probability(logits[len(logits)/2])
	_, err = quantize.Quantize(t.Context(), ck, j)
	var a *quantize.AgreementError
	if !errors.As(err, &a) || a.Quantization.Agreement >= quantize.MinAgreement {
		t.Fatalf("error %v, want an AgreementError", err)
	}
	j.Force = true
	b, err := quantize.Quantize(t.Context(), ck, j)
	if err != nil || b.Quantization.Agreement != a.Quantization.Agreement {
		t.Errorf("forced: %v", err)
	}
}

// The float network does not fuse pools after dropout or with padding. Both networks must still
// report the same layers, and bias correction must work.
func TestEveryPool(t *testing.T) {
	ck, j := small(t), job()
	ck.Graph.Layers = []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv1", Filters: 4, Kernel: 3, Stride: 1, Padding: graph.Same, Activation: graph.ReLU},
		{Kind: graph.Dropout, Name: "drop1", Rate: 0.2},
		{Kind: graph.MaxPool2D, Name: "pool1", Kernel: 3, Stride: 2, Padding: graph.Same},
		{Kind: graph.Conv2D, Name: "conv2", Filters: 5, Kernel: 2, Stride: 1, Padding: graph.Valid, Activation: graph.ReLU},
		{Kind: graph.MaxPool2D, Name: "pool2", Kernel: 2, Stride: 2, Padding: graph.Valid},
		{Kind: graph.Conv2D, Name: "conv3", Filters: 6, Kernel: 2, Stride: 1, Padding: graph.Valid, Activation: graph.ReLU},
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense", Filters: 1, Activation: graph.Sigmoid},
	}
	net, err := nn.New(&ck.Graph, rand.New(rand.NewPCG(4, 4)))
	if err != nil {
		t.Fatal(err)
	}
	ck.Params = net.Params()
	j.BiasCorrection = true
	b, err := quantize.Quantize(t.Context(), ck, j)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range b.Quantization.Layers {
		if l.SNR < 25 || l.SNR == bundle.MaxSNR {
			t.Errorf("layer %s has %.1f dB", l.Name, l.SNR)
		}
	}

	// Two pools between two trained layers: Quantize accepts the network, but not with bias
	// correction.
	ck.Graph.Layers[4].Kernel, ck.Graph.Layers[4].Stride = 1, 1
	ck.Graph.Layers[4].Padding = graph.Same
	ck.Graph.Layers = slices.Insert(ck.Graph.Layers, 5,
		graph.Layer{Kind: graph.MaxPool2D, Name: "pool3", Kernel: 2, Stride: 2, Padding: graph.Valid})
	if _, err := quantize.Quantize(t.Context(), ck, j); !errors.Is(err, convert.ErrParams) {
		t.Errorf("error %v, want ErrParams", err)
	}
	j.BiasCorrection = false
	if _, err := quantize.Quantize(t.Context(), ck, j); err != nil {
		t.Error(err)
	}
}
