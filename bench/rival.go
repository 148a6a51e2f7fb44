package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// python is Debian's Python, for which python3-torch is installed. Another one may be first in the
// path.
const python = "/usr/bin/python3"

// memoryKept makes glibc keep freed memory, in huge pages. By default it returns large arrays to
// the system. PyTorch allocates them again in every step and spends its time in page faults.
var memoryKept = []string{
	"MALLOC_MMAP_MAX_=0", "MALLOC_TRIM_THRESHOLD_=30000000000", "MALLOC_TOP_PAD_=1000000000",
	"GLIBC_TUNABLES=glibc.malloc.hugetlb=1",
}

// torchProgram returns a command for a script of the folder torch.
func torchProgram(env []string, script string, args ...string) *exec.Cmd {
	cmd := exec.Command(python, append([]string{script}, args...)...)
	cmd.Env = append(environment(), env...)
	return cmd
}

// defaultEpochs is how long PyTorch trains with the default allocator settings. All epochs would
// take an hour, and each epoch takes the same time.
const defaultEpochs = 2

// rival trains with PyTorch what last trains, twice: with memory kept for all epochs, and with the
// default settings for a few epochs, to measure its speed. Both are timed from start to end, as
// ours is.
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
			return o, fmt.Errorf("train %s with PyTorch: %w; see %s", dir, err, log.Name())
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
	fmt.Fprintf(w, "tirewatch: time ratio %.3f, accuracy difference %+.4f\n",
		ours.took.Seconds()/theirs.took.Seconds(), ours.accuracy-theirs.accuracy)
	brief, err := train(nil, defaultEpochs)
	if err != nil {
		return err
	}
	whole := brief.took.Seconds() * trainingEpochs / defaultEpochs
	fmt.Fprintf(w, "PyTorch, default settings: %.0f s for %d epochs, %.0f s for %d at this speed; tirewatch: time ratio %.3f\n",
		brief.took.Seconds(), defaultEpochs, whole, trainingEpochs, ours.took.Seconds()/whole)
	return nil
}
