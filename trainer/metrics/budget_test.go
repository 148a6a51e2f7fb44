package metrics_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"tirewatch/trainer/metrics"
)

// Figures computed by hand from Wilson's formula; 0 of n has the bound z²/(n+z²) with z² =
// 3.841459.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n   int
		lo, hi float64
	}{
		{0, 20, 0, 0.161125},
		{20, 20, 0.838875, 1},
		{10, 100, 0.055229, 0.174366},
		{5, 10, 0.236593, 0.763407},
		{0, 381, 0, 0.009982}, // the fewest images that prove 1 %
		{0, 380, 0, 0.010008},
		{0, 0, 0, 1},
	} {
		lo, hi := metrics.Wilson(c.k, c.n, metrics.Z95)
		if math.Abs(lo-c.lo) > 1e-6 || math.Abs(hi-c.hi) > 1e-6 {
			t.Errorf("%d of %d: %.6f to %.6f, want %.6f to %.6f", c.k, c.n, lo, hi, c.lo, c.hi)
		}
	}
}

func TestChoose(t *testing.T) {
	// Sorted: sound .1, crack .3, sound .4, both .5, sound .6, crack .8, crack .9.
	scores := []float64{.1, .4, .5, .6, .3, .5, .8, .9}
	labels := []bool{F, F, F, F, T, T, T, T}
	for _, c := range []struct {
		name           string
		side           metrics.Side
		limit          float64
		threshold      float64
		missed, reject int
	}{
		{"no crack missed: between .1 and .3", metrics.Escape, 0, .2, 0, 3},
		{"a limit between two counts rounds down", metrics.Escape, .24, .2, 0, 3},
		{"one of four: below the tie, which stays whole", metrics.Escape, .25, .45, 1, 2},
		{"two of four: between .6 and .8", metrics.Escape, .5, .7, 2, 0},
		{"a third miss would save no reject", metrics.Escape, .75, .7, 2, 0},
		{"no sound tire rejected: between .6 and .8", metrics.FalseReject, 0, .7, 2, 0},
		{"one reject would find no further crack", metrics.FalseReject, .25, .7, 2, 0},
		{"two of four: below the tie", metrics.FalseReject, .5, .45, 1, 2},
		{"nearly all: three find the last crack", metrics.FalseReject, .999, .2, 0, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := metrics.Choose(scores, labels, metrics.Budget{Side: c.side, Limit: c.limit})
			if err != nil {
				t.Fatal(err)
			}
			near(t, "threshold", got.Threshold, c.threshold)
			if got.Escape.Count != c.missed || got.FalseReject.Count != c.reject {
				t.Errorf("%d missed and %d rejected, want %d and %d",
					got.Escape.Count, got.FalseReject.Count, c.missed, c.reject)
			}
			// The counts of Choose are those of its threshold.
			if m := metrics.Confusion(scores, labels, got.Threshold); m.FN != c.missed || m.FP != c.reject {
				t.Errorf("the threshold gives %+v", m)
			}
		})
	}
}

func TestChooseAtTheExtremes(t *testing.T) {
	next := math.Nextafter(.5, 1)
	for _, c := range []struct {
		name      string
		scores    []float64 // sound, sound, crack, crack
		budget    metrics.Budget
		threshold float64
	}{
		{"a tie at the smallest score", []float64{.375, .25, .25, .75}, metrics.Budget{Side: metrics.FalseReject, Limit: .99}, .5625},
		{"the cracks below the sound tires", []float64{.5, .75, .25, .875}, metrics.Budget{Side: metrics.Escape, Limit: .5}, .8125},
		{"scores of 0 and 1", []float64{0, 0, 1, 1}, metrics.Budget{Side: metrics.Escape, Limit: 0}, .5},
		{"neighbouring numbers", []float64{.1, .5, next, .9}, metrics.Budget{Side: metrics.Escape, Limit: 0}, next},
		{"the smallest number", []float64{0, 0, math.SmallestNonzeroFloat64, 1}, metrics.Budget{Side: metrics.Escape, Limit: 0}, math.SmallestNonzeroFloat64},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := metrics.Choose(c.scores, []bool{F, F, T, T}, c.budget)
			if err != nil {
				t.Fatal(err)
			}
			if got.Threshold != c.threshold {
				t.Errorf("threshold %g, want %g", got.Threshold, c.threshold)
			}
		})
	}
}

