package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/internal/each"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/transfer"
)

// curveFlags ask for a learning curve instead of a cross-validation.
type curveFlags struct {
	images []int // in a training
	draws  int
}

// learningCurve says how good the score layer is when it is fitted on few photographs.
type learningCurve struct {
	Draws  int          `json:"draws"`
	Groups int          `json:"groups"`
	Points []curvePoint `json:"points"`
}

// curvePoint is one number of photographs. A draw takes one photograph of each of half as many
// sound and cracked groups outside a fold, and is tested on that fold.
type curvePoint struct {
	Images int     `json:"images"`
	AUC    float64 `json:"roc_auc"` // mean of the draws
	Spread float64 `json:"spread"`  // standard deviation over the draws
	Lowest float64 `json:"lowest"`
}

func (c *learningCurve) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "score layer of the network mobile, fitted on few photographs, each of another group; mean of %d draws,\n"+
		"each tested on a fold that it has nothing of\n\n", c.Draws)
	fmt.Fprintln(&b, "photographs  ROC AUC  spread  lowest")
	for _, p := range c.Points {
		fmt.Fprintf(&b, "%11d  %7.3f  %6.3f  %6.3f\n", p.Images, p.AUC, p.Spread, p.Lowest)
	}
	return b.String()
}

// check refuses flags that a learning curve cannot have.
func (f *curveFlags) check(network *networkFlags) error {
	switch {
	case len(f.images) == 0:
		return nil
	case !network.mobile() || !network.headOnly:
		return cli.Usagef("--images needs --network mobile --no-finetune: a learning curve trains very often")
	case f.draws < 1:
		return cli.Usagef("--draws %d: want 1 or more", f.draws)
	}
	for _, n := range f.images {
		if n < 4 || n%2 != 0 {
			return cli.Usagef("--images %d: want an even number from 4 on, half of it cracks", n)
		}
	}
	return nil
}

// curve measures a learning curve over the folds.
func (v *crossValidation) curve(f *curveFlags) (*learningCurve, error) {
	var examples []transfer.Example
	var fold []int
	for k := range v.folds.Names {
		test, err := v.learner.examples(samplesOf(v.folds.Test(k)))
		if err != nil {
			return nil, err
		}
		for _, e := range test {
			examples, fold = append(examples, e), append(fold, k)
		}
	}
	c := &learningCurve{Draws: f.draws}
	groups := transfer.Groups(examples)
	c.Groups = groups[0] + groups[1]
	p := progress.New(v.cmd, "fitting the score layer", f.draws*len(f.images))
	defer p.Clear()
	for i, n := range f.images {
		aucs := make([]float64, f.draws)
		err := each.Run(v.cmd.Context(), f.draws, func() (struct{}, error) { return struct{}{}, nil },
			func(_ struct{}, d int) (err error) {
				aucs[d], err = v.drawOnce(examples, fold, n, d)
				return err
			}, nil, func(done int) { p.Set(i*f.draws + done) })
		if err != nil {
			return nil, err
		}
		c.Points = append(c.Points, newCurvePoint(n, aucs))
	}
	return c, nil
}

// drawOnce fits on n of the examples outside a fold and returns the area under the curve in it.
func (v *crossValidation) drawOnce(examples []transfer.Example, fold []int, n, d int) (float64, error) {
	k := d % len(v.folds.Names)
	rng := rand.New(rand.NewPCG(v.flags.cfg.Seed, uint64(d)))
	have, seen := map[bool]int{}, make(map[string]bool)
	var train []transfer.Example
	for _, i := range rng.Perm(len(examples)) {
		if e := examples[i]; fold[i] != k && !seen[e.Group] && have[e.Crack] < n/2 {
			seen[e.Group] = true
			have[e.Crack]++
			train = append(train, e)
		}
	}
	if len(train) < n {
		return 0, fmt.Errorf("draw %d photographs outside fold %s: it leaves only %d sound and %d cracked groups", n,
			v.folds.Names[k], have[false], have[true])
	}
	h, err := transfer.Fit(v.cmd.Context(), transfer.Job{Graph: &v.learner.start.Graph, Examples: train, Seed: v.flags.cfg.Seed},
		transfer.HeadDefaults().Decay)
	if err != nil {
		return 0, err
	}
	var scores []float64
	var labels []bool
	for i, e := range examples {
		if fold[i] == k {
			score, err := h.Probability(e)
			if err != nil {
				return 0, err
			}
			scores, labels = append(scores, score), append(labels, e.Crack)
		}
	}
	return metrics.ROCAUC(scores, labels), nil
}

func newCurvePoint(images int, aucs []float64) curvePoint {
	p := curvePoint{Images: images, Lowest: 1}
	for _, a := range aucs {
		p.AUC += a / float64(len(aucs))
		p.Lowest = min(p.Lowest, a)
	}
	for _, a := range aucs {
		p.Spread += (a - p.AUC) * (a - p.AUC) / float64(max(len(aucs)-1, 1))
	}
	p.Spread = math.Sqrt(p.Spread)
	return p
}
