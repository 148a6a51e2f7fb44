// Package models keeps the networks of a station: two slots on disk, one of them active.
//
//	push -> verify, self-test -> idle slot -> switch -> verdicts of the next tire
//
// A bundle is written to the slot that is not in use; then one small file, which names the active slot, is replaced. A power cut at
// any moment leaves the old network or the new one. Newcomers need Open and Store.Install.
//
//	DIR/a.tire      a bundle, as it was signed
//	DIR/b.tire      another one
//	DIR/state.json  {"active": "a", "hash": "0123456789abcdef", "floor": 7}
//
// The floor is the highest serial that was ever installed: an old bundle, however well signed, is not let in again from outside.
package models

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tirewatch/quantize/bundle"
	"tirewatch/vision/durable"
	"tirewatch/vision/infer"
)

// Loaded is a network that is ready to judge.
type Loaded struct {
	Bundle *bundle.Bundle
	Runner *infer.Runner // for one goroutine: the station loop's
	Since  time.Time     // when it was installed, UTC
}

// ErrNoModel says that a station has no network that it could use.
var ErrNoModel = errors.New("no model is installed")

// SerialError refuses a bundle that is not newer than what was installed before.
type SerialError struct{ Have, Got uint64 }

func (e *SerialError) Error() string {
	if e.Have == e.Got {
		return fmt.Sprintf("another bundle with serial %d was installed before: build the new one with a higher serial", e.Have)
	}
	return fmt.Sprintf("serial %d is lower than %d, which was installed before", e.Got, e.Have)
}

// TargetError refuses a bundle that is made for other stations.
type TargetError struct{ Target, Station string }

func (e *TargetError) Error() string {
	return fmt.Sprintf("the bundle is made for %s, this station is %s", e.Target, e.Station)
}

// Verifier returns what a store tries every bundle with: the signature by one of the trusted keys, whether the bundle is made for
// this station, and the golden inputs on this CPU.
func Verifier(trusted []ed25519.PublicKey, station string) func(data []byte) (*Loaded, error) {
	return func(data []byte) (*Loaded, error) {
		b, err := bundle.Decode(data, trusted)
		if err != nil {
			return nil, err
		}
		if !b.Targets(station) {
			return nil, &TargetError{Target: b.Target, Station: station}
		}
		r, err := b.SelfTest()
		if err != nil {
			return nil, err
		}
		return &Loaded{Bundle: b, Runner: r}, nil
	}
}

// Store is the folder with the two slots. Its methods may be called from any goroutine.
type Store struct {
	dir    string
	verify func(data []byte) (*Loaded, error)
	write  func(path string, data []byte, perm fs.FileMode) error // durable.WriteFile
	ready  chan struct{}                                          // closed once there is an active network

	mu     sync.Mutex // held during Install, so that two bundles cannot take one slot
	state  state      // what the folder says; guarded by mu
	slot   string     // of active; differs from state.Active after a fallback; guarded by mu
	active *Loaded    // nil: none; guarded by mu
	why    error      // why there is none; guarded by mu
}

// state is the content of state.json.
type state struct {
	Active string `json:"active"` // slot
	Hash   string `json:"hash"`   // of the bundle in it
	Floor  uint64 `json:"floor"`  // highest serial ever installed
}

var slots = [...]string{"a", "b"}

func (s *Store) path(slot string) string { return filepath.Join(s.dir, slot+".tire") }

func (s *Store) statePath() string { return filepath.Join(s.dir, "state.json") }

// other is the slot that is not in use.
func other(slot string) string {
	if slot == slots[0] {
		return slots[1]
	}
	return slots[0]
}

// Open loads the active network from dir, which it creates when it is missing. A network that cannot be loaded is reported to log
// and the one in the other slot takes its place. A store without any is open, too: Active says why, and Install cures it.
func Open(dir string, verify func(data []byte) (*Loaded, error), log *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open models: %w", err)
	}
	if err := durable.Clean(dir); err != nil {
		return nil, fmt.Errorf("open models: %w", err)
	}
	s := &Store{dir: dir, verify: verify, write: durable.WriteFile, ready: make(chan struct{})}
	if err := s.readState(log); err != nil {
		return nil, fmt.Errorf("open models: %w", err)
	}
	s.choose(log)
	if s.active != nil {
		close(s.ready)
	}
	return s, nil
}