// 3 of 300 is 1 %, although 0.01*300 is not exactly 3.
func TestChooseCountsWithoutRoundingErrors(t *testing.T) {
	for _, n := range []int{100, 300, 700, 2900} {
		var scores []float64
		var labels []bool
		for i := range n {
			scores, labels = append(scores, .5+.4*float64(i)/float64(n), .5+.4*(float64(i)+.5)/float64(n)), append(labels, T, F)
		}
		c, err := metrics.Choose(scores, labels, metrics.Budget{Side: metrics.Escape, Limit: .01})
		if err != nil || c.Escape.Count != n/100 {
			t.Errorf("of %d cracks %+v may be missed, error %v, want %d", n, c, err, n/100)
		}
	}
}

func TestChooseRefuses(t *testing.T) {
	escape := metrics.Budget{Side: metrics.Escape, Limit: 0}
	for _, c := range []struct {
		name   string
		scores []float64
		labels []bool
		budget metrics.Budget
		want   string
	}{
		{"one class", []float64{.1, .2}, []bool{F, F}, escape, "0 cracks and 2 sound tires"},
		{"useless", []float64{.1, .5, .6}, []bool{T, F, F}, escape, "rejecting all 2 sound tires"},
		{"useless for finding cracks", []float64{.9, .5, .6}, []bool{F, T, T}, metrics.Budget{Side: metrics.FalseReject}, "missing all 2 cracks"},
		{"all scores are one", []float64{.5, .5}, []bool{F, T}, escape, "rejecting all 1 sound tires"},
		{"a crack of score 0", []float64{0, 0}, []bool{F, T}, escape, "exactly 0 or 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := metrics.Choose(c.scores, c.labels, c.budget)
			var b *metrics.BudgetError
			if !errors.As(err, &b) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want a BudgetError with %q", err, c.want)
			}
		})
	}
	for _, b := range []metrics.Budget{{Side: metrics.Escape, Limit: 1}, {Side: metrics.Escape, Limit: -.1}, {Side: metrics.Escape, Limit: math.NaN()}, {Limit: .1}} {
		if _, err := metrics.Choose([]float64{.1, .9}, []bool{F, T}, b); !errors.Is(err, metrics.ErrInput) {
			t.Errorf("%+v: error %v, want ErrInput", b, err)
		}
	}
}

// 20 cracks cannot prove 1 %, 381 can. No number proves 0 %.
func TestClaim(t *testing.T) {
	for _, c := range []struct {
		cracks int
		limit  float64
		proven bool
		want   string
	}{
		{20, .01, false, "20 cracks cannot prove 1 %. This takes at least 381 without a mistake. On new tires the rate may be up to 16 %"},
		{381, .01, true, "381 cracks prove the budget with 95 % confidence"},
		{381, 0, false, "no number of cracks proves 0 %"},
		{400, .1, false, "not proven: on new tires the rate may be up to 13 %"},
	} {
		scores, labels := []float64{.1}, []bool{F}
		for i := range c.cracks {
			scores, labels = append(scores, .5+float64(i)/2000), append(labels, T)
		}
		if c.limit == .1 { // a sound tire among the cracks, so that some cracks are missed
			scores, labels = append(scores, .5+float64(c.cracks)/10/2000-.0001), append(labels, F)
		}
		got, err := metrics.Choose(scores, labels, metrics.Budget{Side: metrics.Escape, Limit: c.limit})
		if err != nil {
			t.Fatal(err)
		}
		if got.Proven != c.proven || !strings.Contains(got.String(), c.want) {
			t.Errorf("%d cracks, %g: proven %v\n%s", c.cracks, c.limit, got.Proven, got)
		}
	}
}

func TestParseShare(t *testing.T) {
	for text, want := range map[string]float64{"1%": .01, "0.5 %": .005, " 2% ": .02, "0.01": .01, "0": 0, "0%": 0, "99.9%": .999} {
		if got, err := metrics.ParseShare(text); err != nil || math.Abs(got-want) > 1e-15 {
			t.Errorf("%q is %g, error %v, want %g", text, got, err, want)
		}
	}
	for _, text := range []string{"", "%", "1", "2", "100%", "-1%", "one", "1%%", "NaN", "Inf%", "1,5%"} {
		if got, err := metrics.ParseShare(text); !errors.Is(err, metrics.ErrShare) {
			t.Errorf("%q is %g, error %v, want ErrShare", text, got, err)
		}
	}
}
