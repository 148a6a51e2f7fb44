package models

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

// rig is a store with a clock and a log of the test.
type rig struct {
	*Store
	t      *testing.T
	o      Options
	clock  time.Time
	log    bytes.Buffer
	events []Event // as reported, of all processes
}

var noon = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

// newRig opens an empty folder with a probation of 20 verdicts or half an hour.
func newRig(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, clock: noon}
	r.o = Options{
		Dir: t.TempDir(), Verify: Verifier(bundletest.Public(1), station, nil),
		Probation: Probation{Verdicts: 20, Time: 30 * time.Minute, Crashes: 3},
		Event:     func(e Event) { r.events = append(r.events, e) },
		Log:       slog.New(slog.NewTextHandler(&r.log, nil)),
		Now:       func() time.Time { return r.clock },
		Measure:   func(*Loaded) (time.Duration, error) { return time.Millisecond, nil },
	}
	for _, c := range change {
		c(&r.o)
	}
	r.crash()
	t.Cleanup(r.check)
	return r
}

// crash starts a new process without a clean end of the old one.
func (r *rig) crash() {
	r.t.Helper()
	s, err := Open(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Store = s
}

// restart ends the process cleanly and starts a new one.
func (r *rig) restart() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.crash()
}

// judge makes verdicts; the first differ ones differ from the shadow's.
func (r *rig) judge(verdicts, differ int) {
	r.t.Helper()
	for i := range verdicts {
		m, err := r.Active()
		if err != nil {
			r.t.Fatal(err)
		}
		r.Judged(m, Answer{Compared: m.Shadow != nil, Differs: i < differ})
	}
	r.work()
}

// unsure makes verdicts; the first n are unsure.
func (r *rig) unsure(verdicts, n int) {
	r.t.Helper()
	for i := range verdicts {
		m, err := r.Active()
		if err != nil {
			r.t.Fatal(err)
		}
		r.Judged(m, Answer{Compared: m.Shadow != nil, Unsure: i < n})
	}
	r.work()
}

func (r *rig) work() {
	r.t.Helper()
	if err := r.Work(); err != nil {
		r.t.Fatal(err)
	}
}

// want checks the serials of the active model, of its shadow and of the one that Rollback goes back
// to; 0 is none.
func (r *rig) want(active, shadow, previous uint64) {
	r.t.Helper()
	number := func(m *Loaded) uint64 {
		if m == nil {
			return 0
		}
		return m.Bundle.Serial
	}
	shot := r.Snapshot()
	var s *Loaded
	if shot.Active != nil {
		s = shot.Active.Shadow
	}
	if got := [3]uint64{number(shot.Active), number(s), number(shot.Previous)}; got != [3]uint64{active, shadow, previous} {
		r.t.Fatalf("serials active, shadow, previous are %v; want %d, %d, %d\n%s", got, active, shadow, previous, &r.log)
	}
	if (shot.Trial != nil) != (shadow != 0) {
		r.t.Errorf("shadow %d, probation %+v", shadow, shot.Trial)
	}
}

// kinds returns the kinds of the reported events.
func (r *rig) kinds() (k []Kind) {
	for _, e := range r.events {
		k = append(k, e.Kind)
	}
	return k
}

// check holds after every test: transitions are numbered without a gap, reported once, and in the
// file in this order.
func (r *rig) check() {
	var reported, written []uint64
	for _, e := range r.events {
		if e.N > 0 {
			reported = append(reported, e.N)
		}
	}
	for _, name := range []string{"events.1.jsonl", "events.jsonl"} {
		data, err := os.ReadFile(filepath.Join(r.o.Dir, name))
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
			var e Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				r.t.Errorf("%s holds %q: %v", name, lines.Text(), err)
			}
			if e.N > 0 {
				written = append(written, e.N)
			}
		}
	}
	for i, n := range reported {
		if n != uint64(i+1) {
			r.t.Errorf("event %d has number %d", i+1, n)
		}
	}
	if !slices.Equal(reported, written) {
		r.t.Errorf("reported %v, written %v", reported, written)
	}
}

// onProbation installs serial 1 without probation and serial 2 on probation.
func onProbation(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	r := newRig(t, change...)
	install(t, r.Store, 1)
	r.want(1, 0, 0)
	install(t, r.Store, 2)
	r.want(2, 1, 1)
	return r
}

