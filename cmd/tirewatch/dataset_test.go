package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/cmd/internal/cli"
	"tirewatch/trainer/dataset"
)

// runDataset runs one dataset command and returns its output.
func runDataset(args ...string) (stdout, stderr string, err error) {
	var out, messages bytes.Buffer
	err = cli.Execute(context.Background(), newDatasetCmd(), args, &out, &messages)
	return out.String(), messages.String(), err
}

// What a technician does without photographs: draw, check and split.
func TestDatasetCommands(t *testing.T) {
	dir := t.TempDir()
	drawn, split := filepath.Join(dir, "drawn"), filepath.Join(dir, "split")
	out, _, err := runDataset("synth", drawn, "--train", "20", "--test", "10", "--size", "96", "--seed", "3")
	if err != nil || !strings.Contains(out, "20 training and 10 testing images of 96 x 96 px") {
		t.Fatalf("%v: %s", err, out)
	}
	broken := filepath.Join(drawn, "training", "crack", "broken.jpg")
	if err := os.WriteFile(broken, nil, 0o644); err != nil {
		t.Fatal(err)
	}

	out, messages, err := runDataset("check", drawn)
	if err != nil || !strings.Contains(out, "training/crack/broken.jpg: empty file") || !strings.Contains(messages, "31 of 31") {
		t.Errorf("%v\n%s\n%s", err, out, messages)
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
		{"check of another folder", []string{"check", dir}, "accepted layouts"},
		{"check of one class", []string{"check", filepath.Dir(one)}, "cannot be used"},
		{"check of one class as JSON", []string{"check", "--json", filepath.Dir(one)}, "cannot be used"},
		{"split of one class", []string{"split", filepath.Dir(one), filepath.Join(dir, "new")}, "no normal images"},
		{"split without testing images", []string{"split", dir, filepath.Join(dir, "new"), "--test", "0"}, "--test 0: want more than 0 and less than 1"},
		{"synth of nothing", []string{"synth"}, "name either DIR"},
		{"synth of both", []string{"synth", dir, "--video", "x.avi"}, "name either DIR"},
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
