package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/vision/verdict"
)

// Look reports the state, changes no file and creates none.
func TestLook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	files := func() (names []string) {
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	look := func() journal.Seen {
		t.Helper()
		before := files()
		s, err := journal.Look(path, station)
		if err != nil {
			t.Fatal(err)
		}
		if after := files(); !slices.Equal(before, after) {
			t.Fatalf("files before %v, after %v", before, after)
		}
		return s
	}
	if s := look(); s != (journal.Seen{}) {
		t.Errorf("no journal: %+v", s)
	}
	j, err := journal.Open(path, station)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for i := range 3 {
		v := &verdict.Verdict{Schema: verdict.SchemaVersion, Time: at.Add(time.Duration(i) * time.Second), Label: verdict.Normal, Threshold: 0.5}
		if err := j.Append(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.MarkAcked(1); err != nil {
		t.Fatal(err)
	}
	if s := look(); s != (journal.Seen{Exists: true, InUse: true}) {
		t.Errorf("in use: %+v", s)
	}
	if err := j.Append(&verdict.Verdict{Schema: verdict.SchemaVersion, Time: at.Add(time.Hour), Label: verdict.Normal, Threshold: 0.5}); err != nil {
		t.Errorf("the agent was disturbed: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if s := look(); s != (journal.Seen{Exists: true, Verdicts: 4, Waiting: 3, Newest: at.Add(time.Hour)}) {
		t.Errorf("closed: %+v", s)
	}
	if _, err := journal.Look(path, "another/line/1"); !errors.As(err, new(*journal.StationError)) {
		t.Errorf("another station: %v", err)
	}
	if err := os.WriteFile(path+"-wal", []byte("what a killed agent leaves"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := look(); s != (journal.Seen{Exists: true, Unclean: true}) {
		t.Errorf("with a log: %+v", s)
	}
	os.Remove(path + "-wal")
	if err := os.WriteFile(path, []byte("this is not a database, but long enough to be one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Look(path, station); !errors.As(err, new(*journal.DamagedError)) {
		t.Errorf("a damaged file: %v", err)
	}
}
