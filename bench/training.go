package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

// trainingContenders are the frameworks to compare, ours first. dir has the files of drawFiles.
// onednn/train.cpp is built beside this program. scripts is the folder torch.
func trainingContenders(dir, scripts string) ([]*contender, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all []*contender
	for _, threads := range []int{2, 1} {
		n := fmt.Sprint(threads)
		add := func(name string, env []string, args ...string) {
			all = append(all, &contender{name: name, threads: threads, args: args, env: append([]string{"OMP_NUM_THREADS=" + n}, env...)})
		}
		add("tirewatch", nil, self, "steps", dir, n)
		for _, memory := range []struct {
			name string
			env  []string
		}{{"", nil}, {", memory kept", memoryKept}} {
			add("oneDNN"+memory.name, memory.env, filepath.Join(filepath.Dir(self), "onednn-train"), dir, n)
			add("PyTorch"+memory.name, memory.env, python, filepath.Join(scripts, "train.py"), dir, n)
		}
	}
	return all, nil
}

// training runs all frameworks round by round, prints a table of their speeds and checks that they
// did the same training.
func training(w io.Writer, dir, scripts string, rounds int) error {
	if err := drawFiles(dir, trainingBatch); err != nil {
		return err
	}
	all, err := trainingContenders(dir, scripts)
	if err != nil {
		return err
	}
	if err := inTurns(all, rounds); err != nil {
		return err
	}
	if err := speeds(w, "training", all, trainingBatch, rounds); err != nil {
		return err
	}
	return sameLosses(all)
}

// speeds prints images/s, and how much faster ours is with the same number of threads.
func speeds(w io.Writer, what string, all []*contender, batch, rounds int) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s, batches of %d, %d rounds\tthreads\timages/s median\timages/s best\ttirewatch is faster by\tloss\n",
		what, batch, rounds)
	var ours *contender
	for _, c := range all {
		if c.name == all[0].name {
			ours = c // the following ones have the same number of threads
		}
		if c.why != "" {
			fmt.Fprintf(t, "%s\t%d\tnot available: %s\n", c.name, c.threads, c.why)
			continue
		}
		perSecond := func(ms float64) float64 { return float64(batch) / ms * 1e3 }
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%s\t%.7g\n", c.name, c.threads,
			perSecond(middle(c.rounds, func(t timing) float64 { return t.median })), perSecond(c.best()), ratio(c, ours), c.rounds[0].result)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\nfaster by: median over the rounds of the ratio of the medians (smallest to largest), then the ratio of the best times")
	return err
}

// sameLoss is the largest relative difference of losses after one step of Adam in float32.
const sameLoss = 1e-4

// sameLosses checks that all frameworks took the same step, except those that are set apart.
func sameLosses(all []*contender) error {
	all = slices.DeleteFunc(slices.Clone(all), func(c *contender) bool { return c.apart })
	want := all[0].rounds[0].result
	for _, c := range all {
		for _, t := range c.rounds {
			if !(math.Abs(t.result-want) <= sameLoss*want) {
				return fmt.Errorf("%s has the loss %g after a step, tirewatch %g: not the same training",
					c.name, t.result, want)
			}
		}
	}
	return nil
}
