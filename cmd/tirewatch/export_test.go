package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"tirewatch/cmd/internal/cli"
	"tirewatch/internal/hint"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

// Checkpoints and bundles become ONNX files that state their preprocessing.
func TestExport(t *testing.T) {
	w := newWorkshop(t)
	if _, _, err := w.quantize(t, "--serial", "41"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		print string
		holds []string
	}{
		{[]string{w.checkpoint}, "float32", []string{"Conv", "Relu", "Gemm", "pixel / 255", "grey, 12 x 10 px, triangle filter"}},
		{[]string{w.out, "--key", w.key + ".pub"}, "int8", []string{"QLinearConv", "QGemm", "the pixel itself", "threshold", "serial\x12\x0241"}},
	} {
		path := filepath.Join(w.dir, c.print+".onnx")
		stdout, stderr := mustExecute(t, newExportCmd(), append(c.args, "-o", path)...)
		contains(t, stdout, path, c.print)
		if stderr != "" {
			t.Errorf("%q: stderr %q", c.args, stderr)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range c.holds {
			if !bytes.Contains(data, []byte(h)) {
				t.Errorf("%q: %q is missing in the file", c.args, h)
			}
		}
	}
	_, stderr := mustExecute(t, newExportCmd(), w.out, "-o", filepath.Join(w.dir, "unchecked.onnx"))
	contains(t, stderr, "not checked")
}

// A refused export leaves no file.
func TestExportRefuses(t *testing.T) {
	w := newWorkshop(t)
	if err := bundle.Write(w.out, bundletest.Small(7), bundletest.Key(1)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.dir, "out.onnx")
	var usage *cli.UsageError
	for name, c := range map[string]struct {
		args []string
		ok   func(error) bool
	}{
		"no output":           {[]string{w.checkpoint}, func(err error) bool { return errors.As(err, &usage) }},
		"key of a checkpoint": {[]string{w.checkpoint, "--key", w.key + ".pub", "-o", path}, func(err error) bool { return errors.As(err, &usage) }},
		"another key":         {[]string{w.out, "--key", w.key + ".pub", "-o", path}, func(err error) bool { return errors.Is(err, bundle.ErrUntrustedKey) }},
		"no model":            {[]string{w.key, "-o", path}, func(err error) bool { return hint.Of(err) != "" }},
		"no file":             {[]string{w.dir + "/none", "-o", path}, func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
	} {
		if _, _, err := execute(t, newExportCmd(), c.args...); err == nil || !c.ok(err) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was left: %v", err)
	}
}
