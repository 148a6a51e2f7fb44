package main

import (
	"encoding/json"
	"errors"
	"testing"

	"tirewatch/cmd/internal/cli"
	"tirewatch/internal/hint"
	"tirewatch/vision/kernel"
)

func TestBench(t *testing.T) {
	w := newWorkshop(t)
	if _, _, err := w.quantize(t, "--serial", "1"); err != nil {
		t.Fatal(err)
	}
	t.Setenv(kernel.Env, "generic")
	stdout, _ := mustExecute(t, newBenchCmd(), w.out, "--runs", "9", "--threads", "2")
	contains(t, stdout, "kernel generic", "conv1", "2 threads", "preprocess 1920 x 1080")

	stdout, _ = mustExecute(t, newBenchCmd(), w.out, "--runs", "9", "--threads", "3", "--json")
	var r benchReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if r.Kernel != "generic" || len(r.Networks) != 2 || r.Networks[1].Threads != 3 || r.GHz <= 0 {
		t.Errorf("report %+v", r)
	}
	macs := 0
	for _, l := range r.Layers {
		macs += l.MACs
		if l.MinMS <= 0 || l.MedianMS < l.MinMS {
			t.Errorf("layer %+v", l)
		}
	}
	if total := r.Networks[0]; total.MACs != macs || total.MinMS <= 0 || total.PerCycle <= 0 || total.MedianMS < total.MinMS {
		t.Errorf("network %+v of %d multiply-accumulates", total, macs)
	}

	t.Setenv(kernel.Env, "mmx")
	_, _, err := execute(t, newBenchCmd(), w.out)
	if !errors.Is(err, kernel.ErrNoBody) || hint.Of(err) == "" {
		t.Errorf("with a kernel that does not exist: %v", err)
	}
	if _, _, err := execute(t, newBenchCmd(), w.checkpoint); err == nil {
		t.Error("a checkpoint was measured")
	}
	if _, _, err := execute(t, newBenchCmd(), w.out, "--threads", "0"); !errors.As(err, new(*cli.UsageError)) {
		t.Errorf("--threads 0: %v", err)
	}
}
