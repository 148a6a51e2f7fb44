package transfer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"tirewatch/internal/each"
	"tirewatch/trainer"
	"tirewatch/trainer/metrics"
	"tirewatch/vision/graph"
	"tirewatch/vision/verdict"
)

// Folds is the number of parts in which the weight decay of a head is tried. There are fewer if a
// class has fewer groups.
const Folds = 5

// Decays are the weight decays that Teach tries.
var Decays = []float64{0.003, 0.01, 0.1}

// Job is what Teach learns from.
type Job struct {
	Graph    *graph.Graph // with a score layer and graph.TopMean
	Examples []Example
	Seed     uint64
	Progress func(done, of int) // heads fitted; may be nil
}

// Taught is a fitted head, and how good such a head is on images that it has not seen.
type Taught struct {
	Head     *Head
	Examples []Example // that it was fitted on
	Decay    float64   // the best of Decays in the folds

	// Fold is the part of each example, counted from 0: examples of one group are in one part. It is
	// nil if a class has only one group; then Scores is nil, too.
	Fold   []int
	Count  int       // of parts
	Heads  []*Head   // for each part: the head fitted without it
	Scores []float64 // of each example: probability of a crack, by the head that did not see it

	Threshold float64 // the best one for Scores, otherwise 0.5
}

// Teach fits a head on all examples. The weight decay is the one whose heads rank images best that
// they were not fitted on, in Folds parts; the threshold follows from their scores. The same job
// has the same result on any number of cores. Errors wrap trainer.ErrTooFew if a class is missing.
func Teach(ctx context.Context, j Job) (*Taught, error) {
	steps, err := j.Graph.Plan()
	if err != nil {
		return nil, err
	}
	score := steps[len(steps)-2]
	t := &Taught{Examples: j.Examples, Decay: Decays[0], Threshold: 0.5}
	if t.Fold, t.Count = Divide(j.Examples, Folds, j.Seed); t.Count > 1 {
		if err := t.tryDecays(ctx, j, score); err != nil {
			return nil, err
		}
	}
	t.Head, err = FitHead(ctx, config(j, t.Decay), score.In.C, j.Examples)
	return t, err
}

// Fit fits a head with a given weight decay.
func Fit(ctx context.Context, j Job, decay float64) (*Head, error) {
	steps, err := j.Graph.Plan()
	if err != nil {
		return nil, err
	}
	return FitHead(ctx, config(j, decay), steps[len(steps)-2].In.C, j.Examples)
}

func config(j Job, decay float64) HeadConfig {
	cfg := HeadDefaults()
	cfg.Top, cfg.Seed, cfg.Decay = j.Graph.Layers[len(j.Graph.Layers)-1].Top, j.Seed, decay
	return cfg
}

// tryDecays fits a head without each part, for each decay, and keeps what belongs to the best one.
func (t *Taught) tryDecays(ctx context.Context, j Job, score graph.Step) error {
	heads := make([]*Head, len(Decays)*t.Count)
	scores := make([][]float64, len(Decays))
	for d := range scores {
		scores[d] = make([]float64, len(j.Examples))
	}
	var advance func(done int)
	if j.Progress != nil {
		advance = func(done int) { j.Progress(done, len(heads)+1) }
	}
	err := each.Run(ctx, len(heads), func() (struct{}, error) { return struct{}{}, nil }, func(_ struct{}, i int) error {
		d, k := i/t.Count, i%t.Count
		var others []Example
		for i, e := range j.Examples {
			if t.Fold[i] != k {
				others = append(others, e)
			}
		}
		h, err := FitHead(ctx, config(j, Decays[d]), score.In.C, others)
		if err != nil {
			return err
		}
		heads[i] = h
		for i, e := range j.Examples {
			if t.Fold[i] == k {
				if scores[d][i], err = h.Probability(e); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil, advance)
	if err != nil {
		return err
	}
	labels := make([]bool, len(j.Examples))
	for i, e := range j.Examples {
		labels[i] = e.Crack
	}
	best := 0
	for d := range scores {
		if metrics.ROCAUC(scores[d], labels) > metrics.ROCAUC(scores[best], labels) {
			best = d
		}
	}
	t.Decay, t.Scores, t.Heads = Decays[best], scores[best], heads[best*t.Count:][:t.Count]
	t.Threshold = metrics.BestThreshold(t.Scores, labels)
	return nil
}

// Probability returns the probability of a crack for an example, from its first view.
func (h *Head) Probability(e Example) (float64, error) {
	pix, err := e.Views[0].Load(nil)
	if err != nil {
		return 0, fmt.Errorf("score %s: %w", e.Name, err)
	}
	return verdict.Probability(h.Logit(pix)), nil
}

// Divide deals the examples into up to n parts with the same share of both classes. Examples of one
// group are in one part. It returns the part of each and their number: 0 if a class has only one
// group, so that no division is possible.
func Divide(examples []Example, n int, seed uint64) (part []int, count int) {
	at, groups, of := make(map[string]int), [][]int(nil), [2]map[int]bool{{}, {}}
	for i, e := range examples {
		g, ok := at[e.Group]
		if !ok || e.Group == "" {
			g = len(groups)
			at[e.Group], groups = g, append(groups, nil)
		}
		groups[g] = append(groups[g], i)
		of[class(e.Crack)][g] = true
	}
	if n = min(n, len(of[0]), len(of[1])); n < 2 {
		return nil, 0
	}
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(groups))
	slices.SortStableFunc(order, func(a, b int) int { return len(groups[b]) - len(groups[a]) })
	part = make([]int, len(examples))
	have := make([][2]int, n)
	for _, g := range order {
		k := emptiest(have, groups[g], examples)
		for _, i := range groups[g] {
			part[i] = k
			have[k][class(examples[i].Crack)]++
		}
	}
	if slices.ContainsFunc(have, func(h [2]int) bool { return h[0] == 0 || h[1] == 0 }) {
		return Divide(examples, n-1, seed)
	}
	return part, n
}

// emptiest returns the part that has the fewest examples of the classes of a group.
func emptiest(have [][2]int, group []int, examples []Example) (best int) {
	var adds [2]int
	for _, i := range group {
		adds[class(examples[i].Crack)]++
	}
	for k, h := range have {
		if h[0]*adds[0]+h[1]*adds[1] < have[best][0]*adds[0]+have[best][1]*adds[1] {
			best = k
		}
	}
	return best
}

// Groups counts the groups of sound and of cracked examples.
func Groups(examples []Example) (n [2]int) {
	seen := [2]map[string]bool{{}, {}}
	for _, e := range examples {
		if c := class(e.Crack); e.Group == "" || !seen[c][e.Group] {
			seen[c][e.Group] = true
			n[c]++
		}
	}
	return n
}

// balanced returns the weights that give both classes the same total, with a mean of 1.
func balanced(examples []Example) (weight [2]float64, err error) {
	var n [2]int
	for _, e := range examples {
		n[class(e.Crack)]++
	}
	return weightsOf(n, "the score layer")
}

// weightsOf is balanced for n sound and cracked images. what names who needs both.
func weightsOf(n [2]int, what string) (weight [2]float64, err error) {
	if n[0] == 0 || n[1] == 0 {
		return weight, fmt.Errorf("%w: %s needs cracked and sound tires, not %d and %d", trainer.ErrTooFew, what, n[1], n[0])
	}
	for c := range weight {
		weight[c] = float64(n[0]+n[1]) / float64(2*n[c])
	}
	return weight, nil
}
