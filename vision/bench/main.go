// Command bench measures tirewatch beside what others wrote: the int8 forward pass beside other runtimes, on the thesis network with the
// same weights and the same image, and training.
//
//	bench make DIR                      the network in every form: bundle, ONNX, oneDNN's arrays, pixels
//	bench time RUNTIME DIR THREADS      time inferences in this process
//	bench count RUNTIME DIR TIMES       run exactly so many, for an instruction counter around this process
//	bench peers DIR                     all of them in turns: the ratio table
//	bench arm64 DIR                     instructions per inference under qemu
//	bench loops BINARY                  cycles of the arm64 kernels' inner loops
//	bench samples DIR COUNT             weights, drawn images and labels, from which all frameworks train
//	bench steps DIR THREADS             time training steps on them in this process
//	bench training DIR SCRIPTS          all frameworks in turns: the ratio table
//	bench endtoend TIREWATCH DIR        tirewatch train on files against the bare loop
//	bench last TIREWATCH DIR OUT [FLAG...]               train on the first photographs of DIR, test on the last
//	bench folds groups|blocks TIREWATCH DIR OUT [FLAG...]  5-fold cross-validation; FLAG goes to tirewatch train
//
// `make bench-peers`, `make bench-arm64` and `make bench-brickwork` install what is needed and call it. It is a module of its own, so that neither ONNX
// Runtime nor cgo is anywhere near the product, and it stands above all packages: nothing imports it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch {
	case command == "make" && len(args) == 1:
		return makeFiles(args[0])
	case command == "time" && len(args) == 3:
		return timeRuntime(args[0], args[1], args[2])
	case command == "count" && len(args) == 3:
		return repeat(args[0], args[1], args[2])
	case command == "peers" && len(args) == 1:
		return inFolder(args[0], peers)
	case command == "arm64" && len(args) == 1:
		return inFolder(args[0], arm64)
	case command == "loops" && len(args) == 1:
		return loops(os.Stdout, args[0])
	case command == "samples" && len(args) == 2:
		n, err := positive(args[1])
		if err != nil {
			return err
		}
		return writeSamples(args[0], n)
	case command == "steps" && len(args) == 2:
		return timeSteps(args[0], args[1])
	case command == "training" && len(args) == 2:
		return training(os.Stdout, args[0], args[1])
	case command == "endtoend" && len(args) == 2:
		return endToEnd(os.Stdout, args[0], args[1])
	case command == "last" && len(args) >= 3:
		t, err := newTechnician(args[0], args[2], args[3:])
		if err == nil {
			_, err = last(os.Stdout, t, args[1])
		}
		return err
	case command == "folds" && len(args) >= 4:
		t, err := newTechnician(args[1], args[3], args[4:])
		if err == nil {
			err = crossValidate(os.Stdout, t, args[0], args[2])
		}
		return err
	}
	return errors.New(`usage: bench make|peers|arm64 DIR, bench time RUNTIME DIR THREADS, bench count RUNTIME DIR TIMES, bench loops BINARY,
  bench samples DIR COUNT, bench steps DIR THREADS, bench training DIR SCRIPTS, bench endtoend TIREWATCH DIR,
  bench last TIREWATCH DIR OUT [FLAG...], bench folds groups|blocks TIREWATCH DIR OUT [FLAG...]`)
}

// inFolder calls f with the whole path of dir: programs are started from it.
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
		return 0, fmt.Errorf("%q: want a count of 1 or more", s)
	}
	return n, nil
}
