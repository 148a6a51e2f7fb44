package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// trainCommand trains on dir and returns what was said; at, when it is not nil, is called once when
// speech first holds the word.
func trainCommand(t *testing.T, word string, at func(), args ...string) (speech string, err error) {
	t.Helper()
	w := &trigger{word: word, at: at}
	root := newRootCmd()
	root.SetArgs(append([]string{"train"}, args...))
	root.SetOut(new(bytes.Buffer))
	root.SetErr(w)
	err = root.ExecuteContext(t.Context())
	return w.String(), err
}

// trigger is a buffer that calls at when word was written.
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

// Once they are read, photographs may be deleted or rewritten: the training and its report are
// those of the set as it was. Resuming on what is there then is refused.
func TestPhotographsThatChangeWhileTraining(t *testing.T) {
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
				err = os.WriteFile(f, []byte("no image any more"), 0o644)
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
		var kept []string // all columns but the seconds
		for line := range strings.Lines(string(data)) {
			kept = append(kept, line[:strings.LastIndex(line, ",")])
		}
		return strings.Join(kept, "\n")
	}
	calm, spoilt := filepath.Join(dir, "calm"), filepath.Join(dir, "spoilt")
	if _, err := trainCommand(t, "", nil, photos, "--out", calm, "--epochs", "2", "--batch", "8"); err != nil {
		t.Fatal(err)
	}
	speech, err := trainCommand(t, "epoch   1 of 2", spoil, photos, "--out", spoilt, "--epochs", "2", "--batch", "8")
	if err != nil || !strings.Contains(speech, "report: ") {
		t.Fatalf("%v\n%s", err, speech)
	}
	if got, want := metrics(spoilt), metrics(calm); got != want {
		t.Errorf("another training:\n%s\nwant\n%s", got, want)
	}
	_, err = trainCommand(t, "", nil, photos, "--out", spoilt, "--resume")
	if err == nil || !strings.Contains(err.Error(), "is not the data set that the training in") {
		t.Errorf("resumed on a changed set: %v", err)
	}
}
