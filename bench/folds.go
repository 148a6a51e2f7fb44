package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"tirewatch/trainer/dataset"
)

const folds = 5

// divisions are the ways to divide a data set into folds, by name.
var divisions = map[string]func(items []dataset.Item) ([][]dataset.Item, error){
	"groups": byGroups,
	"blocks": byBlocks,
}

// byGroups divides like `tirewatch dataset split`: at random, near-duplicates in one fold, both
// classes in proportion. It holds back a fifth, then a quarter of the rest, and so on.
func byGroups(items []dataset.Item) (parts [][]dataset.Item, err error) {
	for left := folds; left > 1; left-- {
		d, err := dataset.Divide(context.Background(), items, seed, 1/float64(left), nil)
		if err != nil {
			return nil, fmt.Errorf("hold back fold %d: %w", len(parts)+1, err)
		}
		parts, items = append(parts, d.Hold), d.Keep
	}
	return append(parts, items), nil
}

// byBlocks divides each class into runs of neighbouring files. Where neighbours are pieces of one
// photograph, each fold then has different photographs.
func byBlocks(items []dataset.Item) ([][]dataset.Item, error) {
	parts := make([][]dataset.Item, folds)
	of := dataset.Count(items)
	var seen [2]int
	for _, it := range items {
		k := seen[it.Class] * folds / of[it.Class]
		parts[k] = append(parts[k], it)
		seen[it.Class]++
	}
	return parts, nil
}

// crossValidate trains once per fold of the photographs in dir, on all other folds, and prints the
// result on the fold.
func crossValidate(w io.Writer, t *technician, division, dir string) error {
	divide, ok := divisions[division]
	if !ok {
		return fmt.Errorf("unknown division %q: want groups or blocks", division)
	}
	set, err := dataset.Open(dir)
	if err != nil {
		return err
	}
	parts, err := divide(set.Train)
	if err != nil {
		return err
	}
	sum, lowest := 0.0, math.Inf(1)
	for k, testing := range parts {
		var training []dataset.Item
		for j, p := range parts {
			if j != k {
				training = append(training, p...)
			}
		}
		o, err := t.train(fmt.Sprintf("fold-%s-%d", division, k+1), training, testing)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "tirewatch, fold %d of %d by %s: %v\n", k+1, folds, division, o)
		sum, lowest = sum+o.accuracy, min(lowest, o.accuracy)
	}
	fmt.Fprintf(w, "tirewatch, %d folds by %s: mean accuracy %.4f, lowest %.4f\n", folds, division, sum/folds, lowest)
	return nil
}
