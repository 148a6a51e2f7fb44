package models

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tirewatch/vision/bundle"
)

// Install takes a bundle from outside: it is verified and tried, written to the idle slot, and
// becomes active, on probation if there was a network before. The bundle that is active already is
// taken without a change. After an error the station works on with what it had: a *RefusedError,
// which holds one of this package's or package bundle's errors, says that the bundle is at fault;
// others mean that the folder could not be written.
func (s *Store) Install(data []byte) (*Loaded, error) {
	m, err := s.install(data)
	if err == nil {
		return m, nil
	}
	if _, refused := errors.AsType[*RefusedError](err); refused {
		e := Event{Time: s.o.Now().UTC(), Kind: Refused, Reason: err.Error()}
		if b, readable := bundle.Inspect(data); readable == nil {
			e.Serial, e.Hash = b.Serial, b.ID()
		}
		s.turn.Lock()
		s.record(e)
		s.turn.Unlock()
	}
	return nil, fmt.Errorf("install model: %w", err)
}

func (s *Store) install(data []byte) (*Loaded, error) {
	m, err := s.o.Verify(data)
	if err != nil {
		return nil, &RefusedError{err}
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	b := m.Bundle
	if s.active != nil && s.active.Bundle.ID() == b.ID() {
		return s.active, nil
	}
	if err := s.acceptable(m); err != nil {
		return nil, &RefusedError{err}
	}
	// The slot that is written is the idle one, and on probation that one holds the only network
	// that has proven itself. So the station goes back to it first, and the newcomer takes the
	// place of the other newcomer.
	if s.live != nil && s.reserve != nil {
		if err := s.fallBack(fmt.Sprintf("serial %d came before its probation ended", b.Serial)); err != nil {
			return nil, err
		}
	}
	slot := other(s.slot)
	if err := s.write(s.path(slot), data, 0o640); err != nil {
		return nil, err
	}
	m.Since = s.o.Now().UTC()
	next := change{slot: slot, active: m, reserve: s.active.alone(), about: m, kind: Installed}
	next.state = s.state
	next.state.Active, next.state.Hash, next.state.Floor = slot, b.ID(), max(s.state.Floor, b.Serial)
	next.state.Trial = nil
	if s.active != nil && s.o.Probation.Verdicts > 0 {
		next.kind, next.active = OnProbation, m.beside(next.reserve)
		next.state.Trial = &trial{Starts: 1}
	}
	if err := s.apply(next); err != nil {
		return nil, err
	}
	return s.active, nil
}

// acceptable looks at what only this station can know of a verified bundle. turn is held.
func (s *Store) acceptable(m *Loaded) error {
	b := m.Bundle
	if g := s.state.GivenUp; g != nil && g.Hash == b.ID() {
		return &GivenUpError{*g}
	}
	// The recorded bundle itself may come back when its slot is damaged.
	again := b.ID() == s.state.Hash
	if b.Serial <= s.state.Floor && !again {
		return &SerialError{Have: s.state.Floor, Got: b.Serial}
	}
	if now := s.time(b); !b.NotAfter.IsZero() && now.After(b.NotAfter) && !again {
		return &ExpiredError{NotAfter: b.NotAfter, Now: now}
	}
	if s.o.Latency > 0 {
		took, err := s.o.Measure(m)
		if err != nil {
			return err
		}
		if took > s.o.Latency {
			return &LatencyError{Took: took, Budget: s.o.Latency}
		}
	}
	return nil
}

// passes of a measurement: the median of so many does not mind a disturbed one.
const (
	warmPasses     = 2
	measuredPasses = 9
)

// Median measures a forward pass on this CPU.
func Median(m *Loaded) (time.Duration, error) {
	pix := m.Bundle.Golden[0].Pix
	var took []time.Duration
	for n := range warmPasses + measuredPasses {
		start := time.Now()
		if _, err := m.Runner.Run(pix); err != nil {
			return 0, fmt.Errorf("measure the forward pass: %w", err)
		}
		if n >= warmPasses {
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
