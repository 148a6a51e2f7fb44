package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/internal/hint"
	"tirewatch/quantize"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/preprocess"
)

// execute runs one command and returns its output.
func execute(t *testing.T, cmd *cobra.Command, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, messages bytes.Buffer
	err = cli.Execute(t.Context(), cmd, args, &out, &messages)
	return out.String(), messages.String(), err
}

func mustExecute(t *testing.T, cmd *cobra.Command, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, err := execute(t, cmd, args...)
	if err != nil {
		t.Fatalf("%s %q: %v", cmd.Name(), args, err)
	}
	return stdout, stderr
}

// workshop is a folder with a data set, a checkpoint and keys.
type workshop struct{ dir, photos, checkpoint, key, out string }

func newWorkshop(t *testing.T) workshop {
	t.Helper()
	dir := t.TempDir()
	w := workshop{dir, filepath.Join(dir, "photos"), filepath.Join(dir, "best.ckpt"), filepath.Join(dir, "plant.key"), filepath.Join(dir, "out", "m.tire")}
	for _, part := range []string{"training", "testing"} {
		for _, class := range []string{"crack", "normal"} {
			writePhotos(t, filepath.Join(w.photos, part, class), 9)
		}
	}
	g := bundletest.Graph()
	net, err := nn.New(&g, rand.New(rand.NewPCG(3, 3)))
	if err != nil {
		t.Fatal(err)
	}
	err = checkpoint.Write(w.checkpoint, &checkpoint.Checkpoint{Graph: g, Params: net.Params(), Threshold: 0.5,
		Spec: preprocess.Spec{Width: g.Input.W, Height: g.Input.H, Filter: preprocess.FilterTriangle}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	mustExecute(t, newKeygenCmd(), w.key)
	return w
}

func writePhotos(t *testing.T, dir string, n int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(len(dir)), 1))
	for i := range n {
		img := image.NewGray(image.Rect(0, 0, 24, 20))
		for k := range img.Pix {
			img.Pix[k] = byte(rng.Uint32())
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))+".png"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (w workshop) quantize(t *testing.T, more ...string) (stdout, stderr string, err error) {
	t.Helper()
	args := append([]string{w.checkpoint, "--calibration", w.photos, "--key", w.key, "-o", w.out}, more...)
	return execute(t, newQuantizeCmd(), args...)
}

// outFolder lists the files in the bundle's folder, unfinished ones included.
func (w workshop) outFolder(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(w.out))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%s", w, text)
		}
	}
}

// From a checkpoint to a bundle that a station accepts.
func TestQuantizeVerifyInspect(t *testing.T) {
	w := newWorkshop(t)
	stdout, stderr, err := w.quantize(t, "--serial", "41", "--target", "hamburg/*/*", "--limit", "16")
	if err != nil {
		t.Fatal(err)
	}
	contains(t, stdout, "serial 41", "for hamburg/*/*", "18 testing images", "float accuracy", "same verdict", "conv1")
	contains(t, stderr, "trained on another data set")

	stdout, _ = mustExecute(t, newVerifyCmd(), w.out, "--key", w.key+".pub")
	contains(t, stdout, "good signature, serial 41", "4 golden inputs exact")

	stdout, _ = mustExecute(t, newInspectCmd(), w.out)
	contains(t, stdout, "not checked", "nothing below is proven", "serial", "16 images of data set", "dense1")
	stdout, _ = mustExecute(t, newInspectCmd(), w.out, "--key", w.key+".pub", "--json")
	var v view
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatal(err)
	}
	if v.Bundle == nil || v.Bundle.Signature != signatureVerified || v.Bundle.Serial != 41 || len(v.Layers) != 6 || v.Threshold != 0.5 {
		t.Errorf("inspect --json: %s", stdout)
	}

	stdout, _ = mustExecute(t, newInspectCmd(), w.checkpoint)
	contains(t, stdout, "checkpoint", v.Bundle.Provenance.Checkpoint, "conv1")
}

func TestWithoutTestingFolder(t *testing.T) {
	w := newWorkshop(t)
	w.photos = filepath.Join(w.photos, "training")
	stdout, stderr, err := w.quantize(t)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, stderr, "no testing folder", "does not show how they judge new tires")
	contains(t, stdout, "not a measure of new tires")
}

// Missing flags are wrong use: exit code 2.
func TestMissingFlags(t *testing.T) {
	for _, c := range []struct {
		cmd  *cobra.Command
		args []string
		want string
	}{
		{newQuantizeCmd(), []string{"best.ckpt", "--calibration", "photos"}, "--key"},
		{newQuantizeCmd(), []string{"best.ckpt", "--calibration", "photos", "--key", "k"}, "--output"},
		{newVerifyCmd(), []string{"m.tire"}, "--key"},
	} {
		_, _, err := execute(t, c.cmd, c.args...)
		var u *cli.UsageError
		if !errors.As(err, &u) {
			t.Errorf("%s %q: error %v is not a UsageError", c.cmd.Name(), c.args, err)
			continue
		}
		contains(t, err.Error(), c.want)
	}
}

