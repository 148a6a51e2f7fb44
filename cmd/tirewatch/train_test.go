package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/cmd/internal/cli"
)

// trainCommand trains and returns the messages. at, if it is not nil, is called once when the
// messages first contain word.
func trainCommand(t *testing.T, word string, at func(), args ...string) (messages string, err error) {
	t.Helper()
	w := &trigger{word: word, at: at}
	err = cli.Execute(t.Context(), newRootCmd(), append([]string{"train"}, args...), io.Discard, w)
	return w.String(), err
}

// trigger is a buffer that calls at once when word has been written.
type trigger struct {
	bytes.Buffer
	word string
	at   func()
}

func (w *trigger) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if w.at != nil && strings.Contains(w.String(), w.word) {
		w.at()
		w.at = nil
	}
	return n, err
}

// Images may be deleted or changed after they were read: training and report use the data set as it
// was. Resuming on the changed data set is refused.
func TestImagesThatChangeWhileTraining(t *testing.T) {
	dir := t.TempDir()
	photos := filepath.Join(dir, "photos")
	if _, _, err := runDataset("synth", photos, "--train", "24", "--test", "0", "--size", "96"); err != nil {
		t.Fatal(err)
	}
	spoil := func() {
		files, err := filepath.Glob(filepath.Join(photos, "training", "*", "*"))
		if err != nil || len(files) != 24 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for i, f := range files {
			if i%2 == 0 {
				err = os.Remove(f)
			} else {
				err = os.WriteFile(f, []byte("not an image"), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	metrics := func(run string) string {
		data, err := os.ReadFile(filepath.Join(run, "metrics.csv"))
		if err != nil {
			t.Fatal(err)
		}
		var kept []string // all columns except the seconds
		for line := range strings.Lines(string(data)) {
			kept = append(kept, line[:strings.LastIndex(line, ",")])
		}
		return strings.Join(kept, "\n")
	}
	calm, spoilt := filepath.Join(dir, "calm"), filepath.Join(dir, "spoilt")
	if _, err := trainCommand(t, "", nil, photos, "--out", calm, "--epochs", "2", "--batch", "8"); err != nil {
		t.Fatal(err)
	}
	messages, err := trainCommand(t, "epoch   1 of 2", spoil, photos, "--out", spoilt, "--epochs", "2", "--batch", "8")
	if err != nil || !strings.Contains(messages, "report: ") {
		t.Fatalf("%v\n%s", err, messages)
	}
	if got, want := metrics(spoilt), metrics(calm); got != want {
		t.Errorf("another training:\n%s\nwant\n%s", got, want)
	}
	_, err = trainCommand(t, "", nil, photos, "--out", spoilt, "--resume")
	if err == nil || !strings.Contains(err.Error(), "is not the data set of the training in") {
		t.Errorf("resumed on a changed set: %v", err)
	}
}
