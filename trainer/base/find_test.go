package base

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/internal/hint"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// tiny is a base that needs no download.
func tiny(t *testing.T) (File, []byte) {
	t.Helper()
	g := graph.Mobile(32, 1)
	net, err := nn.New(g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	data, err := checkpoint.Encode(&checkpoint.Checkpoint{Graph: *g, Spec: spec(32), Params: net.Params(), Origin: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return File{Name: "base-tiny.ckpt", SHA256: hex.EncodeToString(sum[:]), Make: "make base"}, data
}

func TestFind(t *testing.T) {
	f, data := tiny(t)
	changed := append([]byte(nil), data...)
	changed[len(changed)/2] ^= 1
	dir := t.TempDir()
	good, bad, none := filepath.Join(dir, "good"), filepath.Join(dir, "bad"), filepath.Join(dir, "none")
	for path, content := range map[string][]byte{good: data, bad: changed} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, places := range [][]string{{good}, {none, good}, {good, bad}} {
		found, err := f.find(places)
		if err != nil || found.Path != good || found.SHA256 != f.SHA256 || found.Checkpoint.Origin != "a test" {
			t.Errorf("%v: found %+v, error %v", places, found, err)
		}
	}
	var missing *MissingError
	_, err := f.find([]string{none, none + "2"})
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), none+", "+none+"2") || !strings.Contains(hint.Of(err), "make base") {
		t.Errorf("missing: %v (%s)", err, hint.Of(err))
	}
	// A changed file is never passed over for a good one that comes later.
	var change *ChangedError
	_, err = f.find([]string{none, bad, good})
	if !errors.As(err, &change) || !strings.Contains(err.Error(), bad) || !strings.Contains(hint.Of(err), "make base") {
		t.Errorf("changed: %v (%s)", err, hint.Of(err))
	}
	if _, err := f.find([]string{dir}); err == nil || errors.As(err, &missing) {
		t.Errorf("a folder: error %v", err)
	}
}

func TestPlaces(t *testing.T) {
	places := Mobile.Places()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self, _ = filepath.EvalSymlinks(self)
	want := []string{filepath.Dir(self) + "/base-mobile.ckpt", filepath.Dir(self) + "/base/base-mobile.ckpt",
		"/usr/share/tirewatch/base-mobile.ckpt"}
	if strings.Join(places, " ") != strings.Join(want, " ") {
		t.Errorf("places %v, want %v", places, want)
	}
	if _, err := Find(filepath.Join(t.TempDir(), "mine.ckpt")); err == nil || !strings.Contains(err.Error(), "mine.ckpt") {
		t.Errorf("--base with a missing file: %v", err)
	}
}
