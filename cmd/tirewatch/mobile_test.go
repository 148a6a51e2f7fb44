package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/internal/hint"
	"tirewatch/trainer/base"
	"tirewatch/trainer/base/basetest"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/crossval"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// withRandomBase replaces the base by one of random weights: enough for all steps, without a
// download.
func withRandomBase(t *testing.T) {
	t.Helper()
	g := graph.Mobile(64, 2)
	net, err := nn.New(g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range net.Params() { // as large as those of a trained network, for int8
		for i := range p.Data {
			p.Data[i] *= 4
			if strings.HasSuffix(p.Name, "/b") {
				p.Data[i] = 1
			}
		}
	}
	c := &checkpoint.Checkpoint{Graph: *g, Params: net.Params(), Threshold: 0.5,
		Spec: preprocess.Spec{Width: 64, Height: 64, Filter: preprocess.FilterTriangle}}
	findBase = func(string) (*base.Found, error) {
		return &base.Found{Path: "test", SHA256: strings.Repeat("ab", 32), Checkpoint: c}, nil
	}
	t.Cleanup(func() { findBase = base.Find })
}

// tool runs the toolbox.
func tool(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, messages bytes.Buffer
	root := newRootCmd()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&messages)
	root.SilenceErrors, root.SilenceUsage = true, true
	err = root.ExecuteContext(t.Context())
	return out.String(), messages.String(), err
}

func mustTool(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, err := tool(t, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr)
	}
	return stdout, stderr
}

