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

// Looking tells what is there and leaves every file as it was, and none behind.
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
			t.Fatalf("looking made %v of the files %v", after, before)
		}
		return s
	}
	if s := look(); s != (journal.Seen{}) {
		t.Errorf("nothing is there, seen %+v", s)
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
		t.Errorf("an agent has it open, seen %+v", s)
	}
	if err := j.Append(&verdict.Verdict{Schema: verdict.SchemaVersion, Time: at.Add(time.Hour), Label: verdict.Normal, Threshold: 0.5}); err != nil {
		t.Errorf("the agent was disturbed: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if s := look(); s != (journal.Seen{Exists: true, Verdicts: 4, Waiting: 3, Newest: at.Add(time.Hour)}) {
		t.Errorf("seen %+v", s)
	}
	if _, err := journal.Look(path, "another/line/1"); !errors.As(err, new(*journal.StationError)) {
		t.Errorf("of another station: %v", err)
	}
	if err := os.WriteFile(path+"-wal", []byte("what a killed agent leaves"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := look(); s != (journal.Seen{Exists: true, Unclean: true}) {
		t.Errorf("with a log, seen %+v", s)
	}
	os.Remove(path + "-wal")
	if err := os.WriteFile(path, []byte("this is no database, however long it goes on"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Look(path, station); !errors.As(err, new(*journal.DamagedError)) {
		t.Errorf("of a damaged file: %v", err)
	}
}
