package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// torchEnv says that PyTorch is there and has to be used.
const torchEnv = "REQUIRE_TORCH"

// The losses of three epochs are PyTorch's: the same weights, the same batches, no dropout, Keras' form of Adam on both sides
// (torch/thesis.py says how). Each side rounds in its own order, and Adam's first steps are as long for a tiny gradient as for a large
// one, so the two drift apart; how far is what is measured.
func TestLossesAreTorchs(t *testing.T) {
	if os.Getenv(torchEnv) == "" {
		t.Skipf("%s is not set: make test-peers installs PyTorch", torchEnv)
	}
	const (
		images, batch, epochs = 256, 64, 3
		tolerance             = 1e-4 // relative
	)
	dir := t.TempDir()
	if err := writeSamples(dir, images); err != nil {
		t.Fatal(err)
	}
	s, err := readSamples(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newBareLoop(s, false)
	if err != nil {
		t.Fatal(err)
	}
	var ours []float64
	for range epochs {
		for from := 0; from < images; from += batch {
			ours = append(ours, l.step(from, from+batch))
		}
	}
	out, err := torchProgram(memoryKept, "torch/losses.py", dir, fmt.Sprint(batch), fmt.Sprint(epochs)).Output()
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		t.Fatalf("torch/losses.py: %v: %s", err, e.Stderr)
	}
	theirs := strings.Fields(string(out))
	if len(theirs) != len(ours) {
		t.Fatalf("%d losses, want %d: %s", len(theirs), len(ours), out)
	}
	worst := 0.0
	for i, want := range theirs {
		var loss float64
		if _, err := fmt.Sscan(want, &loss); err != nil {
			t.Fatalf("loss %q: %v", want, err)
		}
		apart := math.Abs(ours[i]-loss) / loss
		worst = max(worst, apart)
		t.Logf("epoch %d, step %d: %.9f, PyTorch %.9f, relative difference %.1e", i*batch/images+1, i*batch%images/batch+1, ours[i], loss, apart)
	}
	t.Logf("largest relative difference of %d steps: %.1e", len(ours), worst)
	if !(worst <= tolerance) {
		t.Errorf("losses are %.1e apart, want %.0e or less", worst, tolerance)
	}
}
