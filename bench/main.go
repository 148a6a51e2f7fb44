// Command bench compares tirewatch with other software: the int8 forward pass of the thesis network
// and of the mobile network with other runtimes, with the same weights and the same image, and
// training of the thesis network with oneDNN and PyTorch, from the same weights on the same batch.
// It also fine-tunes the mobile network.
//
//	bench make DIR                      write the networks as bundle, ONNX, oneDNN arrays; pixels
//	bench time RUNTIME DIR/NETWORK THREADS
//	                                    time inferences in this process
//	bench count RUNTIME DIR/NETWORK TIMES
//	                                    run exactly TIMES inferences, for an instruction counter
//	bench peers DIR                     all runtimes, round by round: a ratio table for each network
//	bench arm64 DIR                     instructions per inference under qemu
//	bench loops BINARY                  cycles of the arm64 kernels' inner loops
//
//	bench samples DIR COUNT             write weights, drawn images and labels for all frameworks
//	bench steps DIR THREADS             time training steps on them in this process
//	bench training DIR SCRIPTS ROUNDS   all frameworks, round by round: the ratio table
//	bench tune DIR THREADS bare|train   time fine-tuning steps of the mobile network in this process
//	bench finetune DIR SCRIPTS ROUNDS   the same and PyTorch, round by round: the ratio table
//	bench endtoend TIREWATCH DIR        tirewatch train on files against the bare loop
//	bench last TIREWATCH DIR OUT [FLAG...]
//	                                    train on the first photographs of DIR, test on the last
//	bench rival TIREWATCH SCRIPTS DIR OUT [FLAG...]
//	                                    the same, and PyTorch on the same photographs
//	bench folds groups|blocks TIREWATCH DIR OUT [FLAG...]
//	                                    5-fold cross-validation; FLAG is passed to tirewatch train
//	bench rubber TIREWATCH DIR OUT [FLAG...]
//	                                    all networks on the folds of DIR/manifest.csv: a table
//	bench thesis TIREWATCH DIR OUT SEEDS [FLAG...]
//	                                    ways to train the thesis network on the same folds: a table
//	bench sound CHECKPOINT DIR COUNT    a second opinion from COUNT sound photographs of DIR
//
// `make bench-peers`, `bench-arm64`, `bench-train` and `bench-brickwork` install what is needed and
// call it. It is a module of its own, so that the product depends on neither ONNX Runtime nor cgo.
// No package imports it.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

// command is a command of the first argument.
type command struct {
	usage string // name and arguments; more may follow after "...]"
	run   func(args []string) error
}

var commands = []command{
	{"make DIR", func(a []string) error { return makeFiles(a[0]) }},
	{"time RUNTIME DIR/NETWORK THREADS", func(a []string) error { return timeRuntime(a[0], a[1], a[2]) }},
	{"count RUNTIME DIR/NETWORK TIMES", func(a []string) error { return repeat(a[0], a[1], a[2]) }},
	{"peers DIR", func(a []string) error { return inFolder(a[0], peers) }},
	{"arm64 DIR", func(a []string) error { return inFolder(a[0], arm64) }},
	{"loops BINARY", func(a []string) error { return loops(os.Stdout, a[0]) }},

	{"samples DIR COUNT", func(a []string) error {
		n, err := positive(a[1])
		if err != nil {
			return err
		}
		return drawFiles(a[0], n)
	}},
	{"steps DIR THREADS", func(a []string) error { return timeSteps(a[0], a[1]) }},
	{"training DIR SCRIPTS ROUNDS", func(a []string) error {
		n, err := positive(a[2])
		if err != nil {
			return err
		}
		return training(os.Stdout, a[0], a[1], n)
	}},
	{"tune DIR THREADS bare|train", func(a []string) error { return timeTuning(a[0], a[1], a[2]) }},
	{"finetune DIR SCRIPTS ROUNDS", func(a []string) error {
		n, err := positive(a[2])
		if err != nil {
			return err
		}
		return fineTuning(os.Stdout, a[0], a[1], n)
	}},
	{"endtoend TIREWATCH DIR", func(a []string) error { return endToEnd(os.Stdout, a[0], a[1]) }},
	{"last TIREWATCH DIR OUT [FLAG...]", func(a []string) error {
		_, err := last(os.Stdout, &technician{a[0], a[2], a[3:]}, a[1])
		return err
	}},
	{"rival TIREWATCH SCRIPTS DIR OUT [FLAG...]", func(a []string) error {
		ours, err := last(os.Stdout, &technician{a[0], a[3], a[4:]}, a[2])
		if err != nil {
			return err
		}
		return rival(os.Stdout, ours, a[1], a[2], a[3])
	}},
	{"folds groups|blocks TIREWATCH DIR OUT [FLAG...]", func(a []string) error {
		return crossValidate(os.Stdout, &technician{a[1], a[3], a[4:]}, a[0], a[2])
	}},
	{"rubber TIREWATCH DIR OUT [FLAG...]", func(a []string) error {
		return rubber(os.Stdout, a[0], a[1], a[2], a[3:])
	}},
	{"thesis TIREWATCH DIR OUT SEEDS [FLAG...]", func(a []string) error {
		seeds, err := positive(a[3])
		if err != nil {
			return err
		}
		return recipesTable(os.Stdout, a[0], a[1], a[2], seeds, a[4:])
	}},
	{"sound CHECKPOINT DIR COUNT", func(a []string) error {
		n, err := positive(a[2])
		if err != nil {
			return err
		}
		return learnSound(os.Stdout, a[0], a[1], n)
	}},
}

func run(args []string) error {
	usage := "usage:"
	for _, c := range commands {
		usage += "\n  bench " + c.usage
		words := strings.Fields(c.usage)
		wanted, more := len(words), strings.HasSuffix(c.usage, "...]")
		if more {
			wanted--
		}
		if len(args) > 0 && args[0] == words[0] && (len(args) == wanted || more && len(args) > wanted) {
			return c.run(args[1:])
		}
	}
	return fmt.Errorf("unknown command or wrong number of arguments: %q; %s", strings.Join(args, " "), usage)
}

// inFolder calls f with the absolute path of dir, because programs are started from it.
func inFolder(dir string, f func(w io.Writer, dir string) error) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	return f(os.Stdout, dir)
}

// positive reads a count from the command line.
func positive(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q: want a whole number of at least 1", s)
	}
	return n, nil
}
