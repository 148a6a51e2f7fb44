package metrics_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"tirewatch/trainer/metrics"
)

func TestRecallAt(t *testing.T) {
	// From the highest: crack .9, crack .8, sound .7, crack and sound .5, crack .4, sound .2, .1.
	scores := []float64{.9, .8, .5, .4, .7, .5, .2, .1}
	labels := []bool{T, T, T, T, F, F, F, F}
	for _, c := range []struct {
		limit, want float64
	}{
		{0, .5},    // above .7
		{.24, .5},  // less than one of four
		{.25, .5},  // .7 is rejected and brings nothing
		{.5, 1},    // the tie and .4, before .2
		{.499, .5}, // the tie would be half of a half
		{.99, 1},
	} {
		if got := metrics.RecallAt(scores, labels, c.limit); got != c.want {
			t.Errorf("at most %v rejected: recall %v, want %v", c.limit, got, c.want)
		}
	}
	if got := metrics.RecallAt([]float64{.1, .9}, []bool{F, F}, .5); got != 0 {
		t.Errorf("without cracks: %v", got)
	}
	if got := metrics.RecallAt([]float64{.1, .9}, []bool{T, T}, 0); got != 1 {
		t.Errorf("without sound tires: %v", got)
	}
}

func TestBestThreshold(t *testing.T) {
	for _, c := range []struct {
		name   string
		scores []float64
		labels []bool
		want   float64
	}{
		{"between the classes", []float64{.1, .2, .6, .8}, []bool{F, F, T, T}, .4},
		{"one crack below", []float64{.1, .2, .6, .8, .15}, []bool{F, F, T, T, T}, .4},
		{"the upper of two equal cuts", []float64{.1, .4, .6, .9}, []bool{F, T, F, T}, .75},
		{"ties stay on one side", []float64{.25, .5, .5, .75}, []bool{F, F, T, T}, .625},
		{"only sound tires", []float64{.25, .75}, []bool{F, F}, .875},
		{"only cracks", []float64{.25, .75}, []bool{T, T}, .125},
		{"only 0 and 1", []float64{0, 1}, []bool{F, T}, .5},
	} {
		if got := metrics.BestThreshold(c.scores, c.labels); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// noisy makes n groups of size images of one label, with scores that separate the classes in part.
// All images of a group share most of their score.
func noisy(n, size int, gap float64, seed uint64) (scores []float64, labels []bool, groups []string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for g := range n {
		own := rng.NormFloat64()
		if g%2 == 1 {
			own += gap
		}
		for range size {
			v := own + 0.1*rng.NormFloat64()
			scores, labels, groups = append(scores, 1/(1+math.Exp(-v))), append(labels, g%2 == 1), append(groups, fmt.Sprint(g))
		}
	}
	return scores, labels, groups
}

// alone puts each image into a group of its own.
func alone(n int) (groups []string) {
	for i := range n {
		groups = append(groups, fmt.Sprint("image ", i))
	}
	return groups
}

// The interval of independent images is about that of Hanley and McNeil, whose standard error for
// an AUC of .85 with 100 and 100 images is .027. Ten images of each tire bring nothing: the
// interval over groups stays as wide, and that over images would be far too narrow.
func TestBootstrapOverGroups(t *testing.T) {
	scores, labels, groups := noisy(200, 1, 1.4, 3)
	one := metrics.NewBootstrap(groups, labels, 1).AUC(scores, labels)
	auc := metrics.ROCAUC(scores, labels)
	if one.Low > auc || one.High < auc || math.Abs((one.High-one.Low)-4*.027) > .02 {
		t.Errorf("AUC %.3f, interval %.3f to %.3f", auc, one.Low, one.High)
	}
	scores, labels, groups = noisy(200, 10, 1.4, 3)
	b := metrics.NewBootstrap(groups, labels, 1)
	ten, naive := b.AUC(scores, labels), metrics.NewBootstrap(alone(len(scores)), labels, 1).AUC(scores, labels)
	if w, n := ten.High-ten.Low, naive.High-naive.Low; b.Groups() != 200 || w < .08 || n > w/2 {
		t.Errorf("%d groups: width %.3f over groups, %.3f over images", b.Groups(), w, n)
	}
	if again := metrics.NewBootstrap(groups, labels, 1).AUC(scores, labels); again != ten {
		t.Errorf("the same seed gave %v and %v", ten, again)
	}
	r := metrics.NewBootstrap(groups, labels, 1).RecallAt(scores, labels, .05)
	if recall := metrics.RecallAt(scores, labels, .05); r.Low >= recall || r.High <= recall {
		t.Errorf("recall %.3f, interval %v", recall, r)
	}
}

func TestCompareAUC(t *testing.T) {
	scores, labels, groups := noisy(200, 2, 1.4, 5)
	better, _, _ := noisy(200, 2, 4, 5)
	other, _, _ := noisy(200, 2, 1.4, 6)
	for _, c := range []struct {
		name     string
		old, new []float64
		want     metrics.Outcome
	}{
		{"better", scores, better, metrics.Better},
		{"worse", better, scores, metrics.Worse},
		{"as good, on other noise", scores, other, metrics.NotDistinguishable},
		{"the same", scores, scores, metrics.NotDistinguishable},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := metrics.CompareAUC(c.old, c.new, labels, groups, 1)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "old", d.Old, metrics.ROCAUC(c.old, labels))
			near(t, "new", d.New, metrics.ROCAUC(c.new, labels))
			if d.Outcome != c.want || d.Change < d.Low || d.Change > d.High || !strings.Contains(d.String(), string(c.want)) {
				t.Errorf("%s\n%+v", d, d)
			}
		})
	}
	if d, _ := metrics.CompareAUC(scores, scores, labels, groups, 1); d.P != 1 {
		t.Errorf("with itself: p = %v", d.P)
	}
	for _, bad := range [][]float64{scores[1:], nil, append([]float64{2}, scores[1:]...)} {
		if _, err := metrics.CompareAUC(scores, bad, labels, groups, 1); !errors.Is(err, metrics.ErrInput) {
			t.Errorf("%d scores: error %v, want ErrInput", len(bad), err)
		}
	}
}

// Under the null hypothesis about one comparison in twenty is called different.
func TestCompareAUCLevel(t *testing.T) {
	called := 0
	for seed := range uint64(60) {
		old, labels, groups := noisy(80, 2, 1.4, 100+seed)
		new, _, _ := noisy(80, 2, 1.4, 200+seed)
		d, err := metrics.CompareAUC(old, new, labels, groups, 1)
		if err != nil {
			t.Fatal(err)
		}
		if d.Outcome != metrics.NotDistinguishable {
			called++
		}
	}
	if called > 8 {
		t.Errorf("%d of 60 equal models are called different", called)
	}
}

// Verdicts of two thresholds: the counts are those of the verdicts.
func TestJudged(t *testing.T) {
	r, err := metrics.Judged([]float64{.9, .3, .6, .1}, []bool{T, T, F, F}, []bool{T, T, F, F}, .5)
	if err != nil || r.Accuracy != 1 || r.Matrix.TP != 2 || r.ROCAUC != .75 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := metrics.Judged([]float64{.9}, []bool{T}, nil, .5); !errors.Is(err, metrics.ErrInput) {
		t.Errorf("error %v, want ErrInput", err)
	}
}
