package main

import (
	"fmt"
	"time"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/crossval"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/transfer"
)

const (
	// tuningParts is the number of parts in which fine-tuning is tried. Each costs minutes.
	tuningParts = 3
	// tuningGroups is how many groups of each class are needed to show that fine-tuning helps: with
	// fewer, the scores of both differ by chance.
	tuningGroups = 30
)

// improve fine-tunes in parts, each time without one, and compares the scores of that one with
// those of the score layer alone. If they rank the images better, it fine-tunes on all images. best
// is the result of a training that had finished, or nil.
func (t *mobileTraining) improve(folder *crossval.Folder, head, best *checkpoint.Checkpoint) (*checkpoint.Checkpoint, error) {
	examples, err := t.examples(t.samples)
	if err != nil {
		return nil, err
	}
	part, count := transfer.Divide(examples, tuningParts, t.flags.cfg.Seed)
	fmt.Fprintf(t.cmd.ErrOrStderr(), "fine-tuning from %s in %d parts, each without a third of the images, then on all if that is better; "+
		"Ctrl-C stops, the network with the fitted score layer is in %s\n", t.flags.network.from, count, t.run.BestPath())
	alone, tuned := make([]float64, len(t.samples)), make([]float64, len(t.samples))
	began := time.Now()
	for k := range count {
		if err := t.tryPart(folder, k, count, part, alone, tuned); err != nil {
			return nil, err
		}
		if k == 0 {
			fmt.Fprintf(t.cmd.ErrOrStderr(), "the rest takes some %v\n", (time.Since(began) * time.Duration(count+1) * 3 / 2 / time.Duration(count)).Round(time.Minute))
		}
	}
	labels := labelsOf(t.samples)
	groups, _ := groupsOf(t.samples)
	d, err := metrics.CompareAUC(alone, tuned, labels, groups, crossval.Seed)
	if err != nil {
		return nil, err
	}
	wins := metrics.ROCAUC(tuned, labels) > metrics.ROCAUC(alone, labels)
	verdict := "the score layer alone is better and stays"
	if wins {
		verdict = "fine-tuning is better"
	}
	fmt.Fprintf(t.cmd.ErrOrStderr(), "score layer alone: %s\nfine-tuned:        %s\n%s: %s\n", figuresOf(alone, labels),
		figuresOf(tuned, labels), verdict, d)
	if !wins {
		return head, nil
	}
	t.scores = tuned
	if best != nil && best.BestEpoch > 0 {
		return best, nil
	}
	c, err := t.fineTune("", head, t.samples)
	if err != nil {
		return nil, err
	}
	c.Threshold = metrics.BestThreshold(tuned, labels)
	return c, t.saveTuned(c)
}

func (t *mobileTraining) saveTuned(c *checkpoint.Checkpoint) error {
	if err := t.run.WriteConfig(c.Config); err != nil {
		return err
	}
	return t.run.Save(c, c)
}

// tryPart fine-tunes without part k and fills in the scores of that part: of the score layer alone,
// and fine-tuned.
func (t *mobileTraining) tryPart(folder *crossval.Folder, k, count int, part []int, alone, tuned []float64) error {
	what := fmt.Sprintf("part %d of %d: ", k+1, count)
	var others, test []trainer.Sample
	var places []int
	for i, s := range t.samples {
		if part[i] == k {
			test, places = append(test, s), append(places, i)
		} else {
			others = append(others, s)
		}
	}
	head, err := t.refit(others, t.decay)
	if err != nil {
		return err
	}
	before, err := t.int8Scores(head, others, test)
	if err != nil {
		return err
	}
	name := fmt.Sprint(k + 1)
	r, err := folder.Result(name)
	if err != nil {
		return err
	}
	if r == nil {
		c, err := t.fineTune(what, head, others)
		if err != nil {
			return err
		}
		after, err := t.int8Scores(c, others, test)
		if err != nil {
			return err
		}
		r = new(crossval.Result)
		for i, s := range test {
			r.Scores = append(r.Scores, crossval.Score{File: s.Name, Group: s.Group, Fold: name, Crack: s.Crack, Score: after[i]})
		}
		if err := folder.Save(name, r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(t.cmd.ErrOrStderr(), "%sfinished before\n", what)
	}
	if len(r.Scores) != len(places) {
		return fmt.Errorf("the result of part %s in %s has %d images, want %d", name, folder.Dir, len(r.Scores), len(places))
	}
	for i, at := range places {
		alone[at], tuned[at] = before[i], r.Scores[i].Score
	}
	return nil
}

// figuresOf describes scores in one line.
func figuresOf(scores []float64, labels []bool) string {
	threshold := metrics.BestThreshold(scores, labels)
	return fmt.Sprintf("accuracy %.3f, ROC AUC %.3f, recall at 5 %% false rejects %.2f",
		metrics.Confusion(scores, labels, threshold).Accuracy(), metrics.ROCAUC(scores, labels),
		metrics.RecallAt(scores, labels, 0.05))
}
