// Package models stores the models of a station in two slots on disk. One slot is active.
//
//	push, inbox -> verify, self-test -> idle slot -> switch -> probation -> confirmed
//	                    |                                        |
//	                 refused                                 fall back
//
// A bundle is written to the idle slot; then one small file that names the active slot is replaced.
// A power cut at any moment leaves either the old or the new model active. The new model judges
// from the next tire on and is on probation: the old model judges the same crops as its shadow, and
// takes over again if the new one fails. Start with [Open], [Store.Install] and [Store.Run].
//
//	DIR/a.tire          a bundle, as it was signed
//	DIR/b.tire          another bundle
//	DIR/state.json      the active slot, the floor, the current probation: see state
//	DIR/events.jsonl    what happened to the models, one line each: see Event
//	DIR/events.1.jsonl  older lines
//
// The floor is the highest serial ever installed. An older bundle is refused from outside, even if
// its signature is valid. Only the station itself can go back, to the model that it has kept.
package models

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tirewatch/internal/durable"
	"tirewatch/vision/anomaly"
	"tirewatch/vision/bundle"
	"tirewatch/vision/infer"
)

// Loaded is a model that is ready to judge. It is immutable: a change of the station's state makes
// a new Loaded.
type Loaded struct {
	Bundle *bundle.Bundle
	Runner *infer.Runner // owned by one goroutine: the station loop
	// the second opinion, nil if the bundle has none; owned by the same goroutine
	Second *anomaly.Detector
	Since  time.Time // when it was installed, UTC
	// the proven model that judges the same tires while this one is on probation, otherwise nil
	Shadow *Loaded
}

// alone returns m without a shadow.
func (m *Loaded) alone() *Loaded { return m.beside(nil) }

// beside returns m with another shadow.
func (m *Loaded) beside(shadow *Loaded) *Loaded {
	if m == nil {
		return nil
	}
	c := *m
	c.Shadow = shadow
	return &c
}

// Options configure a [Store].
type Options struct {
	Dir    string
	Verify func(data []byte) (*Loaded, error) // called for every bundle at every start: see Verifier
	// read again while the station works; nil: nothing is revoked
	Revoked   *Revocations
	Probation Probation
	Latency   time.Duration // limit of a forward pass on this CPU, median; 0: no limit

	// called with every event once it is durable; may be nil. It must not block or call the store.
	Event func(Event)
	Log   *slog.Logger

	Now     func() time.Time                     // nil: time.Now
	Measure func(*Loaded) (time.Duration, error) // nil: Median
	Disk    durable.FS                           // nil: durable.Disk
}

// Store is the folder with the two slots. Its methods may be called from any goroutine.
type Store struct {
	o       Options
	log     *slog.Logger
	journal *eventLog
	due     chan struct{} // capacity 1: Work has something to do
	changed chan struct{} // capacity 1: Snapshot has changed

	turn  sync.Mutex // held during a whole transition, writes included; taken before mu
	write func(path string, data []byte, perm fs.FileMode) error

	mu sync.Mutex // never held during a write to disk: the station loop calls Active

	// Changed under turn and mu, read under either. Only state.Seen is guarded by turn alone.
	state   state   // content of state.json
	slot    string  // of active; differs from state.Active after a fall-back at the start
	active  *Loaded // nil: none
	reserve *Loaded // in the other slot, to go back to; nil: none
	why     error   // why there is no active model
	ended   bool    // the active model has expired

	// Guarded by mu.
	ready chan struct{} // closed while there is an active model
	live  *trial        // the current probation, newer than state.Trial; nil: none
	began time.Time     // when this process resumed or began the probation
}

// state is the content of state.json.
type state struct {
	Active string `json:"active"` // slot
	Hash   string `json:"hash"`   // of the bundle in it
	Floor  uint64 `json:"floor"`  // highest serial ever installed

	// the latest plausible time of the clock, UTC
	Seen  time.Time `json:"seen,omitzero"`
	Trial *trial    `json:"probation,omitempty"` // of the active bundle
	// the last bundle that the station gave up
	GivenUp *GivenUp `json:"given_up,omitempty"`
	// the transition to this state, so that it reaches the event log even after a power cut
	Last *Event `json:"last,omitempty"`
}

