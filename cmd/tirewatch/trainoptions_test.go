package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tirewatch/trainer/dataset"
	"tirewatch/vision/preprocess"
)

// An image that is deleted between listing and reading is named, and the others are used.
func TestImagesThatDisappear(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "photos")
	if _, _, err := runDataset("synth", dir, "--train", "4", "--test", "0", "--size", "96"); err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	items := append(set.Train, dataset.Item{Path: filepath.Join(dir, "training", "crack", "gone.jpg"), Class: dataset.Crack})
	var messages bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetErr(&messages)
	cmd.SetContext(t.Context())
	samples, err := loadSamples(cmd, "reading", set, items, preprocess.Thesis(), newStore(dir, len(items), preprocess.Thesis()))
	if err != nil || len(samples) != len(items)-1 {
		t.Errorf("%d samples of %d, error %v", len(samples), len(items), err)
	}
	if !strings.Contains(messages.String(), "left out: ") || !strings.Contains(messages.String(), "gone.jpg") {
		t.Errorf("messages %q", messages.String())
	}
}
