package web

import (
	"slices"
	"testing"
	"time"

	"tirewatch/vision/verdict"
)

// setZone sets the time zone of the station.
func setZone(t *testing.T, name string) *time.Location {
	t.Helper()
	place, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Local
	time.Local = place
	t.Cleanup(func() { time.Local = before })
	return place
}

// Shifts start by local time: over midnight, and on the days when summer time begins or ends.
func TestShiftBounds(t *testing.T) {
	here := setZone(t, "Europe/Berlin")
	s := newShifts([]time.Duration{6 * time.Hour, 14 * time.Hour, 22 * time.Hour}, 1, time.Now)
	for at, want := range map[string][2]string{
		"2026-03-05 06:00:00": {"2026-03-05 06:00", "2026-03-05 14:00"},
		"2026-03-05 13:59:59": {"2026-03-05 06:00", "2026-03-05 14:00"},
		"2026-03-05 22:00:00": {"2026-03-05 22:00", "2026-03-06 06:00"},
		"2026-03-05 05:59:59": {"2026-03-04 22:00", "2026-03-05 06:00"},
		"2026-01-01 00:30:00": {"2025-12-31 22:00", "2026-01-01 06:00"},
		"2026-03-29 03:30:00": {"2026-03-28 22:00", "2026-03-29 06:00"}, // seven hours
		"2026-10-25 02:30:00": {"2026-10-24 22:00", "2026-10-25 06:00"}, // nine hours
	} {
		when, err := time.ParseInLocation(time.DateTime, at, here)
		if err != nil {
			t.Fatal(err)
		}
		start, end := s.bounds(when.UTC())
		if got := [2]string{start.Format("2006-01-02 15:04"), end.Format("2006-01-02 15:04")}; got != want {
			t.Errorf("%s is in shift %v, want %v", at, got, want)
		}
	}
}

// oldJournal is a journal with verdicts from before the start.
type oldJournal struct {
	fake
	times []time.Time
}

func (r *oldJournal) Count(from, to time.Time, _ uint64) (map[verdict.Label]int, error) {
	n := map[verdict.Label]int{}
	for _, t := range r.times {
		if !t.Before(from) && t.Before(to) {
			n[verdict.Crack]++
		}
	}
	return n, nil
}

// Verdicts of the journal and later ones add up, and each verdict counts in one shift.
func TestShiftCounters(t *testing.T) {
	here := setZone(t, "Asia/Jakarta")
	now := time.Date(2026, 3, 5, 15, 0, 0, 0, here)
	s := newShifts([]time.Duration{6 * time.Hour, 14 * time.Hour, 22 * time.Hour}, 1, func() time.Time { return now })
	j := &oldJournal{}
	for i := range 4 * 24 * 6 { // every ten minutes of four days
		j.times = append(j.times, now.Add(-time.Duration(i)*10*time.Minute))
	}
	s.count(now, verdict.Normal)
	s.count(now, verdict.NoDecision)
	s.addTriggerErrors(now, 1)
	if err := s.load(j); err != nil {
		t.Fatal(err)
	}
	s.count(now.Add(24*365*time.Hour), verdict.Normal) // the clock was ahead once
	list := s.list()
	sum := 0
	for _, c := range list {
		sum += c.Verdicts[verdict.Crack]
	}
	first := list[0]
	n := first.Verdicts
	if first.Start.Hour() != 14 || n[verdict.Normal] != 1 || n[verdict.NoDecision] != 1 || n[verdict.Crack] != 7 ||
		first.Triggers != 1 {
		t.Errorf("the present shift is %+v", first)
	}
	if sum != len(j.times) || list[1].Verdicts[verdict.Crack] != 48 {
		t.Errorf("%d of %d verdicts counted, %d of them in the previous shift", sum, len(j.times), list[1].Verdicts[verdict.Crack])
	}
	if !slices.IsSortedFunc(list, func(a, b tally) int { return b.Start.Compare(a.Start) }) {
		t.Error("the shifts are not sorted")
	}
	for i := range 1000 {
		s.count(now.Add(time.Duration(i-500)*24*time.Hour), verdict.Normal)
	}
	if len(s.tally) > shownShifts {
		t.Errorf("%d shifts in memory after the clock has jumped", len(s.tally))
	}
}