func TestProbationEndsWell(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(r *rig)
		done bool
	}{
		{"after its verdicts", func(r *rig) { r.judge(20, 3) }, true},
		{"not before", func(r *rig) { r.judge(19, 3) }, false},
		{"after its time", func(r *rig) { r.judge(2, 0); r.clock = r.clock.Add(30 * time.Minute); r.work() }, true},
		{"not after its time on a stopped belt", func(r *rig) { r.judge(1, 0); r.clock = r.clock.Add(48 * time.Hour); r.work() }, false},
		{"its time over several runs", func(r *rig) {
			r.judge(2, 0)
			for range 3 {
				r.clock = r.clock.Add(10 * time.Minute)
				r.restart()
			}
			r.work()
		}, true},
		{"its verdicts over several runs", func(r *rig) {
			for range 4 {
				r.judge(5, 1)
				r.restart()
			}
			r.work()
		}, true},
		{"by command", func(r *rig) {
			if err := r.Confirm(); err != nil {
				t.Error(err)
			}
		}, true},
		{"when it is switched off", func(r *rig) { r.o.Probation.Verdicts = 0; r.restart(); r.work() }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := onProbation(t)
			c.do(r)
			if !c.done {
				r.want(2, 1, 1)
				return
			}
			r.want(2, 0, 1)
			if want := []Kind{Installed, OnProbation, Confirmed}; !slices.Equal(r.kinds(), want) {
				t.Errorf("events %v; want %v", r.kinds(), want)
			}
			r.crash()
			r.want(2, 0, 1)
			if err := r.Confirm(); !errors.Is(err, ErrNoTrial) {
				t.Errorf("confirmed twice: %v", err)
			}
			if err := r.Reject("drift"); !errors.Is(err, ErrNoTrial) {
				t.Errorf("a proven model was rejected: %v", err)
			}
		})
	}
}

func TestProbationFallsBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		do     func(r *rig)
		reason string // empty: it does not fall back
	}{
		{"after three crashes", func(r *rig) { r.crash(); r.crash(); r.crash() }, "crashed 3 times"},
		{"not after two", func(r *rig) { r.crash(); r.crash() }, ""},
		{"verdicts do not reset the crashes", func(r *rig) {
			for range 3 {
				r.judge(5, 0)
				r.crash()
			}
		}, "crashed 3 times"},
		{"not after many clean ends", func(r *rig) {
			for range 20 {
				r.restart()
			}
		}, ""},
		{"when it fails its self-test at a start", func(r *rig) { damage(t, r.o.Dir, 2); r.crash() }, "it cannot be used: slot b: "},
		{"when its file is missing", func(r *rig) { os.Remove(filepath.Join(r.o.Dir, "b.tire")); r.crash() }, "its file is missing"},
		{"when it disagrees too much", func(r *rig) { r.o.Probation.MaxDisagreement = 0.2; r.restart(); r.judge(10, 3) }, "on 3 of 10 tires"},
		{"not when it disagrees within the limit", func(r *rig) { r.o.Probation.MaxDisagreement = 0.2; r.restart(); r.judge(10, 2) }, ""},
		{"not on the first tire", func(r *rig) { r.o.Probation.MaxDisagreement = 0.2; r.restart(); r.judge(1, 1) }, ""},
		{"not for its disagreement unless configured", func(r *rig) { r.judge(19, 19) }, ""},
		{"when it is unsure too often", func(r *rig) { r.o.Probation.MaxUnsure = 0.5; r.restart(); r.unsure(10, 6) }, "unsure of 6 of 10 tires"},
		{"not when it is unsure within the limit", func(r *rig) { r.o.Probation.MaxUnsure = 0.5; r.restart(); r.unsure(10, 5) }, ""},
		{"not when the first tire is unsure", func(r *rig) { r.o.Probation.MaxUnsure = 0.5; r.restart(); r.unsure(1, 1) }, ""},
		{"not for its unsure tires unless configured", func(r *rig) { r.unsure(19, 19) }, ""},
		{"when health rejects it", func(r *rig) {
			if err := r.Reject("scores drift"); err != nil {
				t.Error(err)
			}
		}, "scores drift"},
		{"by command", func(r *rig) {
			if err := r.Rollback(); err != nil {
				t.Error(err)
			}
		}, "rolled back by command"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := onProbation(t)
			c.do(r)
			if c.reason == "" {
				r.want(2, 1, 1)
				return
			}
			for range 2 { // now and after the next start
				r.want(1, 0, 0)
				last := r.Snapshot().Last
				if last.Kind != FellBack || last.Serial != 1 || !strings.Contains(last.Reason, c.reason) {
					t.Errorf("last event %+v; want one with %q", last, c.reason)
				}
				r.crash()
			}
			var given *GivenUpError
			if _, err := r.Install(bytesOf(t, 2)); !errors.As(err, &given) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("the same bundle again: %v; want a refusal with %q", err, c.reason)
			}
			if err := r.Rollback(); !errors.Is(err, ErrNothingBack) {
				t.Errorf("rolled back to a model that was given up: %v", err)
			}
			install(t, r.Store, 3)
			r.want(3, 1, 1)
		})
	}
}

