package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"

	"tirewatch/trainer/crossval"
)

// candidate is a network and the training that brings out its best: a row of the table.
type candidate struct {
	name  string
	flags []string // for tirewatch evaluate, after those of the folds
}

// candidates are all networks, the one of the thesis first: the others are compared with it.
var candidates = []candidate{
	{"thesis", []string{"--epochs", "60"}},
}

// rubber cross-validates all networks on the photographs in dir, whose manifest.csv has a column
// fold, and prints a table. The results are kept in out, one folder for each network, so it
// continues after an interruption. flags are passed to every training, after its own.
func rubber(w io.Writer, tirewatch, dir, out string, flags []string) error {
	rows := make([]*crossval.Summary, len(candidates))
	for i, c := range candidates {
		fmt.Fprintf(os.Stderr, "network %s\n", c.name)
		args := append([]string{"evaluate", "--fold-column", "fold", dir, "--out", filepath.Join(out, c.name), "--json"},
			append(c.flags, flags...)...)
		var printed bytes.Buffer
		cmd := exec.Command(tirewatch, args...)
		cmd.Stdout, cmd.Stderr = &printed, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("cross-validate %s: %w", c.name, err)
		}
		rows[i] = new(crossval.Summary)
		if err := json.Unmarshal(printed.Bytes(), rows[i]); err != nil {
			return fmt.Errorf("read the output of tirewatch evaluate: %w", err)
		}
	}
	printTable(w, rows)
	if err := printUnsure(w, out); err != nil {
		return err
	}
	return printTests(w, tirewatch, out)
}

// printTable prints a row for each network, and one for grey statistics.
func printTable(w io.Writer, rows []*crossval.Summary) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "network\taccuracy\tROC AUC\trecall at 1 %\trecall at 5 %\tfolds: accuracy\tROC AUC")
	range95 := func(f crossval.Figure) string { return fmt.Sprintf("%.3f (%.3f to %.3f)", f.Pooled, f.Low, f.High) }
	spread := func(f crossval.Figure) string { return fmt.Sprintf("%.3f +- %.3f", f.Mean, f.Spread) }
	for i, s := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", candidates[i].name, range95(s.Accuracy), range95(s.AUC),
			range95(s.Recall1), range95(s.Recall5), spread(s.Accuracy), spread(s.AUC))
	}
	grey := rows[0]
	fmt.Fprintf(t, "grey statistics\t%.3f\t%.3f\t%.3f\t%.3f\t\t\n", grey.Accuracy.Grey, grey.AUC.Grey, grey.Recall1.Grey,
		grey.Recall5.Grey)
	t.Flush()
	fmt.Fprintf(w, "%d photographs, %d groups, %d folds; out of fold, with 95 %% intervals\n", grey.Images, grey.Groups,
		len(grey.Folds))
}

// printTests compares each other network with the first one, on the same photographs.
func printTests(w io.Writer, tirewatch, out string) error {
	for _, c := range candidates[1:] {
		fmt.Fprintf(w, "\nold: %s, new: %s\n", candidates[0].name, c.name)
		cmd := exec.Command(tirewatch, "compare", filepath.Join(out, candidates[0].name, "scores.csv"),
			filepath.Join(out, c.name, "scores.csv"))
		cmd.Stdout, cmd.Stderr = w, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("compare %s with %s: %w", c.name, candidates[0].name, err)
		}
	}
	return nil
}
