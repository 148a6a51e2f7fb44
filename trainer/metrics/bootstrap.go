package metrics

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Interval is a 95 % interval, in which a figure on new images lies.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Draws is how many times the bootstrap draws. With 2,000 draws the ends of an interval move by
// some hundredths of its width from seed to seed.
const Draws = 2000

// Bootstrap draws whole groups of images with replacement, because images of one tire say less than
// as many images of different tires. Groups are drawn apart by the classes that they contain, so
// every draw has both classes if the images have. The same seed gives the same draws. Source: Efron
// and Tibshirani 1993, "An introduction to the bootstrap", chapter 13 (percentile interval); groups
// as in Field and Welsh 2007, "Bootstrapping clustered data".
type Bootstrap struct {
	images [][]int    // of each group
	strata [4][]int   // groups with neither class, with sound tires, with cracks, with both
	times  []int      // of each image in the current draw
	rng    *rand.Rand // the draws
}

// NewBootstrap prepares the draws for images with groups and labels, true for a crack.
func NewBootstrap(groups []string, labels []bool, seed uint64) *Bootstrap {
	b := &Bootstrap{times: make([]int, len(labels)), rng: rand.New(rand.NewPCG(seed, 0))}
	at := make(map[string]int)
	var classes []int // of each group, as an index of strata
	for i, name := range groups {
		g, ok := at[name]
		if !ok {
			g = len(b.images)
			at[name], b.images, classes = g, append(b.images, nil), append(classes, 0)
		}
		b.images[g] = append(b.images[g], i)
		if labels[i] {
			classes[g] |= 2
		} else {
			classes[g] |= 1
		}
	}
	for g, c := range classes {
		b.strata[c] = append(b.strata[c], g)
	}
	return b
}

// Groups returns the number of groups.
func (b *Bootstrap) Groups() int { return len(b.images) }

// draw returns how many times each image is in the next draw. The slice is used again.
func (b *Bootstrap) draw() []int {
	clear(b.times)
	for _, groups := range b.strata {
		for range groups {
			for _, i := range b.images[groups[b.rng.IntN(len(groups))]] {
				b.times[i]++
			}
		}
	}
	return b.times
}

// sample returns the sorted values of a figure in all draws.
func (b *Bootstrap) sample(figure func(times []int) float64) []float64 {
	values := make([]float64, Draws)
	for i := range values {
		values[i] = figure(b.draw())
	}
	slices.Sort(values)
	return values
}

// interval is the middle 95 % of sorted values.
func interval(sorted []float64) Interval {
	cut := len(sorted) / 40
	return Interval{sorted[cut], sorted[len(sorted)-1-cut]}
}

// AUC returns the interval of ROCAUC.
func (b *Bootstrap) AUC(scores []float64, labels []bool) Interval {
	return interval(b.sample(newRanking(scores, labels).auc))
}

// RecallAt returns the interval of RecallAt.
func (b *Bootstrap) RecallAt(scores []float64, labels []bool, limit float64) Interval {
	r := newRanking(scores, labels)
	return interval(b.sample(func(times []int) float64 { return r.recallAt(times, limit) }))
}

// AUCDifference compares the areas under the ROC curve of two models on the same images.
type AUCDifference struct {
	Old    float64 `json:"old"`
	New    float64 `json:"new"`
	Change float64 `json:"change"` // New - Old
	Interval
	P      float64 `json:"p"`      // two-sided
	Groups int     `json:"groups"` // that the bootstrap drew from

	Outcome Outcome `json:"outcome"`
}

// CompareAUC tests whether the scores of two models separate the same images equally well. Both are
// measured in each draw, so what is hard for both cancels out. P is twice the share of the draws in
// which the difference does not have the sign of the whole, at least 2 of Draws + 1. Errors wrap
// ErrInput.
func CompareAUC(old, new []float64, labels []bool, groups []string, seed uint64) (*AUCDifference, error) {
	if len(new) != len(old) || len(groups) != len(labels) {
		return nil, fmt.Errorf("%w: %d and %d scores, %d labels, %d groups", ErrInput, len(old), len(new), len(labels),
			len(groups))
	}
	for _, scores := range [][]float64{old, new} {
		if err := check(scores, labels, 0); err != nil {
			return nil, err
		}
	}
	b := NewBootstrap(groups, labels, seed)
	o, n := newRanking(old, labels), newRanking(new, labels)
	all := once(len(labels))
	d := &AUCDifference{Old: o.auc(all), New: n.auc(all), Groups: b.Groups()}
	d.Change = d.New - d.Old
	values := b.sample(func(times []int) float64 { return n.auc(times) - o.auc(times) })
	d.Interval = interval(values)
	notAbove, notBelow := 0, 0
	for _, v := range values {
		if v <= 0 {
			notAbove++
		}
		if v >= 0 {
			notBelow++
		}
	}
	d.P = min(1, 2*float64(min(notAbove, notBelow)+1)/float64(Draws+1))
	d.Outcome = NotDistinguishable
	switch {
	case d.P < Level && d.Change > 0:
		d.Outcome = Better
	case d.P < Level && d.Change < 0:
		d.Outcome = Worse
	}
	return d, nil
}

// String states the result in one sentence.
func (d *AUCDifference) String() string {
	than := "than"
	if d.Outcome == NotDistinguishable {
		than = "from"
	}
	return fmt.Sprintf("By its scores the new model is %s %s the old one: ROC AUC %.4f, before %.4f, "+
		"difference %+.4f (95 %% interval %+.4f to %+.4f, p = %.2g, bootstrap over %d groups).",
		d.Outcome, than, d.New, d.Old, d.Change, d.Low, d.High, d.P, d.Groups)
}