// A third bundle does not replace the only proven model.
func TestNewerBundleDuringProbation(t *testing.T) {
	r := onProbation(t)
	install(t, r.Store, 3)
	r.want(3, 1, 1)
	r.crash()
	r.want(3, 1, 1)
	if want := []Kind{Installed, OnProbation, FellBack, OnProbation}; !slices.Equal(r.kinds(), want) {
		t.Errorf("events %v; want %v", r.kinds(), want)
	}
	if err := r.Rollback(); err != nil {
		t.Error(err)
	}
	r.want(1, 0, 0)
}

func TestRollbackOfAProvenModel(t *testing.T) {
	r := onProbation(t)
	r.judge(20, 0)
	if err := r.Rollback(); err != nil {
		t.Fatal(err)
	}
	r.want(1, 0, 0)
	r.crash()
	r.want(1, 0, 0)
	var old *SerialError
	if _, err := r.Install(bytesOf(t, 2, func(b *bundle.Bundle) { b.Threshold = 0.9 })); !errors.As(err, &old) || old.Have != 2 {
		t.Errorf("the rollback lowered the floor: %v", err)
	}
}

// Verdicts of the previous model do not count for the model on probation.
func TestVerdictsOfThePreviousModelDoNotCount(t *testing.T) {
	r := newRig(t)
	install(t, r.Store, 1)
	before, _ := r.Active()
	install(t, r.Store, 2)
	for range 100 {
		r.Judged(before, Answer{})
	}
	r.work()
	r.want(2, 1, 1)
	if got := r.Snapshot().Trial.Verdicts; got != 0 {
		t.Errorf("%d verdicts count", got)
	}
}

func TestLatencyBudget(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Latency = time.Millisecond })
	install(t, r.Store, 1) // takes exactly the budget
	r.Store.o.Measure = func(*Loaded) (time.Duration, error) { return time.Millisecond + 1, nil }
	var slow *LatencyError
	if _, err := r.Install(bytesOf(t, 2)); !errors.As(err, &slow) || slow.Budget != time.Millisecond {
		t.Errorf("got %v; want *LatencyError", err)
	}
	r.want(1, 0, 0)
	// the real measurement: no model runs in a nanosecond
	r.Store.o.Measure, r.Store.o.Latency = Median, 1
	if _, err := r.Install(bytesOf(t, 2)); !errors.As(err, &slow) || slow.Took <= 0 {
		t.Errorf("got %v; want *LatencyError", err)
	}
}

// The event log keeps its size limit and continues after a line that a power cut tore.
func TestEventLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.jsonl")
	r := newRig(t, func(o *Options) { o.Dir = dir })
	install(t, r.Store, 1)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"n":2,"ti`)
	f.Close()
	r.crash()
	install(t, r.Store, 2)
	data, err := os.ReadFile(path)
	if lines := strings.Split(string(data), "\n"); err != nil || len(lines) != 4 || !strings.HasPrefix(lines[2], `{"n":2,`) {
		t.Errorf("%v: %q", err, data)
	}
	// Remove the torn line for the check at the end.
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), `{"n":2,"ti`+"\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	r.crash()
	r.journal.limit = 2000
	for range 12 { // fills the file once
		r.clock = r.clock.Add(time.Minute)
		if _, err := r.Install(bytesOf(t, 1, func(b *bundle.Bundle) { b.Threshold = 0.7 })); err == nil {
			t.Fatal("an old bundle was installed")
		}
	}
	r.judge(20, 0)
	for _, name := range []string{path, filepath.Join(dir, "events.1.jsonl")} {
		if info, err := os.Stat(name); err != nil || info.Size() > 2000 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	r.crash()
	r.want(2, 0, 1)
}
