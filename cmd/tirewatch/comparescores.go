package main

import (
	"path/filepath"
	"strings"

	"tirewatch/trainer/crossval"
	"tirewatch/trainer/metrics"
	"tirewatch/vision/verdict"
)

// isScores reports whether a file is one of out-of-fold scores, by its name.
func isScores(path string) bool { return strings.EqualFold(filepath.Ext(path), ".csv") }

// compareScores compares two files of out-of-fold scores of the same images.
func compareScores(oldFile, newFile string, budgets []metrics.Budget) (*contest, error) {
	old, err := crossval.ReadScores(oldFile)
	if err != nil {
		return nil, err
	}
	new, err := crossval.ReadScores(newFile)
	if err != nil {
		return nil, err
	}
	if new, err = crossval.Pair(old, new); err != nil {
		return nil, err
	}
	c := &contest{Differ: []difference{}}
	if c.Old, err = judged(oldFile, old, budgets); err != nil {
		return nil, err
	}
	if c.New, err = judged(newFile, new, budgets); err != nil {
		return nil, err
	}
	var p paired
	p.old, p.labels, p.groups = crossval.Split(old)
	p.new, _, _ = crossval.Split(new)
	if err := c.test(p); err != nil {
		return nil, err
	}
	for i, s := range old {
		c.differ(i, s.File, p)
	}
	return c, nil
}

// judged is a file of scores as one side of a comparison, with two thresholds if there are budgets.
func judged(file string, scores []crossval.Score, budgets []metrics.Budget) (c contestant, err error) {
	c.File, c.Kind = file, "out-of-fold scores"
	if len(budgets) > 0 {
		return c, c.judgeThree(scores, budgets)
	}
	r, said, err := crossval.Report(scores)
	if err != nil {
		return c, err
	}
	c.Report = r
	for i, s := range scores {
		c.say(label(said[i]), s.Crack)
	}
	return c, nil
}

// judgeThree gives three answers, each with the thresholds that were chosen on the other folds.
func (c *contestant) judgeThree(scores []crossval.Score, budgets []metrics.Budget) error {
	r, err := crossval.ChooseBand(scores, budgets)
	if err != nil {
		return budgetHint(err)
	}
	for _, s := range scores {
		b := r.Judge(s.Fold)
		said, _ := verdict.Policy{Threshold: b.Threshold, SoundBelow: b.SoundBelow}.Label(s.Score)
		c.say(said, s.Crack)
	}
	values, labels, _ := crossval.Split(scores)
	c.Report = metrics.Answered(values, labels, r.OutOfFold, r.Band)
	return nil
}