var slots = [...]string{"a", "b"}

func (s *Store) path(slot string) string { return filepath.Join(s.o.Dir, slot+".tire") }

func (s *Store) statePath() string { return filepath.Join(s.o.Dir, "state.json") }

// other returns the other slot.
func other(slot string) string {
	if slot == slots[0] {
		return slots[1]
	}
	return slots[0]
}

func newStore(o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Measure == nil {
		o.Measure = Median
	}
	if o.Disk == nil {
		o.Disk = durable.Disk
	}
	s := &Store{o: o, log: o.Log,
		due: make(chan struct{}, 1), changed: make(chan struct{}, 1), ready: make(chan struct{})}
	s.write = func(path string, data []byte, perm fs.FileMode) error {
		return durable.WriteFileOn(o.Disk, path, data, perm)
	}
	return s
}

// Open loads the active model from the folder, and creates the folder if it is missing. If a model
// cannot be loaded, Open logs that and uses the model in the other slot. It gives up a model during
// whose probation the agent crashed too often. A store without a model is open too: Active returns
// the reason, and Install ends that state.
func Open(o Options) (*Store, error) {
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("open models: %w", err)
	}
	if err := durable.Clean(o.Dir); err != nil {
		return nil, fmt.Errorf("open models: %w", err)
	}
	s := newStore(o)
	if err := s.readState(); err != nil {
		return nil, fmt.Errorf("open models: %w", err)
	}
	s.journal = openEvents(o.Dir, s.o.Disk)
	if last := s.state.Last; last != nil && s.journal.last < last.N {
		s.record(*last) // the power failed between the transition and its line
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	reasons := s.choose()
	s.resumeProbation(reasons)
	if s.active != nil {
		close(s.ready)
	}
	return s, nil
}

// Inspect returns what a station would use, and changes nothing: another process may own the
// folder.
func Inspect(o Options) (Snapshot, error) {
	s := newStore(o)
	if err := s.readState(); err != nil {
		return Snapshot{}, fmt.Errorf("inspect models: %w", err)
	}
	s.choose()
	if s.state.Trial != nil && s.active != nil && s.active.Bundle.ID() == s.state.Hash {
		s.live = s.state.Trial
	}
	return s.Snapshot(), s.why
}

// readState reads state.json. Without a usable file choose looks at the slots, and the floor rises
// to what it finds.
func (s *Store) readState() error {
	data, err := os.ReadFile(s.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &s.state); err != nil || s.state.Active != slots[0] && s.state.Active != slots[1] {
		s.log.Error("models: state file damaged", "file", s.statePath(), "error", err)
		s.state = state{}
	}
	return nil
}

// choose makes the model of one slot active: that of the recorded slot, otherwise the other one.
// Without a record it takes the higher serial. It never chooses a model that was given up. It
// returns why a slot cannot be used.
func (s *Store) choose() error {
	var found [2]*Loaded
	var reasons []error
	for i, slot := range slots {
		m, err := s.load(slot)
		if g := s.state.GivenUp; err == nil && g != nil && g.Hash == m.Bundle.ID() {
			m, err = nil, nil
			if slot == s.state.Active {
				reasons = append(reasons, fmt.Errorf("slot %s: %w", slot, &GivenUpError{*g}))
			}
		}
		switch {
		case err == nil:
			found[i] = m
		case !errors.Is(err, fs.ErrNotExist):
			reasons = append(reasons, fmt.Errorf("slot %s: %w", slot, err))
		case slot == s.state.Active:
			reasons = append(reasons, fmt.Errorf("slot %s: its file is missing", slot))
		}
	}
	pick := 0
	switch {
	case found[0] == nil:
		pick = 1
	case found[1] == nil:
	case s.state.Active == slots[1], s.state.Active == "" && found[1].Bundle.Serial > found[0].Bundle.Serial:
		pick = 1
	}
	why := errors.Join(reasons...)
	s.slot, s.active, s.reserve = slots[pick], found[pick], found[1-pick]
	if s.active == nil {
		s.slot = cmp.Or(s.state.Active, slots[1])
		s.why = ErrNoModel
		if why != nil {
			s.why = fmt.Errorf("%w that can be used: %w", ErrNoModel, why)
		}
		return why
	}
	s.state.Floor = max(s.state.Floor, s.active.Bundle.Serial)
	b := s.active.Bundle
	switch {
	case s.state.Active == "":
		s.log.Warn("models: active slot unknown, highest serial used", "serial", b.Serial, "hash", b.ID())
		s.state.Active, s.state.Hash = s.slot, b.ID()
	case s.slot != s.state.Active:
		s.log.Error("models: active model unusable, other slot used", "error", why, "serial", b.Serial, "hash", b.ID())
	case why != nil:
		s.log.Warn("models: reserve model unusable", "error", why)
	}
	return why
}

