// Package models keeps the networks of a station: two slots on disk, one of them active.
//
//	push, inbox -> verify, self-test -> idle slot -> switch -> probation beside the old one -> confirmed
//	                    refused                                    fall back
//
// A bundle is written to the slot that is not in use; then one small file, which names the active
// slot, is replaced. A power cut at any moment leaves the old network or the new one. The new one
// judges from the next tire on and is on probation: the old one looks at the same crops in its
// shadow, and takes over again when the new one fails. Newcomers need Open, Store.Install and
// Store.Work.
//
//	DIR/a.tire          a bundle, as it was signed
//	DIR/b.tire          another one
//	DIR/state.json      which slot is active, the floor, the probation under way: see state
//	DIR/events.jsonl    what happened to the networks, a line each: see Event
//	DIR/events.1.jsonl  older lines
//
// The floor is the highest serial that was ever installed: an old bundle, however well signed, is
// not let in again from outside. Going back is a matter of the station alone, which has kept the
// network that it goes back to.
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
	"tirewatch/vision/bundle"
	"tirewatch/vision/infer"
)

// Loaded is a network that is ready to judge. It does not change: another state of the station is
// another Loaded.
type Loaded struct {
	Bundle *bundle.Bundle
	Runner *infer.Runner // for one goroutine: the station loop's
	Since  time.Time     // when it was installed, UTC
	// the proven network that looks at the same tires while this one is on probation; nil otherwise
	Shadow *Loaded
}

// alone is m without a shadow.
func (m *Loaded) alone() *Loaded { return m.beside(nil) }

// beside is m with another shadow.
func (m *Loaded) beside(shadow *Loaded) *Loaded {
	if m == nil {
		return nil
	}
	c := *m
	c.Shadow = shadow
	return &c
}

// Options are what a Store works with.
type Options struct {
	Dir    string
	Verify func(data []byte) (*Loaded, error) // of every bundle, at every start: see Verifier
	// watched while the station works; nil: nothing is revoked
	Revoked   *Revocations
	Probation Probation
	Latency   time.Duration // that a forward pass may take on this CPU, median; 0: any

	// told of every event once it is durable; may be nil. It must neither block nor call the store
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
	changed chan struct{} // capacity 1: Snapshot is another one

	turn  sync.Mutex // held during a transition, writing included, so that two cannot mix
	state state      // what the folder says; guarded by turn
	write func(path string, data []byte, perm fs.FileMode) error

	mu sync.Mutex // never held while writing: the station loop asks for Active
	// of active; differs from state.Active after a fallback at the start; changed under turn and mu
	slot    string
	active  *Loaded       // nil: none; changed under turn and mu
	reserve *Loaded       // of the other slot, to go back to; nil: none; changed under turn and mu
	why     error         // why there is none; changed under turn and mu
	ready   chan struct{} // closed while there is an active network; guarded by mu
	live    *trial        // the probation under way, ahead of state.Trial; nil: none; guarded by mu
	ended   bool          // the active network is past its end; changed under turn and mu
	began   time.Time     // when this process took the probation up; guarded by mu
}

// state is the content of state.json.
type state struct {
	Active string `json:"active"` // slot
	Hash   string `json:"hash"`   // of the bundle in it
	Floor  uint64 `json:"floor"`  // highest serial ever installed

	// the latest time that a plausible clock showed, UTC
	Seen  time.Time `json:"seen,omitzero"`
	Trial *trial    `json:"probation,omitempty"` // of the active bundle
	// the last bundle that the station went back from
	GivenUp *GivenUp `json:"given_up,omitempty"`
	// the transition that led here, so that it reaches the event log even after a power cut
	Last *Event `json:"last,omitempty"`
}

var slots = [...]string{"a", "b"}

func (s *Store) path(slot string) string { return filepath.Join(s.o.Dir, slot+".tire") }

func (s *Store) statePath() string { return filepath.Join(s.o.Dir, "state.json") }

// other is the slot that is not in use.
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
	s := &Store{o: o, log: o.Log, due: make(chan struct{}, 1), changed: make(chan struct{}, 1), ready: make(chan struct{})}
	s.write = func(path string, data []byte, perm fs.FileMode) error {
		return durable.WriteFileOn(o.Disk, path, data, perm)
	}
	return s
}

// Open loads the active network from the folder, which it creates when it is missing. A network
// that cannot be loaded is reported and the one in the other slot takes its place, and one that
// took the agent down too often on probation is given up. A store without any network is open, too:
// Active says why, and Install cures it.
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
		s.record(*last) // the power went between the transition and its line
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

// Inspect says what a station would work with, and changes nothing: another process may own the
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

// readState reads state.json. Without a usable one the slots speak for themselves: the floor then
// rises to what choose finds.
func (s *Store) readState() error {
	data, err := os.ReadFile(s.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &s.state); err != nil || s.state.Active != slots[0] && s.state.Active != slots[1] {
		s.log.Error("the record of the active model is damaged, looking at the slots", "file", s.statePath(), "error", err)
		s.state = state{}
	}
	return nil
}

// choose makes one slot's network active: the recorded one, else the other one; without a record
// the one with the higher serial. One that was given up is never chosen. It returns why a slot's
// network cannot be used.
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
		s.log.Warn("there is no record of the active model, working with the newest that was found", "serial", b.Serial, "hash", b.ID())
		s.state.Active, s.state.Hash = s.slot, b.ID()
	case s.slot != s.state.Active:
		s.log.Error("the active model cannot be used, working with the other one", "error", why, "serial", b.Serial, "hash", b.ID())
	case why != nil:
		s.log.Warn("a model in reserve cannot be used", "error", why)
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

// Snapshot is what a station's networks are at one moment.
type Snapshot struct {
	Active   *Loaded   // what verdicts come from; nil: none
	Previous *Loaded   // what Rollback goes back to; nil: nothing
	Trial    *Progress // of Active; nil: it is proven
	Ended    bool      // Active is past its end and works on
	Last     *Event    // transition
}

// Snapshot returns the state of now.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	shot := Snapshot{Active: s.active, Previous: s.reserve, Ended: s.ended, Last: s.state.Last}
	if s.live != nil {
		shot.Trial = &Progress{Counts: s.live.Counts, Of: s.o.Probation.Verdicts}
	}
	return shot
}

// Changed receives when the snapshot has become another one.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// signal wakes a receiver and does not wait for it.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Active is the network that judges the next tire, or ErrNoModel with the reason.
func (s *Store) Active() (*Loaded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active, s.why
}

// Wait returns the active network as soon as there is one, or the error of ctx.
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

// change is one step from a state to the next.
type change struct {
	state   state
	slot    string
	active  *Loaded
	reserve *Loaded
	kind    Kind
	about   *Loaded // whose event it is
	reason  string
}

// apply makes a change: first on disk, then in memory, then known. Nothing has changed after an
// error.
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

// setCurrent takes a change into memory. mu is held.
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

// save writes the state, with the time that is trusted by then.
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
