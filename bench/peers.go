package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"tirewatch/vision/kernel"
)

// contender is one column of the comparison: a program that times itself and prints the result in
// one line.
type contender struct {
	name    string
	threads int
	args    []string // program and arguments
	env     []string
	float   bool // float32: its logit is close to the others, not equal
	apart   bool // not the same training as the others: its loss is not compared

	rounds []timing // one per round
	why    string   // why it cannot run here
}

// timing is the output of a program: milliseconds of an inference or a training step, and the
// computed result.
type timing struct {
	median, best float64
	runs         int
	result       float64 // logit, or loss
}

const rounds = 9

// contenders are the runtimes to compare on the network in folder dir/name, our fastest kernels
// first. Each runs in a process of its own, so that their thread pools do not interfere.
func contenders(dir, name string) ([]*contender, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(dir, name)
	timed := func(name, runtime string, threads int) *contender {
		return &contender{name: name, threads: threads, args: []string{self, "time", runtime, folder, fmt.Sprint(threads)}}
	}
	ours := func(b *kernel.Body, threads int) *contender {
		c := timed("tirewatch "+b.Name(), "tirewatch", threads)
		c.env = []string{kernel.Env + "=" + b.Name()}
		return c
	}
	oneDNN := func(name string, threads int, args ...string) *contender {
		args = append([]string{filepath.Join(dir, "onednn"), folder, fmt.Sprint(threads)}, args...)
		return &contender{name: name, threads: threads, args: args, env: []string{fmt.Sprintf("OMP_NUM_THREADS=%d", threads)}}
	}
	var all []*contender
	for _, b := range kernel.Bodies() {
		all = append(all, ours(b, 1))
	}
	floats := []*contender{oneDNN("oneDNN float32", 1, "float"), timed("ONNX Runtime float32", "ort-float", 1)}
	for _, c := range floats {
		c.float = true
	}
	all = append(all, oneDNN("oneDNN int8", 1), timed("ONNX Runtime int8", "ort", 1))
	return append(append(all, floats...),
		ours(kernel.Bodies()[0], 2), oneDNN("oneDNN int8", 2), timed("ONNX Runtime int8", "ort", 2)), nil
}

// environment is our environment without the settings that force OpenBLAS (used by PyTorch) to the
// kernels of another CPU. It also keeps source folders clean.
func environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "OPENBLAS_CORETYPE=") || strings.HasPrefix(v, "OPENBLAS_L2_SIZE=")
	})
	return append(env, "PYTHONDONTWRITEBYTECODE=1")
}

// run times a contender once more. A contender that fails stores the reason and is not run again.
func (c *contender) run() {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Env = append(environment(), c.env...)
	out, err := cmd.Output()
	if err != nil {
		c.why = err.Error()
		if e := (*exec.ExitError)(nil); errors.As(err, &e) {
			c.why = strings.TrimPrefix(strings.TrimSpace(string(e.Stderr)), "bench: error: ")
		}
		return
	}
	var t timing
	if _, err := fmt.Sscan(string(out), &t.median, &t.best, &t.runs, &t.result); err != nil {
		c.why = fmt.Sprintf("printed %q", out)
		return
	}
	c.rounds = append(c.rounds, t)
}

// peers runs all contenders round by round, network by network, and prints the comparisons.
func peers(w io.Writer, dir string) error {
	for i, n := range measured {
		all, err := contenders(dir, n.name)
		if err != nil {
			return err
		}
		if err := inTurns(all, rounds); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := table(w, n.name, all); err != nil {
			return err
		}
	}
	return nil
}

// inTurns runs all contenders rounds times. The order is reversed after every round, so that nobody
// always follows the same neighbour. Ours is the first and must not fail.
func inTurns(all []*contender, rounds int) error {
	order := slices.Clone(all)
	for round := range rounds {
		for _, c := range order {
			if c.why == "" {
				c.run()
			}
		}
		slices.Reverse(order)
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, rounds)
	}
	if all[0].why != "" {
		return fmt.Errorf("tirewatch: %s", all[0].why)
	}
	return nil
}

// table prints the times of a network, and each runtime's ratio to those it is compared with.
func table(w io.Writer, network string, all []*contender) error {
	find := func(name string, threads int) *contender {
		i := slices.IndexFunc(all, func(c *contender) bool { return c.name == name && c.threads == threads && c.why == "" })
		if i < 0 {
			return &contender{}
		}
		return all[i]
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: one image, %d rounds\tthreads\tms median\tms best\tratio to oneDNN int8\tratio to ONNX Runtime int8\tlogit\n",
		network, rounds)
	for _, c := range all {
		if c.why != "" {
			fmt.Fprintf(t, "%s\t%d\tnot available: %s\n", c.name, c.threads, c.why)
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%.3f\t%.3f\t%s\t%s\t%.7g\n", c.name, c.threads,
			middle(c.rounds, func(t timing) float64 { return t.median }),
			c.best(),
			ratio(c, find("oneDNN int8", c.threads)), ratio(c, find("ONNX Runtime int8", c.threads)), c.rounds[0].result)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := sameLogits(all); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nratios: median over the rounds of the ratio of the medians (smallest to largest), then the ratio of the best times")
	for _, name := range []string{all[0].name, "oneDNN int8", "ONNX Runtime int8"} {
		if two, one := find(name, 2), find(name, 1); len(two.rounds) > 0 {
			fmt.Fprintf(w, "%s: 2 threads are %s times as fast as 1\n", name, ratio(one, two))
		}
	}
	return nil
}

// ratio compares two contenders round by round: c's time divided by other's. Then it compares the
// fastest inferences of both.
func ratio(c, other *contender) string {
	if c == other || len(other.rounds) == 0 {
		return "-"
	}
	var rs []float64
	for i, t := range c.rounds {
		rs = append(rs, t.median/other.rounds[i].median)
	}
	slices.Sort(rs)
	return fmt.Sprintf("%.3f (%.3f to %.3f), %.3f", rs[len(rs)/2], rs[0], rs[len(rs)-1], c.best()/other.best())
}

func (c *contender) best() float64 {
	return slices.MinFunc(c.rounds, func(a, b timing) int { return cmp.Compare(a.best, b.best) }).best
}

func middle(ts []timing, f func(timing) float64) float64 {
	var v []float64
	for _, t := range ts {
		v = append(v, f(t))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// sameLogit is the largest relative difference of two logits of the same sum. We multiply sum and
// scale in float64, others in float32.
const sameLogit = 1e-6

// sameLogits checks that all contenders computed the same network.
func sameLogits(all []*contender) error {
	want := all[0].rounds[0].result
	for _, c := range all {
		tolerance := sameLogit * math.Abs(want)
		if c.float {
			tolerance = 0.05 * (1 + math.Abs(want))
		}
		for _, t := range c.rounds {
			if math.Abs(t.result-want) > tolerance {
				return fmt.Errorf("%s has the logit %g, tirewatch %g: not the same network", c.name, t.result, want)
			}
		}
	}
	return nil
}