func mustContain(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// From photographs to a bundle with the network mobile: the score layer, fine-tuning in parts, a
// report, and every command that reads the result.
func TestTrainMobile(t *testing.T) {
	withRandomBase(t)
	dir := t.TempDir()
	tires, run := filepath.Join(dir, "tires"), filepath.Join(dir, "run")
	mustTool(t, "dataset", "synth", tires, "--view", "side", "--train", "70", "--test", "16", "--size", "96")
	train := []string{"train", tires, "--network", "mobile", "--size", "64", "--blocks", "2", "--epochs", "1", "--out", run}
	out, messages := mustTool(t, train...)
	mustContain(t, messages, "score layer fitted on 70 images", "out of fold on 70 images: accuracy ",
		"part 3 of 3: fine-tuned on ", "score layer alone: accuracy ", "fine-tuned:        accuracy ", "report: ")
	mustContain(t, out, filepath.Join(run, "best.ckpt")+"  threshold 0.")
	c, err := checkpoint.Read(filepath.Join(run, "best.ckpt"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Config.Pretrained != strings.Repeat("ab", 32) || c.Config.Imported != "" || c.Spec.Width != 64 || len(c.Config.Frozen) == 0 {
		t.Errorf("configuration %+v", c.Config)
	}
	page, err := os.ReadFile(filepath.Join(run, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"70 out-of-fold images", "the score layer alone"} {
		if c.BestEpoch == 0 && !bytes.Contains(page, []byte(want)) {
			t.Errorf("%q is not in the report", want)
		}
	}

	_, messages = mustTool(t, append(train, "--resume")...)
	mustContain(t, messages, "part 1 of 3: finished before", "part 3 of 3: finished before")
	again, err := checkpoint.Read(filepath.Join(run, "best.ckpt"))
	if err != nil || again.Threshold != c.Threshold || !bytes.Equal(floats(again), floats(c)) {
		t.Errorf("another network after --resume, error %v", err)
	}
	if _, _, err = tool(t, append(train, "--resume", "--seed", "9")...); err == nil || !strings.Contains(err.Error(), "--seed is 9, was 1") {
		t.Errorf("resumed with another seed: %v", err)
	}
	_, _, err = tool(t, "train", tires, "--out", run, "--resume")
	if err == nil || !strings.Contains(err.Error(), "holds a training of the network mobile for 64 px") || !strings.Contains(hint.Of(err), "--network") {
		t.Errorf("resumed as the thesis network: %v, hint %q", err, hint.Of(err))
	}
	_, _, err = tool(t, "train", tires, "--out", filepath.Join(dir, "other"), "--finetune", filepath.Join(run, "best.ckpt"))
	if err == nil || !strings.Contains(err.Error(), "it is the network mobile") {
		t.Errorf("fine-tuned as the thesis network: %v", err)
	}
	useMobile(t, dir, tires, filepath.Join(run, "best.ckpt"))
}

// floats returns the bytes of all parameters.
func floats(c *checkpoint.Checkpoint) []byte {
	text, _ := json.Marshal(c.Params)
	return text
}

// useMobile passes a checkpoint to the commands after a training.
func useMobile(t *testing.T, dir, tires, path string) {
	t.Helper()
	key, tire := filepath.Join(dir, "plant.key"), filepath.Join(dir, "m.tire")
	mustTool(t, "keygen", key)
	out, _ := mustTool(t, "evaluate", path, tires)
	mustContain(t, out, "ROC AUC")
	mustTool(t, "quantize", path, "--calibration", tires, "--key", key, "-o", tire)
	out, _ = mustTool(t, "inspect", tire)
	mustContain(t, out, "64 x 64")
	mustTool(t, "inspect", path)
	mustTool(t, "evaluate", tire, tires, "--key", key+".pub", "--report", filepath.Join(dir, "report"))
	mustTool(t, "compare", path, tire, tires, "--key", key+".pub")
	mustTool(t, "export", path, "-o", filepath.Join(dir, "m.onnx"))
	images, err := filepath.Glob(filepath.Join(tires, "testing", "crack", "*.jpg"))
	if err != nil || len(images) == 0 {
		t.Fatal(images, err)
	}
	out, _ = mustTool(t, "classify", tire, images[0], "--key", key+".pub")
	mustContain(t, out, filepath.Base(images[0]))
}

// Few groups are not fine-tuned, and one group of a class says nothing about the network.
func TestTrainMobileFew(t *testing.T) {
	withRandomBase(t)
	dir := t.TempDir()
	tires := filepath.Join(dir, "tires")
	mustTool(t, "dataset", "synth", tires, "--view", "side", "--train", "12", "--test", "0", "--size", "96")
	args := []string{"train", tires, "--network", "mobile", "--size", "64", "--blocks", "2"}
	_, messages := mustTool(t, append(args, "--out", filepath.Join(dir, "a"))...)
	mustContain(t, messages, "note: not fine-tuned: the images are ", "out of fold on 12 images")
	_, messages = mustTool(t, append(args, "--out", filepath.Join(dir, "b"), "--group", "(crack|normal)", "--no-finetune")...)
	mustContain(t, messages, "note: a class has only one group of images")
	if _, err := checkpoint.Read(filepath.Join(dir, "b", "best.ckpt")); err != nil {
		t.Error(err)
	}
}

// evaluate --folds has the scores of the int8 network and those of the float network, continues
// after an interruption, and draws a learning curve.
func TestEvaluateMobile(t *testing.T) {
	withRandomBase(t)
	dir := t.TempDir()
	tires, out := filepath.Join(dir, "tires"), filepath.Join(dir, "out")
	mustTool(t, "dataset", "synth", tires, "--view", "side", "--train", "40", "--test", "0", "--size", "96")
	args := []string{"evaluate", "--folds", "2", tires, "--network", "mobile", "--size", "64", "--blocks", "2", "--epochs", "1",
		"--out", out, "--json"}
	text, messages := mustTool(t, args...)
	mustContain(t, messages, "fold 1 (1 of 2): score layer fitted on 20 images", "fold 2 (2 of 2): fine-tuned on 20 images")
	var s crossval.Summary
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if s.Images != 40 || s.Float == nil || s.Float.EqualAtOne <= 0 {
		t.Errorf("%d images, float %+v", s.Images, s.Float)
	}
	if err := os.Remove(filepath.Join(out, "fold-2.json")); err != nil {
		t.Fatal(err)
	}
	again, messages := mustTool(t, args...)
	mustContain(t, messages, "fold 1 (1 of 2): finished before", "fold 2 (2 of 2): fine-tuned")
	if again != text {
		t.Errorf("other figures after an interruption:\n%s\n%s", text, again)
	}
	_, _, err := tool(t, append(args, "--size", "96")...)
	if err == nil || !strings.Contains(err.Error(), "--size is 96, was 64") {
		t.Errorf("continued with another size: %v", err)
	}
	curve, _ := mustTool(t, "evaluate", "--folds", "2", tires, "--network", "mobile", "--size", "64", "--blocks", "2",
		"--no-finetune", "--images", "4,10", "--draws", "3")
	mustContain(t, curve, "photographs  ROC AUC", "mean of 3 draws")
	_, _, err = tool(t, "evaluate", "--folds", "2", tires, "--network", "mobile", "--size", "64", "--blocks", "2",
		"--no-finetune", "--images", "100")
	if err == nil || !strings.Contains(err.Error(), "it leaves only ") {
		t.Errorf("a curve with too many photographs: %v", err)
	}
}

// The real base learns from drawings at least what they show at a glance.
func TestTrainMobileFromTheBase(t *testing.T) {
	found := basetest.Require(t)
	dir := t.TempDir()
	tires := filepath.Join(dir, "tires")
	mustTool(t, "dataset", "synth", tires, "--view", "side", "--train", "40", "--test", "40", "--size", "224")
	run := filepath.Join(dir, "run")
	mustTool(t, "train", tires, "--network", "mobile", "--size", "224", "--no-finetune", "--base", found.Path, "--out", run)
	out, _ := mustTool(t, "evaluate", filepath.Join(run, "best.ckpt"), tires, "--json")
	var e evaluation
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatal(err)
	}
	if e.ROCAUC < 0.8 {
		t.Errorf("area under the ROC curve %.3f, want 0.8", e.ROCAUC)
	}
}
