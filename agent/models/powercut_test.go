package models

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tirewatch/internal/durable/durabletest"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

// powercut is one action of a station during which the power fails.
type powercut struct {
	name    string
	prepare func(t *testing.T, r *rig) // done before, durably; the process then died
	do      func(r *rig)               // interrupted by the power cut; nil: only Open
	before  []uint64                   // serials that may be active before it is done; 0: none
	after   uint64                     // serial that must be active once it is done
	floor   uint64                     // lowest floor at any time
	trial   []uint64                   // serials that must never be active without probation
	starts  int                        // that must be recorded at the start after it is done
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var powercuts = []powercut{
	{name: "the first model is installed", prepare: func(*testing.T, *rig) {},
		do: func(r *rig) { install(r.t, r.Store, 1) }, before: []uint64{0, 1}, after: 1},
	{name: "a model is installed and starts probation", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1) },
		do: func(r *rig) { install(r.t, r.Store, 2) }, before: []uint64{1, 2}, after: 2, floor: 1, trial: []uint64{2}},
	{name: "an agent starts with a model on probation", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1, 2) },
		before: []uint64{2}, after: 2, floor: 2, trial: []uint64{2}, starts: 3},
	{name: "probation continues", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1, 2) },
		do: func(r *rig) { r.judge(4, 1); r.judge(4, 0) }, before: []uint64{2}, after: 2, floor: 2, trial: []uint64{2}},
	{name: "an agent ends cleanly on probation", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1, 2) },
		do: func(r *rig) { must(r.t, r.Close()) }, before: []uint64{2}, after: 2, floor: 2, trial: []uint64{2}},
	{name: "a model is confirmed", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1, 2) },
		do: func(r *rig) { must(r.t, r.Confirm()) }, before: []uint64{2}, after: 2, floor: 2},
	{name: "a model is rolled back on probation", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1, 2) },
		do: func(r *rig) { must(r.t, r.Rollback()) }, before: []uint64{1, 2}, after: 1, floor: 2, trial: []uint64{2}},
	{name: "a proven model is rolled back", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1, 2); must(t, r.Confirm()) },
		do: func(r *rig) { must(r.t, r.Rollback()) }, before: []uint64{1, 2}, after: 1, floor: 2},
	{name: "a newer model is installed during probation", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1, 2) },
		do: func(r *rig) { install(r.t, r.Store, 3) }, before: []uint64{1, 2, 3}, after: 3, floor: 2, trial: []uint64{2, 3}},
	{name: "a model that crashes is given up at a start", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1, 2); r.crash(); r.crash() },
		before: []uint64{1}, after: 1, floor: 2, trial: []uint64{2}},
	{name: "a model that fails its self-test is given up at a start",
		prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1, 2); damage(t, r.o.Dir, 2) },
		before:  []uint64{1}, after: 1, floor: 2},
	{name: "the event log is full", prepare: func(t *testing.T, r *rig) { install(t, r.Store, 1) },
		do:     func(r *rig) { r.journal.limit = 1; install(r.t, r.Store, 2) },
		before: []uint64{1, 2}, after: 2, floor: 1, trial: []uint64{2}},
}

// TestPowerCut does each action once. Then it opens every folder that a power cut at any step may
// leave, with unsynced data lost, torn or kept in every combination, and cuts the power once more
// at every step of that start. A fully verified model, old or new, is always active; a new one is
// never active without probation; and the floor never falls.
func TestPowerCut(t *testing.T) {
	for _, c := range powercuts {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			c.prepare(t, r)
			disk := durabletest.Record(t, r.o.Dir)
			r.o.Disk = disk
			if c.do == nil {
				r.crash()
			} else {
				r.o.Disk = nil
				r.Store.o.Disk, r.journal.disk = disk, disk
				r.Store.write = newStore(Options{Disk: disk}).write
				c.do(r)
			}
			r.o.Disk = nil
			l := &cutter{t: t, c: c, seen: map[[32]byte]bool{}}
			for cut := range disk.Steps() + 1 {
				done := cut == disk.Steps()
				for image := range disk.Images(cut) {
					l.images++
					if key := image.Key(); done || !l.seen[key] {
						l.seen[key] = true
						l.open(image, done, fmt.Sprintf("cut before %s (step %d)", disk.Describe(cut), cut), true)
					}
				}
			}
			t.Logf("%d cuts left %d folders; opened %d different ones, %d of them after a second cut",
				disk.Steps()+1, l.images, len(l.seen), l.second)
		})
	}
}