// A failure leaves no bundle and says what to do.
func TestQuantizeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil      func(t *testing.T, w *workshop)
		args       []string
		want, hint string
	}{
		"exposed key":   {func(t *testing.T, w *workshop) { os.Chmod(w.key, 0o644) }, nil, "read by other users", "chmod 600"},
		"no key":        {func(t *testing.T, w *workshop) { os.Remove(w.key) }, nil, "no such file", "keygen"},
		"public key":    {func(t *testing.T, w *workshop) { os.Chmod(w.key+".pub", 0o600); w.key += ".pub" }, nil, "want a private key", ""},
		"no data set":   {func(t *testing.T, w *workshop) { w.photos = w.dir }, nil, "", "dataset check"},
		"no checkpoint": {func(t *testing.T, w *workshop) { w.checkpoint = w.key }, nil, "not a checkpoint", "inspect"},
		"no folder": {func(t *testing.T, w *workshop) {
			os.Remove(filepath.Dir(w.out))
			os.WriteFile(filepath.Dir(w.out), nil, 0o644)
		}, nil, "its folder does not exist", ""},
		"broken target":  {func(t *testing.T, w *workshop) {}, []string{"--target", "hamburg"}, "site/line/station", ""},
		"too few images": {func(t *testing.T, w *workshop) {}, []string{"--limit", "3"}, "too few images", "few hundred"},
		"one class": {func(t *testing.T, w *workshop) { // both folders exist, but one has no readable image
			entries, _ := os.ReadDir(filepath.Join(w.photos, "training", "crack"))
			for _, e := range entries {
				os.WriteFile(filepath.Join(w.photos, "training", "crack", e.Name()), nil, 0o644)
			}
			writePhotos(t, filepath.Join(w.photos, "training", "normal"), 20)
		}, nil, "one class only", "cracks and sound tires"},
		"unknown method": {func(t *testing.T, w *workshop) {}, []string{"--method", "entropy"}, `--method "entropy"`, ""},
		"unclear budget": {func(t *testing.T, w *workshop) {}, []string{"--max-escape", "5"}, "want a share like 1%", ""},
		"two budgets that nothing keeps": {func(t *testing.T, w *workshop) {}, []string{"--max-escape", "5%", "--max-false-reject", "1%"},
			"the budget is kept only by calling no tire", "set a higher limit"},
		"no testing images": {func(t *testing.T, w *workshop) { w.photos = filepath.Join(w.photos, "training") }, []string{"--max-escape", "5%"},
			"no testing images", "dataset split"},
		"limit below 0": {func(t *testing.T, w *workshop) {}, []string{"--limit", "-1"}, "want 0 or more", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkshop(t)
			c.spoil(t, &w)
			_, _, err := w.quantize(t, c.args...)
			if err == nil {
				t.Fatal("accepted")
			}
			contains(t, err.Error(), c.want)
			contains(t, hint.Of(err), c.hint)
			if info, err := os.Stat(filepath.Dir(w.out)); err == nil && info.IsDir() {
				if left := w.outFolder(t); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
			}
		})
	}
}

// A bundle with other verdicts than its checkpoint is refused with the comparison, unless --force
// is given. The threshold is set to the score of each image in turn: where the int8 score is on the
// other side, one of 18 verdicts differs.
func TestQuantizeRefusesAnotherNetwork(t *testing.T) {
	w := newWorkshop(t)
	c, err := checkpoint.Read(w.checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	stdout, _ := mustExecute(t, newClassifyCmd(), append([]string{w.checkpoint, "--json"}, photosIn(t, filepath.Join(w.photos, "testing"))...)...)
	for line := range strings.Lines(stdout) {
		var said struct{ Probability float64 }
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatal(err)
		}
		c.Threshold = said.Probability
		if err := checkpoint.Write(w.checkpoint, c); err != nil {
			t.Fatal(err)
		}
		os.Remove(w.out)
		_, stderr, err := w.quantize(t)
		var lost *quantize.AgreementError
		if !errors.As(err, &lost) {
			continue
		}
		contains(t, stderr, "same verdict", "signal to noise")
		contains(t, hint.Of(err), "--force")
		if left := w.outFolder(t); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		_, stderr, err = w.quantize(t, "--force")
		if err != nil {
			t.Fatal(err)
		}
		contains(t, stderr, "forced")
		return
	}
	t.Error("no threshold changed a verdict")
}

// photosIn lists the photographs of both classes.
func photosIn(t *testing.T, dir string) []string {
	t.Helper()
	photos, err := filepath.Glob(filepath.Join(dir, "*", "*.png"))
	if err != nil || len(photos) == 0 {
		t.Fatalf("no photographs in %s: %v", dir, err)
	}
	return photos
}

func TestVerifyRefuses(t *testing.T) {
	w := newWorkshop(t)
	if err := bundle.Write(w.out, bundletest.Small(7), bundletest.Key(1)); err != nil {
		t.Fatal(err)
	}
	_, _, err := execute(t, newVerifyCmd(), w.out, "--key", w.key+".pub")
	if !errors.Is(err, bundle.ErrUntrustedKey) {
		t.Errorf("another key: %v", err)
	}
	contains(t, hint.Of(err), "the trusted keys are")
	if _, _, err := execute(t, newInspectCmd(), w.out, "--key", w.key+".pub"); !errors.Is(err, bundle.ErrUntrustedKey) {
		t.Errorf("inspect with another key: %v", err)
	}

	if _, _, err := w.quantize(t); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(w.out)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(w.out, data, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err = execute(t, newVerifyCmd(), w.out, "--key", w.key+".pub")
	if !errors.Is(err, bundle.ErrBadSignature) {
		t.Errorf("a changed byte: %v", err)
	}
	contains(t, hint.Of(err), "copy it again")

	_, _, err = execute(t, newInspectCmd(), w.key)
	if err == nil {
		t.Fatal("a key was inspected")
	}
	contains(t, err.Error(), "neither a bundle nor a checkpoint")
}

func TestKeygenReplacesNothing(t *testing.T) {
	w := newWorkshop(t)
	before, _ := os.ReadFile(w.key)
	_, _, err := execute(t, newKeygenCmd(), w.key)
	if err == nil {
		t.Fatal("a key was replaced")
	}
	contains(t, hint.Of(err), "never replaced")
	if after, _ := os.ReadFile(w.key); !bytes.Equal(before, after) {
		t.Error("the key changed")
	}
}
