package main

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/trainer/base"
	"tirewatch/trainer/base/basetest"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

func TestShowBase(t *testing.T) {
	found := basetest.Require(t)
	for _, args := range [][]string{{"base", "--base", found.Path}, {"inspect", found.Path}} {
		out := tirewatch(t, args...)
		for _, want := range []string{base.Mobile.SHA256, "PoseNet", "Copyright 2018 Google LLC", "Apache License"} {
			if !strings.Contains(out, want) {
				t.Errorf("tirewatch %s does not print %q:\n%s", args[0], want, out)
			}
		}
	}
}

// inspect names the authors of the weights that a training started from.
func TestInspectOrigin(t *testing.T) {
	g := graph.Mobile(32, 1)
	net, err := nn.New(g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "best.ckpt")
	c := &checkpoint.Checkpoint{Graph: *g, Spec: preprocess.Thesis(), Params: net.Params(), Threshold: 0.5,
		Origin: "weights of other authors", Licence: "their terms\nin two lines\n"}
	c.Spec.Width, c.Spec.Height = 32, 32
	if err := checkpoint.Write(path, c); err != nil {
		t.Fatal(err)
	}
	out := tirewatch(t, "inspect", path)
	if !strings.Contains(out, "origin         weights of other authors\n") || !strings.HasSuffix(out, "\nlicence\ntheir terms\nin two lines\n") {
		t.Errorf("inspect prints\n%s", out)
	}
	// An ONNX file keeps both.
	dir := t.TempDir()
	tirewatch(t, "export", path, "-o", filepath.Join(dir, "a.onnx"))
	tirewatch(t, "import", filepath.Join(dir, "a.onnx"), "-o", filepath.Join(dir, "a.ckpt"))
	again, err := checkpoint.Read(filepath.Join(dir, "a.ckpt"))
	if err != nil || again.Origin != c.Origin || again.Licence != c.Licence {
		t.Errorf("after export and import: %+v (%v)", again, err)
	}
	var v view
	if err := json.Unmarshal([]byte(tirewatch(t, "inspect", path, "--json")), &v); err != nil {
		t.Fatal(err)
	}
	if v.Checkpoint.Origin != c.Origin || v.Checkpoint.Licence != c.Licence {
		t.Errorf("as JSON: %q, %q", v.Checkpoint.Origin, v.Checkpoint.Licence)
	}
}
