package main

import (
	"path/filepath"
	"strings"

	"tirewatch/trainer/crossval"
)

// isScores reports whether a file is one of out-of-fold scores, by its name.
func isScores(path string) bool { return strings.EqualFold(filepath.Ext(path), ".csv") }

// compareScores compares two files of out-of-fold scores of the same images.
func compareScores(oldFile, newFile string) (*contest, error) {
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
	if c.Old, err = judged(oldFile, old); err != nil {
		return nil, err
	}
	if c.New, err = judged(newFile, new); err != nil {
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

// judged is a file of scores as one side of a comparison.
func judged(file string, scores []crossval.Score) (c contestant, err error) {
	c.File, c.Kind = file, "out-of-fold scores"
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