// Inspect loads the network that a station would work with, and changes nothing: another process may own dir.
func Inspect(dir string, verify func(data []byte) (*Loaded, error), log *slog.Logger) (*Loaded, error) {
	s := &Store{dir: dir, verify: verify}
	if err := s.readState(log); err != nil {
		return nil, fmt.Errorf("inspect models: %w", err)
	}
	s.choose(log)
	return s.active, s.why
}

// readState reads state.json. Without a usable one the slots speak for themselves: the floor then rises to what choose finds.
func (s *Store) readState(log *slog.Logger) error {
	data, err := os.ReadFile(s.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &s.state); err != nil || s.state.Active != slots[0] && s.state.Active != slots[1] {
		log.Error("the record of the active model is damaged, looking at the slots", "file", s.statePath(), "error", err)
		s.state = state{}
	}
	return nil
}

// choose makes one slot's network active: the recorded one, else the other one; without a record the one with the higher serial.
func (s *Store) choose(log *slog.Logger) {
	var found [2]*Loaded
	var reasons []error
	for i, slot := range slots {
		m, err := s.load(slot)
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
	if found[pick] == nil {
		s.why = ErrNoModel
		if len(reasons) > 0 {
			s.why = fmt.Errorf("%w that can be used: %w", ErrNoModel, errors.Join(reasons...))
		}
		return
	}
	s.slot, s.active = slots[pick], found[pick]
	s.state.Floor = max(s.state.Floor, s.active.Bundle.Serial)
	if s.state.Active == "" {
		log.Warn("there is no record of the active model, working with the newest that was found", "serial", s.active.Bundle.Serial,
			"hash", s.active.Bundle.ID())
	} else if s.slot != s.state.Active {
		log.Error("the active model cannot be used, working with the other one", "error", errors.Join(reasons...),
			"serial", s.active.Bundle.Serial, "hash", s.active.Bundle.ID())
	} else if len(reasons) > 0 {
		log.Warn("a model in reserve cannot be used", "error", errors.Join(reasons...))
	}
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
	m, err := s.verify(data)
	if err != nil {
		return nil, err
	}
	m.Since = info.ModTime().UTC()
	return m, nil
}

// Active is the network that judges the next tire, or ErrNoModel with the reason.
func (s *Store) Active() (*Loaded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active, s.why
}

// Wait returns the active network as soon as there is one, or the error of ctx.
func (s *Store) Wait(ctx context.Context) (*Loaded, error) {
	if m, err := s.Active(); err == nil {
		return m, nil
	}
	select {
	case <-s.ready:
		return s.Active()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Install takes a bundle from outside: it is verified and tried, written to the idle slot, and becomes active. The bundle that
// is active already is taken without a change. After an error the station works on with what it had. *SerialError, *TargetError and the errors
// of bundle.Decode and Bundle.SelfTest refuse the bundle; others mean that the folder could not be written.
func (s *Store) Install(data []byte) (*Loaded, error) {
	m, err := s.verify(data)
	if err != nil {
		return nil, fmt.Errorf("install model: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := m.Bundle
	if s.active != nil && s.active.Bundle.ID() == b.ID() {
		return s.active, nil
	}
	// The recorded bundle itself may come back when its slot is damaged.
	if b.Serial <= s.state.Floor && b.ID() != s.state.Hash {
		return nil, fmt.Errorf("install model: %w", &SerialError{Have: s.state.Floor, Got: b.Serial})
	}
	slot := other(s.slot)
	if err := s.write(s.path(slot), data, 0o640); err != nil {
		return nil, fmt.Errorf("install model: %w", err)
	}
	next := state{Active: slot, Hash: b.ID(), Floor: max(s.state.Floor, b.Serial)}
	text, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("install model: %w", err)
	}
	if err := s.write(s.statePath(), append(text, '\n'), 0o640); err != nil {
		return nil, fmt.Errorf("install model: %w", err)
	}
	first := s.active == nil
	m.Since = time.Now().UTC()
	s.state, s.slot, s.active, s.why = next, slot, m, nil
	if first {
		close(s.ready)
	}
	return m, nil
}