func (s *Store) load(slot string) (*Loaded, error) {
	f, err := os.Open(s.path(slot))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > bundle.MaxSize {
		return nil, bundle.ErrTooLarge
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil && len(data) > 0 {
		return nil, err
	}
	m, err := s.o.Verify(data)
	if err != nil {
		return nil, err
	}
	m.Since = info.ModTime().UTC()
	return m, nil
}

// Snapshot is the state of a station's models at one moment.
type Snapshot struct {
	Active   *Loaded   // makes the verdicts; nil: none
	Previous *Loaded   // Rollback goes back to it; nil: none
	Trial    *Progress // probation of Active; nil: it is proven
	Ended    bool      // Active has expired and stays in use
	Last     *Event    // the last transition
}

// Snapshot returns the current state.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	shot := Snapshot{Active: s.active, Previous: s.reserve, Ended: s.ended, Last: s.state.Last}
	if s.live != nil {
		shot.Trial = &Progress{Counts: s.live.Counts, Of: s.o.Probation.Verdicts}
	}
	return shot
}

// Changed returns a channel that signals when Snapshot has changed.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// signal wakes a receiver without waiting for it.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Active returns the model that judges the next tire, or ErrNoModel with the reason.
func (s *Store) Active() (*Loaded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active, s.why
}

// Wait returns the active model as soon as there is one, or the error of ctx.
func (s *Store) Wait(ctx context.Context) (*Loaded, error) {
	for {
		s.mu.Lock()
		m, ready := s.active, s.ready
		s.mu.Unlock()
		if m != nil {
			return m, nil
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// change is a transition to the next state.
type change struct {
	state   state
	slot    string
	active  *Loaded
	reserve *Loaded
	kind    Kind
	about   *Loaded // the model of the event
	reason  string
}

// apply makes a transition: first on disk, then in memory, then in the event log. After an error
// nothing has changed. The caller holds turn.
func (s *Store) apply(c change) error {
	e := s.event(c.kind, c.about, c.reason)
	if s.state.Last != nil {
		e.N = s.state.Last.N
	}
	e.N++
	c.state.Last = &e
	if err := s.save(c.state); err != nil {
		return err
	}
	s.mu.Lock()
	s.state = c.state
	s.setCurrent(c)
	s.mu.Unlock()
	s.record(e)
	return nil
}

// setCurrent makes a transition in memory. The caller holds mu.
func (s *Store) setCurrent(c change) {
	if had := s.active != nil; !had && c.active != nil {
		close(s.ready)
	} else if had && c.active == nil {
		s.ready = make(chan struct{})
	}
	s.slot, s.active, s.reserve = c.slot, c.active, c.reserve
	s.why, s.live = nil, nil
	if s.active == nil {
		s.why = fmt.Errorf("%w: %s", ErrNoModel, c.reason)
	}
	if c.state.Trial != nil {
		t := *c.state.Trial
		s.live, s.began = &t, s.o.Now()
	}
	s.ended = false
}

// save writes the state with the trusted time. The caller holds turn.
func (s *Store) save(next state) error {
	next.Seen = s.time(nil)
	text, err := json.Marshal(next)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	if err := s.write(s.statePath(), append(text, '\n'), 0o640); err != nil {
		return err
	}
	s.state.Seen = next.Seen
	return nil
}
