package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"tirewatch/vision/kernel"
)

// cores are the processors that qemu emulates. Cortex-A72 has only NEON (Pi 4; A53 and A57 are
// similar), A76 has NEON with dot product (Pi 5; Orin's A78AE is similar). With -cpu cortex-a72 a
// dot product is an illegal instruction, so a wrong choice is visible.
var cores = []string{"cortex-a72", "cortex-a76"}

// counted are the runs to count on each core.
var counted = []struct{ name, runtime, body string }{
	{"tirewatch", "tirewatch", ""},
	{"tirewatch, NEON forced", "tirewatch", "neon"},
	{"tirewatch, generic forced", "tirewatch", "generic"},
	{"ONNX Runtime int8", "ort", ""},
}

// arm64 prints the instructions of one inference of each network.
func arm64(w io.Writer, dir string) error {
	for i, n := range measured {
		if !n.arm {
			continue
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := arm64Network(w, dir, n.name); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return nil
}

// arm64Network prints the instructions of one inference: a process with two more inferences minus a
// process with few, divided by two. Loading, packing and the start of qemu cancel out.
func arm64Network(w io.Writer, dir, network string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: million instructions per image\t%s\n", network, strings.Join(cores, "\t"))
	var logits []float64
	for _, c := range counted {
		fmt.Fprint(t, c.name)
		for _, core := range cores {
			n, logit, err := perInference(dir, network, core, c.runtime, c.body)
			if err != nil {
				fmt.Fprintf(t, "\tnot available: %v", err)
				continue
			}
			logits = append(logits, logit)
			fmt.Fprintf(t, "\t%.1f", n/1e6)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(logits) == 0 {
		return errors.New("no run succeeded under qemu-aarch64")
	}
	for _, l := range logits {
		if math.Abs(l-logits[0]) > sameLogit*math.Abs(l) {
			return fmt.Errorf("the runs have different logits: %v", logits)
		}
	}
	fmt.Fprintf(w, "all have the logit %.7g\n", logits[0])
	return nil
}

const (
	fewTimes  = 2
	moreTimes = fewTimes + 2
)

func perInference(dir, network, core, runtime, body string) (n float64, logit float64, err error) {
	few, _, err := instructions(dir, network, core, runtime, body, fewTimes)
	if err != nil {
		return 0, 0, err
	}
	more, logit, err := instructions(dir, network, core, runtime, body, moreTimes)
	if err != nil {
		return 0, 0, err
	}
	return float64(more-few) / (moreTimes - fewTimes), logit, nil
}

// instructions counts the instructions of a process with this number of inferences.
func instructions(dir, network, core, runtime, body string, times int) (n uint64, logit float64, err error) {
	log, err := os.CreateTemp("", "icount-*")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd := exec.Command("qemu-aarch64", "-cpu", core, "-plugin", filepath.Join(dir, "icount.so"), "-d", "plugin", "-D", log.Name(),
		filepath.Join(dir, "bench-arm64"), "count", runtime, filepath.Join(dir, network), fmt.Sprint(times))
	// Garbage collection and preemption signals happen at random times, so both are off.
	cmd.Env = append(os.Environ(), "GOGC=off", "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1", kernel.Env+"="+body)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if said := strings.TrimSpace(stderr.String()); said != "" {
			said, _, _ = strings.Cut(strings.TrimPrefix(said, "bench: error: "), "\n")
			return 0, 0, errors.New(said)
		}
		return 0, 0, err
	}
	if _, err := fmt.Sscan(string(out), &logit); err != nil {
		return 0, 0, fmt.Errorf("read the logit: %w", err)
	}
	if _, err := fmt.Fscanf(log, "instructions %d", &n); err != nil {
		return 0, 0, fmt.Errorf("read the count: %w", err)
	}
	return n, logit, nil
}
