package main

import (
	"bufio"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/preprocess"
)

// memoryTestDir is the variable that names the data set for the second process of
// TestTrainingSetLargerThanMemory.
const memoryTestDir = "TIREWATCH_TEST_MEMORY_DIR"

// A training on images of 172 MB that may keep 8 MB in memory grows its resident set by less than
// 128 MB. The command runs in a process of its own, so that the kernel reports the peak of this
// command alone. What the process has at its start are mostly the libraries of other tests.
func TestTrainingSetLargerThanMemory(t *testing.T) {
	const images, most = 1200, 128 << 20
	if dir := os.Getenv(memoryTestDir); dir != "" {
		start := peakResidentSet(t)
		pixelMemory = 8 << 20
		args := []string{"train", dir, "--out", filepath.Join(dir, "run"), "--epochs", "1", "--batch", "16", "--steps-per-epoch", "2", "--validation", "0.02"}
		if err := cli.Execute(t.Context(), newRootCmd(), args, io.Discard, os.Stderr); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("grown %d\n", peakResidentSet(t)-start)
		return
	}
	dir := t.TempDir()
	writeNoise(t, dir, images)
	cmd := exec.Command(os.Args[0], "-test.run=^TestTrainingSetLargerThanMemory$")
	cmd.Env = append(os.Environ(), memoryTestDir+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var grown int
	for line := range strings.Lines(string(out)) {
		fmt.Sscanf(line, "grown %d", &grown)
	}
	spec := preprocess.Thesis()
	t.Logf("the resident set grew by %d MB, images of %d MB", grown>>20, images*spec.Size()>>20)
	if grown == 0 || grown > most {
		t.Errorf("the resident set grew by %d bytes, want at most %d\n%s", grown, most, out)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "run", ".*")); err != nil || len(left) > 0 {
		t.Errorf("left in the run folder: %v", left)
	}
}

// writeNoise makes a data set of small images without near-duplicates.
func writeNoise(t *testing.T, dir string, n int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 0))
	for _, class := range []string{"crack", "normal"} {
		if err := os.Mkdir(filepath.Join(dir, class), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range n / 2 {
			img := image.NewGray(image.Rect(0, 0, 40, 40))
			for k := range img.Pix {
				img.Pix[k] = byte(rng.Uint32())
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%04d.jpg", i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := jpeg.Encode(f, img, nil); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// peakResidentSet is the largest resident set of this process so far, bytes.
func peakResidentSet(t *testing.T) (kB int) {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if _, err := fmt.Sscanf(s.Text(), "VmHWM: %d kB", &kB); err == nil {
			return kB << 10
		}
	}
	t.Fatal("/proc/self/status has no VmHWM")
	return 0
}