// old is a bundle that must always be refused.
func (c powercut) old(t *testing.T) []byte {
	return bytesOf(t, c.floor, func(b *bundle.Bundle) { b.Threshold = 0.9 })
}

// cutter opens the folders that a cut left.
type cutter struct {
	t              *testing.T
	c              powercut
	seen           map[[32]byte]bool
	images, second int
}

// open starts a station on an image and checks which model is active. again cuts the power once
// more at every step of the start.
func (l *cutter) open(image durabletest.Image, done bool, where string, again bool) {
	l.t.Helper()
	dir := filepath.Join(l.t.TempDir(), "models")
	image.Restore(l.t, dir)
	disk := durabletest.Record(l.t, dir)
	var verified []string
	verify := Verifier(bundletest.Public(1), station, nil)
	s, err := Open(Options{
		Dir: dir, Log: slog.New(slog.DiscardHandler), Probation: Probation{Verdicts: 20, Crashes: 3}, Disk: disk,
		Verify: func(data []byte) (*Loaded, error) {
			m, err := verify(data)
			if err == nil {
				verified = append(verified, m.Bundle.ID())
			}
			return m, err
		},
	})
	if err != nil {
		l.t.Fatalf("%s: %v", where, err)
	}
	l.judge(s, verified, done, where)
	if again {
		for cut := range disk.Steps() + 1 {
			for second := range disk.Images(cut) {
				if key := second.Key(); !l.seen[key] {
					l.seen[key] = true
					l.second++
					l.open(second, done, where+" and again before "+disk.Describe(cut), false)
				}
			}
		}
	}
	os.RemoveAll(dir) // otherwise thousands of folders stay until the end of the test
}

// judge checks the state of a station.
func (l *cutter) judge(s *Store, verified []string, done bool, where string) {
	l.t.Helper()
	c, got := l.c, serial(s)
	allowed := c.before
	if done {
		allowed = []uint64{c.after}
	}
	if !slices.Contains(allowed, got) && !(got == 1 && slices.Contains(c.trial, 2) && s.Snapshot().Last.Kind == FellBack) {
		l.t.Errorf("%s: serial %d is active; want one of %v", where, got, allowed)
	}
	if s.state.Floor < max(c.floor, got) {
		l.t.Errorf("%s: the floor is %d with serial %d active; want at least %d", where, s.state.Floor, got, max(c.floor, got))
	}
	if got == 0 {
		return
	}
	m, _ := s.Active()
	if !slices.Contains(verified, m.Bundle.ID()) {
		l.t.Errorf("%s: serial %d is active and was not verified", where, got)
	}
	if t := s.state.Trial; t != nil && done && t.Starts < c.starts {
		l.t.Errorf("%s: %d starts are recorded; want %d", where, t.Starts, c.starts)
	}
	if slices.Contains(c.trial, got) && (m.Shadow == nil || s.Snapshot().Trial == nil || s.state.Trial.Starts < 1) {
		l.t.Errorf("%s: serial %d is not on probation", where, got)
	}
	var old *SerialError
	if c.floor > 0 {
		if _, err := s.Install(l.c.old(l.t)); !errors.As(err, &old) {
			l.t.Errorf("%s: another bundle with serial %d: %v; want *SerialError", where, c.floor, err)
		}
	}
}
