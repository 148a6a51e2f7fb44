package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/trainer/dataset"
)

// runDataset carries out one dataset command and returns what it said.
func runDataset(args ...string) (stdout, stderr string, err error) {
	var out, speech bytes.Buffer
	cmd := newDatasetCmd()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&speech)
	err = cmd.Execute()
	return out.String(), speech.String(), err
}

// The way of a technician without photographs: draw, check, split, check again.
func TestDatasetCommands(t *testing.T) {
	dir := t.TempDir()
	drawn, split := filepath.Join(dir, "drawn"), filepath.Join(dir, "split")
	out, _, err := runDataset("synth", drawn, "--train", "20", "--test", "10", "--size", "96", "--seed", "3")
	if err != nil || !strings.Contains(out, "20 training and 10 test images of 96 x 96 px") {
		t.Fatalf("%v: %s", err, out)
	}
	broken := filepath.Join(drawn, "training", "crack", "broken.jpg")
	if err := os.WriteFile(broken, nil, 0o644); err != nil {
		t.Fatal(err)
	}

	out, speech, err := runDataset("check", drawn)
	if err != nil || !strings.Contains(out, "training/crack/broken.jpg: empty file") || !strings.Contains(speech, "31 of 31") {
		t.Errorf("%v\n%s\n%s", err, out, speech)
	}
	out, _, err = runDataset("check", drawn, "--json")
	var audit dataset.Audit
	if err != nil || json.Unmarshal([]byte(out), &audit) != nil || len(audit.Damaged) != 1 {
		t.Errorf("%v\n%s", err, out)
	}

	out, _, err = runDataset("split", drawn, split, "--seed", "2", "--test", "0.2")
	if err != nil || !strings.Contains(out, "left out: "+broken) || strings.Count(out, "normal") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
	set, err := dataset.Open(split)
	if err != nil || len(set.Train)+len(set.Test) != 30 || len(set.Test) != 6 {
		t.Errorf("%v, %d and %d images", err, len(set.Train), len(set.Test))
	}
}

func TestDatasetVideo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "belt.avi")
	out, _, err := runDataset("synth", "--video", path, "--tires", "1", "--fps", "5")
	if err != nil || !strings.Contains(out, "1 tires in") {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestDatasetErrors(t *testing.T) {
	dir := t.TempDir()
	one := filepath.Join(dir, "one", "crack")
	if err := os.MkdirAll(one, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(one, "a.jpg"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"check of no data set", []string{"check", dir}, "accepted layouts"},
		{"check of one class", []string{"check", filepath.Dir(one)}, "cannot be used"},
		{"check of one class as JSON", []string{"check", "--json", filepath.Dir(one)}, "cannot be used"},
		{"split of one class", []string{"split", filepath.Dir(one), filepath.Join(dir, "new")}, "no normal images"},
		{"split by nothing", []string{"split", dir, filepath.Join(dir, "new"), "--test", "0"}, "--test 0 is not between 0 and 1"},
		{"synth of nothing", []string{"synth"}, "name a folder"},
		{"synth of both", []string{"synth", dir, "--video", "x.avi"}, "name a folder"},
		{"synth into a full folder", []string{"synth", dir}, "not empty"},
		{"synth of another view", []string{"synth", filepath.Join(dir, "new"), "--view", "above"}, "closeup or side"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := runDataset(c.args...)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v does not say %q", err, c.says)
			}
		})
	}
}
