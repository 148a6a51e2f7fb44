package models

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tirewatch/vision/bundle"
)

// Install installs a bundle: it verifies and tests the bundle, writes it to the idle slot and makes
// it active, on probation if there was a model before. If the bundle is already active, Install
// changes nothing. After an error the station keeps its model. A *RefusedError, which wraps an
// error of this package or of package bundle, means that the bundle is at fault; other errors mean
// that the folder could not be written.
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
	// During probation the idle slot holds the only proven model. So the station first goes back to
	// it, and the new bundle then overwrites the one that was on probation.
	if s.live != nil && s.reserve != nil {
		if err := s.fallBack(fmt.Sprintf("serial %d was installed before its probation ended", b.Serial)); err != nil {
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

// acceptable checks a verified bundle against the state of this station. The caller holds turn.
func (s *Store) acceptable(m *Loaded) error {
	b := m.Bundle
	if g := s.state.GivenUp; g != nil && g.Hash == b.ID() {
		return &GivenUpError{*g}
	}
	// The recorded bundle may be installed again if its slot is damaged.
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

// Passes of a measurement. The median ignores a few disturbed passes.
const (
	warmPasses     = 2
	measuredPasses = 9
)

// Median returns the median time of a forward pass on this CPU.
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
