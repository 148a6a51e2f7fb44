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

// torchEnv says that PyTorch is installed and must be used.
const torchEnv = "REQUIRE_TORCH"

// The losses of three epochs equal PyTorch's, with the same weights, the same batches, no dropout,
// and Keras' form of Adam on both sides (see torch/thesis.py). Each side rounds in its own order.
// Adam's first steps have the same length for a tiny gradient as for a large one, so the two drift
// apart in proportion to the length of a step.
//
// The weights are those of a training that has started to separate the classes. This matters: new
// weights are on a saddle point. The gradients of both classes cancel, and Adam amplifies the
// rounding errors that remain. After twelve steps of 16 images, PyTorch in float32 differs from
// PyTorch in float64 by 7e-4, and ours by 1.1e-3. After twice as many warm-up steps the loss is
// near 0.1, and with Keras' rate one step drifts by 6e-4.
//
// With Keras' rate, the drift grows from step to step: it begins at 1e-7 and reaches 2.7e-4 in
// twelve steps from 64 warm-up steps, and 1.2e-3 from 32. A tenth of the rate stays below 4e-6, so
// that case is the strict one.
func TestLossesAreTorchs(t *testing.T) {
	if os.Getenv(torchEnv) == "" {
		t.Skipf("%s is not set: make test-peers installs PyTorch", torchEnv)
	}
	const images, warmSteps, warmBatch = 256, 64, 16
	s, err := drawSamples(images)
	if err != nil {
		t.Fatal(err)
	}
	warm, err := freshLoop(s, false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range warmSteps {
		from := i * warmBatch % images
		warm.step(from, from+warmBatch)
	}
	dir := t.TempDir()
	if err := writeSamples(dir, warm.net.Params(), s); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name            string
		rate, tolerance float64 // tolerance: relative
	}{
		{"rate of Keras", 1e-3, 5e-4},
		{"rate of fine-tuning", 1e-4, 1e-5},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := newBareLoop(s, warm.net.Params(), false)
			if err != nil {
				t.Fatal(err)
			}
			l.stepper.Adam.Rate = test.rate
			compareLosses(t, l, dir, test.tolerance)
		})
	}
}

// compareLosses trains three epochs with l and with PyTorch on the files of dir.
func compareLosses(t *testing.T, l *bareLoop, dir string, tolerance float64) {
	const batch, epochs = 64, 3
	var ours []float64
	steps := len(l.images) / batch // per epoch
	for i := range epochs * steps {
		from := i % steps * batch
		ours = append(ours, l.step(from, from+batch))
	}
	out, err := torchProgram(memoryKept, "torch/losses.py", dir, fmt.Sprint(batch), fmt.Sprint(epochs), fmt.Sprint(l.stepper.Adam.Rate)).Output()
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		t.Fatalf("torch/losses.py: %v: %s", err, e.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	theirs := strings.Fields(string(out))
	if len(theirs) != len(ours) {
		t.Fatalf("%d losses, want %d: %s", len(theirs), len(ours), out)
	}
	worst, ourSum, theirSum := 0.0, 0.0, 0.0
	for i, printed := range theirs {
		var want float64
		if _, err := fmt.Sscan(printed, &want); err != nil {
			t.Fatalf("loss %q: %v", printed, err)
		}
		apart := math.Abs(ours[i]-want) / want
		worst = max(worst, apart)
		t.Logf("epoch %d, step %d: %.9f, PyTorch %.9f, relative difference %.1e",
			i/steps+1, i%steps+1, ours[i], want, apart)
		ourSum, theirSum = ourSum+ours[i], theirSum+want
		if (i+1)%steps == 0 {
			t.Logf("epoch %d: mean loss %.9f, PyTorch %.9f, relative difference %.1e",
				i/steps+1, ourSum/float64(steps), theirSum/float64(steps), math.Abs(ourSum-theirSum)/theirSum)
			ourSum, theirSum = 0, 0
		}
	}
	t.Logf("largest relative difference of %d steps: %.1e", len(ours), worst)
	if !(worst <= tolerance) {
		t.Errorf("losses differ by %.1e, want at most %.0e", worst, tolerance)
	}
}
