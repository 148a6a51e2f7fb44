package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	{"thesis", []string{"--epochs", "20"}},
	{"mobile-448-head", []string{"--network", "mobile", "--no-finetune"}},
	{"mobile-448", []string{"--network", "mobile"}},
	{"mobile-224-head", []string{"--network", "mobile", "--size", "224", "--no-finetune"}},
	{"mobile-224", []string{"--network", "mobile", "--size", "224", "--finetune-from", "block4"}},
}

// rubber cross-validates all networks on the photographs in dir, whose manifest.csv has a column
// fold, and prints a table, then a learning curve. The results are kept in out, one folder for each
// network, so it continues after an interruption. flags are passed to the training of the thesis
// network, after its own.
func rubber(w io.Writer, tirewatch, dir, out string, flags []string) error {
	candidates := candidates
	haveBase := exec.Command(tirewatch, "base").Run() == nil
	if !haveBase {
		fmt.Fprintln(os.Stderr, "the network mobile is left out, because the pretrained base is missing: make base")
		candidates = candidates[:1]
	}
	rows := make([]*crossval.Summary, len(candidates))
	for i, c := range candidates {
		fmt.Fprintf(os.Stderr, "network %s\n", c.name)
		own := c.flags
		if i == 0 {
			own = append(slices.Clone(own), flags...)
		}
		var err error
		if rows[i], err = outOfFold(tirewatch, dir, filepath.Join(out, c.name), own); err != nil {
			return fmt.Errorf("cross-validate %s: %w", c.name, err)
		}
	}
	printTable(w, candidates, rows)
	if err := printUnsure(w, candidates, out); err != nil {
		return err
	}
	if err := printTests(w, candidates, tirewatch, out); err != nil || !haveBase {
		return err
	}
	fmt.Fprintln(w)
	cmd := exec.Command(tirewatch, "evaluate", "--fold-column", "fold", dir, "--network", "mobile", "--no-finetune", "--images",
		"20,100")
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("draw the learning curve: %w", err)
	}
	return nil
}

// printTable prints a row for each network, and one for grey statistics.
func printTable(w io.Writer, candidates []candidate, rows []*crossval.Summary) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "network\taccuracy\tROC AUC\trecall at 1 %\trecall at 5 %\tfolds: accuracy\tROC AUC\t"+
		"float: accuracy\tROC AUC\tequal verdicts")
	range95 := func(f crossval.Figure) string { return fmt.Sprintf("%.3f (%.3f to %.3f)", f.Pooled, f.Low, f.High) }
	spread := func(f crossval.Figure) string { return fmt.Sprintf("%.3f +- %.3f", f.Mean, f.Spread) }
	for i, s := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s", candidates[i].name, range95(s.Accuracy), range95(s.AUC),
			range95(s.Recall1), range95(s.Recall5), spread(s.Accuracy), spread(s.AUC))
		if f := s.Float; f != nil {
			fmt.Fprintf(t, "\t%.3f\t%.3f\t%.2f %%", f.Accuracy, f.AUC, 100*f.Equal)
		}
		fmt.Fprintln(t)
	}
	grey := rows[0]
	fmt.Fprintf(t, "grey statistics\t%.3f\t%.3f\t%.3f\t%.3f\t\t\n", grey.Accuracy.Grey, grey.AUC.Grey, grey.Recall1.Grey,
		grey.Recall5.Grey)
	t.Flush()
	fmt.Fprintf(w, "%d photographs, %d groups, %d folds; out of fold, int8, with 95 %% intervals\n", grey.Images, grey.Groups,
		len(grey.Folds))
}

// printTests compares each other network with the first one, on the same photographs.
func printTests(w io.Writer, candidates []candidate, tirewatch, out string) error {
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
