package transfer

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"tirewatch/trainer"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/graph"
)

const testChannels, testPositions = 32, 49

// spots makes examples with features of noise. A crack has one position where some channels are
// high; the mean of the picture does not tell it from a sound tire, whose noise is stronger.
func spots(n, perGroup int, seed uint64) (examples []Example) {
	rng := rand.New(rand.NewPCG(seed, 9))
	for i := range n {
		e := Example{Crack: i/perGroup%2 == 1, Name: string(rune('a' + i)), Group: string(rune('A' + i/perGroup))}
		pix := make([]byte, testChannels*testPositions)
		for k := range pix {
			pix[k] = byte(40 + rng.IntN(60))
		}
		if e.Crack {
			at := rng.IntN(testPositions)
			for c := range 8 {
				pix[at*testChannels+c] += 60
			}
		}
		e.Views = []pixels.Image{pixels.Of(pix)}
		examples = append(examples, e)
	}
	return examples
}

func testHead() HeadConfig {
	cfg := HeadDefaults()
	cfg.Top, cfg.Seed = 5, 1
	return cfg
}

func auc(t *testing.T, h *Head, examples []Example) float64 {
	t.Helper()
	var scores []float64
	var labels []bool
	for _, e := range examples {
		p, err := h.Probability(e)
		if err != nil {
			t.Fatal(err)
		}
		scores, labels = append(scores, p), append(labels, e.Crack)
	}
	return metrics.ROCAUC(scores, labels)
}

// The head finds what one position shows, which the mean of all positions nearly hides.
func TestHeadFindsSpots(t *testing.T) {
	train, test := spots(160, 1, 1), spots(160, 1, 2)
	h, err := FitHead(t.Context(), testHead(), testChannels, train)
	if err != nil {
		t.Fatal(err)
	}
	mean := testHead()
	mean.Top = testPositions
	m, err := FitHead(t.Context(), mean, testChannels, train)
	if err != nil {
		t.Fatal(err)
	}
	if top, all := auc(t, h, test), auc(t, m, test); top < 0.9 || top < all+0.05 {
		t.Errorf("AUC %.3f with the highest positions, %.3f with all", top, all)
	}
}

// The gradient of a batch is that of the loss, by finite differences on the standardised weights.
func TestHeadGradient(t *testing.T) {
	examples := spots(12, 1, 3)
	cfg := testHead()
	f := &fitter{cfg: cfg, w: make([]float32, testChannels+1), v: make([]float32, testChannels), sums: make([]float32, testChannels)}
	if err := f.standardize(testChannels, examples); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range f.w {
		f.w[i] = float32(0.3 * rng.NormFloat64())
	}
	f.refresh()
	batch := []int{0, 3, 4, 7, 8}
	if err := f.batch(examples, batch, [2]float64{0.8, 1.3}, rng); err != nil {
		t.Fatal(err)
	}
	f.gradient()
	got := slices.Clone(f.adam.g)
	loss := func() (sum float64) {
		f.refresh()
		for _, i := range batch {
			pix, _ := examples[i].Views[0].Load(nil)
			z, y := f.pick.logit(pix, f.v, f.base, cfg.Top), float64(class(examples[i].Crack))
			w := [2]float64{0.8, 1.3}[class(examples[i].Crack)]
			sum += w * (math.Max(z, 0) - z*y + math.Log1p(math.Exp(-math.Abs(z)))) / float64(len(batch))
		}
		for _, w := range f.w[:testChannels] {
			sum += cfg.Decay * float64(w) * float64(w) / 2
		}
		return sum
	}
	for i := range f.w {
		const h = 2e-3
		w := f.w[i]
		f.w[i] = w + h
		up := loss()
		f.w[i] = w - h
		down := loss()
		f.w[i] = w
		if want := (up - down) / (2 * h); math.Abs(want-float64(got[i])) > 2e-3+0.02*math.Abs(want) {
			t.Errorf("weight %d: gradient %g, differences say %g", i, got[i], want)
		}
	}
}

// Of equal scores the first count, and there are always Top of them.
func TestPickerTies(t *testing.T) {
	for _, c := range []struct {
		name   string
		scores []byte
		top    int
		want   []int
	}{
		{"different", []byte{1, 5, 3, 4}, 2, []int{1, 3}},
		{"all equal", []byte{2, 2, 2, 2}, 3, []int{0, 1, 2}},
		{"a tie for the last place", []byte{2, 9, 2, 2}, 2, []int{0, 1}},
		{"all", []byte{3, 1}, 2, []int{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p picker
			p.logit(c.scores, []float32{1}, 0, c.top)
			if !slices.Equal(p.places, c.want) {
				t.Errorf("places %v, want %v", p.places, c.want)
			}
		})
	}
}

// The same job has the same result on any number of cores, and scores come from heads that did not
// see the group of the image.
func TestTeach(t *testing.T) {
	job := Job{Graph: testGraph(), Examples: spots(60, 2, 5), Seed: 3}
	one := func(cores int) *Taught {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		taught, err := Teach(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		return taught
	}
	a, b := one(1), one(3)
	if !reflect.DeepEqual(a, b) {
		t.Error("one core and three have different results")
	}
	if a.Count != Folds || !slices.Contains(Decays, a.Decay) || a.Threshold <= 0 || a.Threshold >= 1 {
		t.Errorf("%d parts, decay %g, threshold %g", a.Count, a.Decay, a.Threshold)
	}
	part := make(map[string]int)
	for i, e := range job.Examples {
		if k, ok := part[e.Group]; ok && k != a.Fold[i] {
			t.Fatalf("group %s is in the parts %d and %d", e.Group, k, a.Fold[i])
		}
		part[e.Group] = a.Fold[i]
		want, err := a.Heads[a.Fold[i]].Probability(e)
		if err != nil || a.Scores[i] != want {
			t.Fatalf("image %d: score %g, its head says %g, error %v", i, a.Scores[i], want, err)
		}
	}
}

// testGraph is a network whose features have the shape of spots.
func testGraph() *graph.Graph {
	return &graph.Graph{Input: graph.Shape{H: 7, W: 7, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv", Filters: testChannels, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.ReLU6},
		{Kind: graph.Conv2D, Name: "score", Filters: 1, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.Linear},
		{Kind: graph.TopMean, Name: "top", Top: 5, Activation: graph.Sigmoid}}}
}

func TestTeachFewGroups(t *testing.T) {
	job := Job{Graph: testGraph(), Seed: 1}
	for _, c := range []struct {
		name     string
		examples []Example
		parts    int
	}{
		{"one group of each class", spots(8, 4, 1), 0},
		{"three groups of each class", spots(12, 2, 1), 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			job.Examples = c.examples
			taught, err := Teach(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			if taught.Count != c.parts || (taught.Scores == nil) != (c.parts == 0) || taught.Head == nil {
				t.Errorf("%d parts, scores %v", taught.Count, taught.Scores)
			}
		})
	}
	job.Examples = spots(1, 1, 1)
	if _, err := Teach(t.Context(), job); !errors.Is(err, trainer.ErrTooFew) {
		t.Errorf("sound tires only: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	job.Examples = spots(20, 1, 1)
	if _, err := Teach(ctx, job); !errors.Is(err, context.Canceled) {
		t.Errorf("after Ctrl-C: %v", err)
	}
}
