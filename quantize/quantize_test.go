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
	"tirewatch/quantize/bundle"
	"tirewatch/quantize/bundle/bundletest"
	"tirewatch/quantize/calibrate"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/preprocess"
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

// images draws n images, every third a crack: dark on the left half.
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
	if steps[quantize.StepCalibrate] != 30_030 || steps[quantize.StepCompare] != 60_060 {
		t.Errorf("progress ended at %v", steps)
	}
	// Two golden inputs of each class: images 0, 1 are normal, 2 and 5 are cracks.
	for i, want := range []int{0, 2, 1, 5} {
		if !bytes.Equal(got.Golden[i].Pix, j.Evaluation.Pix[want]) {
			t.Errorf("golden input %d is not image %d", i, want)
		}
	}
}

// The same job makes the same file, whatever the order in which processors finish.
func TestDeterministic(t *testing.T) {
	var first []byte
	for range 3 {
		b, err := quantize.Quantize(t.Context(), small(t), job())
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
			t.Fatal("the same job made other bytes")
		}
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
		t.Errorf("%+v on %d images, want an evaluation on the calibration images that says so", b.Evaluation, b.Quantization.Images)
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
		"three images":     {func(_ *checkpoint.Checkpoint, j *quantize.Job) { j.Calibration = images(3, 1) }, quantize.ErrTooFewImages},
		"three to compare": {func(_ *checkpoint.Checkpoint, j *quantize.Job) { j.Evaluation = images(3, 1) }, quantize.ErrTooFewImages},
		"no serial":        {func(_ *checkpoint.Checkpoint, j *quantize.Job) { j.Serial = 0 }, bundle.ErrInvalid},
		"a broken target":  {func(_ *checkpoint.Checkpoint, j *quantize.Job) { j.Target = "hamburg" }, bundle.ErrInvalid},
		"threshold 0":      {func(c *checkpoint.Checkpoint, _ *quantize.Job) { c.Threshold = 0 }, bundle.ErrInvalid},
		"tensors missing":  {func(c *checkpoint.Checkpoint, _ *quantize.Job) { c.Params = c.Params[1:] }, nn.ErrParams},
	} {
		t.Run(name, func(t *testing.T) {
			ck, j := small(t), job()
			c.spoil(ck, &j)
			if b, err := quantize.Quantize(t.Context(), ck, j); b != nil || !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	t.Run("a network that says nothing", func(t *testing.T) {
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
