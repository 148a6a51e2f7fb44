package web

import (
	"context"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tirewatch/internal/durable"
)

var threeShifts = []time.Duration{6 * time.Hour, 14 * time.Hour, 22 * time.Hour}

// Saved counts are in their shift after a crash, even if shifts start at other times by then.
func TestStateFileAfterACrash(t *testing.T) {
	here := setZone(t, "Asia/Jakarta")
	now := time.Date(2026, 3, 5, 15, 0, 0, 0, here)
	path := filepath.Join(t.TempDir(), "journal.db-shifts")
	begin := func(starts []time.Duration) (*shifts, *stateFile) {
		t.Helper()
		s := newShifts(starts, 1, func() time.Time { return now })
		m, err := openStateFile(path, s)
		if err != nil {
			t.Fatal(err)
		}
		return s, m
	}
	s, m := begin(threeShifts)
	s.addTriggerErrors(now.Add(-8*time.Hour), 2)
	s.addTriggerErrors(now, 1)
	if err := m.save(s); err != nil {
		t.Fatal(err)
	}
	s.addTriggerErrors(now, 5) // within the minute before the crash

	s, m = begin(threeShifts)
	if list := s.list(); len(list) != 2 || list[0].Triggers != 1 || list[1].Triggers != 2 {
		t.Errorf("shifts after the crash: %+v", list)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := m.save(s); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was written without a change")
	}
	s.addTriggerErrors(now, 1)
	if err := m.save(s); err != nil {
		t.Fatal(err)
	}
	s, _ = begin([]time.Duration{0})
	if list := s.list(); len(list) != 1 || list[0].Triggers != 4 {
		t.Errorf("shifts with one shift a day: %+v", list)
	}
}

// A board without a clock may start in 1970, in a shift that began in 1969. Counts from that time
// do not spoil the others.
func TestStateFileWithoutAClock(t *testing.T) {
	setZone(t, "Asia/Jakarta")
	path := filepath.Join(t.TempDir(), "journal.db-shifts")
	s := newShifts(threeShifts, 1, time.Now)
	m, err := openStateFile(path, s)
	if err != nil {
		t.Fatal(err)
	}
	s.addTriggerErrors(time.Unix(60, 0), 3)
	s.addTriggerErrors(time.Now(), 4)
	if err := m.save(s); err != nil {
		t.Fatal(err)
	}
	again := newShifts(threeShifts, 1, time.Now)
	if _, err := openStateFile(path, again); err != nil || !maps.Equal(again.triggerErrors(), s.triggerErrors()) {
		t.Errorf("%v: the file has %v, want %v", err, again.triggerErrors(), s.triggerErrors())
	}
}

// Counts that were saved while the clock was a month ahead do not hide the present shift later.
func TestStateFileOfAClockAhead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db-shifts")
	now := time.Date(2026, 3, 5, 15, 0, 0, 0, setZone(t, "Europe/Berlin"))
	s := newShifts(threeShifts, 1, func() time.Time { return now })
	m, err := openStateFile(path, s)
	if err != nil {
		t.Fatal(err)
	}
	for day := range 2 * shownShifts {
		s.addTriggerErrors(now.AddDate(0, 0, 30+day), 1)
	}
	if err := m.save(s); err != nil {
		t.Fatal(err)
	}
	again := newShifts(threeShifts, 1, func() time.Time { return now })
	if _, err := openStateFile(path, again); err != nil {
		t.Fatal(err)
	}
	again.addTriggerErrors(now, 2)
	if list := again.list(); len(list) != 1 || list[0].Triggers != 2 {
		t.Errorf("shifts: %+v", list)
	}
}

// A damaged file is reported and stops nothing. The next save replaces it.
func TestStateFileDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db-shifts")
	for _, text := range []string{
		"", "{", `{"trigger_errors": {"a": 1}}`, `{"trigger_errors": {"1772690400": -1}}`,
		`{"trigger_errors": {"-9223372036854775807": 1}}`, `{"trigger_errors": {"9223372036854775807": 1}}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newShifts(threeShifts, 1, time.Now)
		m, err := openStateFile(path, s)
		if err == nil || !strings.Contains(err.Error(), path) || len(s.triggerErrors()) > 0 {
			t.Errorf("%q: %v, %v", text, err, s.triggerErrors())
		}
		s.addTriggerErrors(time.Now(), 1)
		if err := m.save(s); err != nil {
			t.Error(err)
		}
		again := newShifts(threeShifts, 1, time.Now)
		if _, err := openStateFile(path, again); err != nil || !maps.Equal(again.triggerErrors(), s.triggerErrors()) {
			t.Errorf("after %q: %v, %v", text, err, again.triggerErrors())
		}
	}
}

// The file is written once a minute at most, and never without a new error, so that the card lasts.
func TestStateFileSparesTheCard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db-shifts")
	synctest.Test(t, func(t *testing.T) {
		s := newShifts(threeShifts, 1, time.Now)
		m, err := openStateFile(path, s)
		if err != nil {
			t.Fatal(err)
		}
		writes := 0
		m.write = func(path string, data []byte, perm fs.FileMode) error {
			writes++
			return durable.WriteFile(path, data, perm)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); m.run(ctx, s, slog.New(slog.DiscardHandler)) }()
		for range 600 {
			time.Sleep(time.Second)
			s.addTriggerErrors(time.Now(), 10)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if writes > 11 {
			t.Errorf("%d writes in ten minutes of errors and an hour without", writes)
		}
		s.addTriggerErrors(time.Now(), 1)
		cancel()
		<-ended
		sum := 0
		again := newShifts(threeShifts, 1, time.Now)
		if _, err := openStateFile(path, again); err != nil {
			t.Fatal(err)
		}
		for _, n := range again.triggerErrors() {
			sum += n
		}
		if sum != 6001 {
			t.Errorf("%d errors in the file at the end, want 6001", sum)
		}
	})
}
