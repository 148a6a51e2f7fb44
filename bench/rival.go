package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// python is Debian's, which its python3-torch is for; another may be first in the path.
const python = "/usr/bin/python3"

// memoryKept makes glibc keep what was freed, in huge pages. As it comes it gives large arrays back
// to the system, and PyTorch, which asks anew in every step, spends its time in page faults.
var memoryKept = []string{
	"MALLOC_MMAP_MAX_=0", "MALLOC_TRIM_THRESHOLD_=30000000000", "MALLOC_TOP_PAD_=1000000000", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1",
}

// torchProgram is a script of the folder torch in Debian's python.
func torchProgram(env []string, script string, args ...string) *exec.Cmd {
	cmd := exec.Command(python, append([]string{script}, args...)...)
	cmd.Env = append(environment(), env...)
	return cmd
}

// asItComesEpochs is how long PyTorch trains as it comes: all epochs would take an hour, and one
// takes as long as another.
const asItComesEpochs = 2

// rival trains by PyTorch what last trains, twice: as it comes for a few epochs, for its pace, and
// with memory kept for all. Both are timed from start to end, as ours is.
func rival(w io.Writer, ours outcome, scripts, dir, out string) error {
	script := filepath.Join(scripts, "brickwork.py")
	train := func(env []string, epochs int) (o outcome, err error) {
		log, err := os.OpenFile(filepath.Join(out, "torch.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return o, err
		}
		defer log.Close()
		cmd := torchProgram(env, script, dir, fmt.Sprint(epochs), "1", fmt.Sprint(trainedOn))
		cmd.Stderr = log
		began := time.Now()
		printed, err := cmd.Output()
		if err != nil {
			return o, fmt.Errorf("train %s by PyTorch: %w; %s says why", dir, err, log.Name())
		}
		o.took = time.Since(began)
		if _, err := fmt.Sscan(string(printed), &o.accuracy, &o.precision, &o.recall, &o.images); err != nil {
			return o, fmt.Errorf("%s printed %q", script, printed)
		}
		return o, nil
	}
	theirs, err := train(memoryKept, trainingEpochs)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "PyTorch, memory kept: %v\n", theirs)
	fmt.Fprintf(w, "tirewatch took %.3f of that, its accuracy is %+.4f\n", ours.took.Seconds()/theirs.took.Seconds(), ours.accuracy-theirs.accuracy)
	brief, err := train(nil, asItComesEpochs)
	if err != nil {
		return err
	}
	whole := brief.took.Seconds() * trainingEpochs / asItComesEpochs
	fmt.Fprintf(w, "PyTorch as it comes: %.0f s for %d epochs, %.0f s for %d at this pace; tirewatch took %.3f of that\n",
		brief.took.Seconds(), asItComesEpochs, whole, trainingEpochs, ours.took.Seconds()/whole)
	return nil
}
