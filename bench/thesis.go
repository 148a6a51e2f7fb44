package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"

	"tirewatch/trainer/crossval"
)

// recipe is a way to train the network of the thesis: a row of the table.
type recipe struct {
	name  string
	flags []string // for tirewatch evaluate
}

// recipes are the defaults, then the defaults with one part taken back, then all parts together.
var recipes = []recipe{
	{"defaults", nil},
	{"from-random-weights", []string{"--from-scratch"}},
	{"batches-of-64", []string{"--batch", "64"}},
	{"constant-rate", []string{"--schedule", "constant"}},
	{"turned-by-any-angle", []string{"--augment", "thesis"}},
	{"weights-of-one-epoch", []string{"--ema-decay", "0"}},
	{"as-the-thesis", []string{"--from-scratch", "--batch", "64", "--schedule", "constant", "--augment", "thesis",
		"--ema-decay", "0"}},
}

// recipesTable cross-validates each recipe with each seed on the folds of dir/manifest.csv, and
// prints a table. The results are kept in out, one folder for each recipe and seed, so it continues
// after an interruption. flags are passed to every training, before those of the recipe.
func recipesTable(w io.Writer, tirewatch, dir, out string, seeds int, flags []string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "recipe\tseeds\taccuracy\tROC AUC\trecall at 5 %")
	for _, r := range recipes {
		var accuracy, auc, recall []float64
		for seed := 1; seed <= seeds; seed++ {
			args := append([]string{"--seed", fmt.Sprint(seed), "--epochs", "20"}, append(flags, r.flags...)...)
			s, err := outOfFold(tirewatch, dir, filepath.Join(out, fmt.Sprintf("%s-%d", r.name, seed)), args)
			if err != nil {
				return fmt.Errorf("cross-validate %s, seed %d: %w", r.name, seed, err)
			}
			accuracy, auc = append(accuracy, s.Accuracy.Pooled), append(auc, s.AUC.Pooled)
			recall = append(recall, s.Recall5.Pooled)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", r.name, seeds, meanAndDeviation(accuracy),
			meanAndDeviation(auc), meanAndDeviation(recall))
	}
	return t.Flush()
}

// outOfFold cross-validates, and returns what tirewatch evaluate prints.
func outOfFold(tirewatch, dir, out string, flags []string) (*crossval.Summary, error) {
	fmt.Fprintf(os.Stderr, "%s\n", out)
	var printed bytes.Buffer
	cmd := exec.Command(tirewatch, append([]string{"evaluate", "--fold-column", "fold", dir, "--out", out, "--json"},
		flags...)...)
	cmd.Stdout, cmd.Stderr = &printed, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	s := new(crossval.Summary)
	if err := json.Unmarshal(printed.Bytes(), s); err != nil {
		return nil, fmt.Errorf("read the output of tirewatch evaluate: %w", err)
	}
	return s, nil
}

// meanAndDeviation writes the mean of the values and their standard deviation.
func meanAndDeviation(values []float64) string {
	n, mean, square := float64(len(values)), 0.0, 0.0
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		square += (v - mean) * (v - mean)
	}
	if n == 1 {
		return fmt.Sprintf("%.3f", mean)
	}
	return fmt.Sprintf("%.3f +- %.3f", mean, math.Sqrt(square/(n-1)))
}
