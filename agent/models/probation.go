package models

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Probation says what a new network must do to be believed. While it lasts the old one is kept
// ready, looks at the same tires, and takes over when the new one fails.
//
//	installed --> on probation --Verdicts, or Time and a tenth of Verdicts, or Confirm--> confirmed
//	                   |
//	                   +--Crashes, self-test at a start, MaxDisagreement, Reject, Rollback, revoked--> the old one again
type Probation struct {
	Verdicts int // that it ends after; 0: a new network is believed at once
	// of work that it ends after, once a tenth of Verdicts were given; 0: only Verdicts count
	Time    time.Duration
	Crashes int // of the agent that are too many; 0: they do not matter
	// share of tires that both judge differently that is too much; 0: it is reported only
	MaxDisagreement float64
}

// least is how many verdicts say anything at all: time alone proves nothing on a belt that stands
// still.
func (p Probation) least() int { return max(1, p.Verdicts/10) }

// Counts are what happened on a probation.
type Counts struct {
	Verdicts      int `json:"verdicts,omitempty"`      // that the new network gave
	Compared      int `json:"compared,omitempty"`      // of them the old one judged too
	Disagreements int `json:"disagreements,omitempty"` // of these it judged differently
}

// Progress is a probation under way.
type Progress struct {
	Counts
	Of int // verdicts that end it
}

// trial is a probation as state.json keeps it.
type trial struct {
	Counts
	Elapsed time.Duration `json:"elapsed_ns"` // of work
	// Starts counts the agent's starts that have not come to a good end, the running one included.
	// It is written before the network is used, so that a network that takes the process down
	// leaves a trace of it.
	Starts int `json:"starts"`
}

// GivenUp is a network that the station went back from. It does not come in again: who wants
// another try signs it anew with a higher serial.
type GivenUp struct {
	Hash   string `json:"hash"`
	Serial uint64 `json:"serial"`
	Reason string `json:"reason"`
}

// GivenUpError refuses a bundle that the station went back from.
type GivenUpError struct{ GivenUp }

func (e *GivenUpError) Error() string {
	return fmt.Sprintf("this station went back from serial %d (%s): build it with a higher serial to try again", e.Serial, e.Reason)
}

// What the commands answer when there is nothing to do.
var (
	ErrNoTrial     = errors.New("no model is on probation")
	ErrNothingBack = errors.New("there is no earlier model to go back to")
)

// resumeProbation takes up the probation that the last process left, or ends it. why is what choose found
// wrong. turn is held.
func (s *Store) resumeProbation(why error) {
	t := s.state.Trial
	switch {
	case s.active == nil:
		return
	case s.slot != s.state.Active && s.state.Active != "" && t == nil:
		// Not made durable: should it be the memory or the disk that failed for a moment, the next
		// start has the better network again.
		s.record(s.event(FellBack, s.active, why.Error()))
		return
	case t == nil:
		return
	case s.slot != s.state.Active || s.active.Bundle.ID() != s.state.Hash:
		s.recordLoss(s.state.Hash, s.state.Floor, "it cannot be used: "+why.Error())
		return
	case s.o.Probation.Crashes > 0 && t.Starts >= s.o.Probation.Crashes && s.reserve != nil:
		s.mustFallBack(fmt.Sprintf("the agent ended badly %d times with it on probation", t.Starts))
		return
	}
	next := s.state
	again := *t
	again.Starts++
	next.Trial = &again
	if err := s.save(next); err != nil && s.reserve != nil {
		// A crash could not be counted, so the network that needs no counting works.
		s.mustFallBack("its start could not be recorded: " + err.Error())
		return
	}
	s.state = next
	live := again
	s.live, s.began = &live, s.o.Now()
	s.active = s.active.beside(s.reserve)
}

// mustFallBack falls back at a start, even when the disk does not take the record: the next write brings
// it.
func (s *Store) mustFallBack(reason string) {
	if err := s.fallBack(reason); err != nil {
		s.log.Error("the fall-back is not recorded, the disk does not take it", "error", err)
		c := s.backChange(reason)
		s.state = c.state
		s.setCurrent(c)
	}
}

// recordLoss records that the network on probation was gone when the agent started; the proven one is
// active already. Its serial is the floor: it was the last that came in.
func (s *Store) recordLoss(hash string, serial uint64, reason string) {
	next := change{state: s.state, slot: s.slot, active: s.active, reserve: nil, kind: FellBack, about: s.active, reason: reason}
	next.state.Active, next.state.Hash, next.state.Trial = s.slot, s.active.Bundle.ID(), nil
	next.state.GivenUp = &GivenUp{Hash: hash, Serial: serial, Reason: reason}
	if err := s.apply(next); err != nil {
		s.log.Error("the fall-back is not recorded, the disk does not take it", "error", err)
		s.state = next.state
	}
}

// backChange is the change to the network in reserve.
func (s *Store) backChange(reason string) change {
	b := s.active.Bundle
	c := change{state: s.state, slot: other(s.slot), active: s.reserve.alone(), kind: FellBack, about: s.reserve, reason: reason}
	c.state.Active, c.state.Hash, c.state.Trial = c.slot, s.reserve.Bundle.ID(), nil
	c.state.GivenUp = &GivenUp{Hash: b.ID(), Serial: b.Serial, Reason: reason}
	return c
}

// fallBack makes the network in reserve active and gives the active one up. turn is held.
func (s *Store) fallBack(reason string) error {
	if s.reserve == nil {
		return ErrNothingBack
	}
	return s.apply(s.backChange(reason))
}

// confirm ends a probation well. turn is held.
func (s *Store) confirm(reason string) error {
	next := change{state: s.state, slot: s.slot, active: s.active.alone(), reserve: s.reserve, kind: Confirmed, about: s.active, reason: reason}
	next.state.Trial = nil
	return s.apply(next)
}

// Confirm ends the probation at once. Without one it is ErrNoTrial.
func (s *Store) Confirm() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.live == nil {
		return ErrNoTrial
	}
	return s.confirm("confirmed by command")
}

// Rollback goes back to the network before the active one, on probation or not. Without one it is
// ErrNothingBack.
func (s *Store) Rollback() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.fallBack("rolled back by command")
}

// Reject falls back because something outside does not trust the network on probation, such as an
// alarm about drift. A proven network is not rejected, ErrNoTrial: then it is the camera or the
// tires that have changed.
func (s *Store) Reject(reason string) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.live == nil {
		return ErrNoTrial
	}
	return s.fallBack(reason)
}

// Judged counts a verdict of m. compared says whether m.Shadow judged the tire too, differs whether
// its label is another one. It neither waits nor writes: what follows from it is Work's.
func (s *Store) Judged(m *Loaded, compared, differs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil || s.active.Bundle.ID() != m.Bundle.ID() {
		return // of a tire that was in the picture before the change
	}
	s.live.Verdicts++
	if compared {
		s.live.Compared++
	}
	if differs {
		s.live.Disagreements++
	}
	if p := s.o.Probation; s.live.Verdicts%p.least() == 0 || s.live.Verdicts >= p.Verdicts {
		signal(s.due)
	}
}

// workPause is how often the store looks at the clock and at the revocation list.
const workPause = 10 * time.Second

// Run does the store's work until ctx ends.
func (s *Store) Run(ctx context.Context) {
	tick := time.NewTicker(workPause)
	defer tick.Stop()
	lastErr := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.due:
		case <-tick.C:
		}
		err := s.Work()
		if err == nil {
			lastErr = ""
		} else if err.Error() != lastErr { // once and not at each attempt
			lastErr = err.Error()
			s.log.Error("the models cannot be looked after, trying again", "error", err)
		}
	}
}

// Work does what is due: it ends a probation, takes revoked networks away, and notes how far the
// time has come.
func (s *Store) Work() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return errors.Join(s.revoke(), s.advance(), s.noteTime())
}

// advance ends the probation when its time has come, and writes down how far it has come at each
// tenth.
func (s *Store) advance() error {
	s.mu.Lock()
	if s.live == nil {
		s.mu.Unlock()
		return nil
	}
	t := *s.live
	// by the monotonic clock: what sets the time does not matter
	t.Elapsed += max(0, s.o.Now().Sub(s.began))
	s.mu.Unlock()
	p := s.o.Probation
	switch share := float64(t.Disagreements) / float64(max(1, t.Compared)); {
	case p.MaxDisagreement > 0 && t.Compared >= p.least() && share > p.MaxDisagreement && s.reserve != nil:
		return s.fallBack(fmt.Sprintf("it disagreed with the model before on %d of %d tires", t.Disagreements, t.Compared))
	case p.Verdicts == 0:
		return s.confirm("probation was switched off")
	case t.Verdicts >= p.Verdicts:
		return s.confirm(fmt.Sprintf("%d verdicts, %d of %d unlike the model before", t.Verdicts, t.Disagreements, t.Compared))
	case p.Time > 0 && t.Elapsed >= p.Time && t.Verdicts >= p.least():
		return s.confirm(fmt.Sprintf("%v with %d verdicts, %d of %d unlike the model before",
			t.Elapsed.Round(time.Second), t.Verdicts, t.Disagreements, t.Compared))
	}
	if t.Verdicts/p.least() == s.state.Trial.Verdicts/p.least() {
		return nil
	}
	next := s.state
	next.Trial = &t
	if err := s.save(next); err != nil {
		return err
	}
	s.mu.Lock()
	s.state = next
	s.mu.Unlock()
	signal(s.changed)
	return nil
}

// revoke reads the revocation list again and acts on it. While it cannot be read the last one
// counts.
func (s *Store) revoke() error {
	_, unreadable := s.o.Revoked.Reload()
	if s.reserve != nil && s.o.Revoked.Check(s.reserve.Bundle) != nil {
		s.mu.Lock()
		s.reserve, s.active = nil, s.active.alone()
		s.mu.Unlock()
		signal(s.changed)
	}
	if s.active == nil {
		return unreadable
	}
	err := s.o.Revoked.Check(s.active.Bundle)
	switch {
	case err == nil:
		return unreadable
	case s.reserve != nil:
		return s.fallBack(err.Error())
	}
	// Nothing else is left. Whoever revokes a network wants rather no verdict than its verdict.
	gone := s.active
	none := change{state: s.state, slot: s.slot, kind: Removed, about: gone, reason: err.Error()}
	none.state.Trial = nil
	none.state.GivenUp = &GivenUp{Hash: gone.Bundle.ID(), Serial: gone.Bundle.Serial, Reason: err.Error()}
	return s.apply(none)
}

// timePause is how often the time is written down: often enough that a reboot loses little, seldom
// enough to spare a card.
const timePause = time.Hour

// noteTime keeps the latest time seen, and says once when the active network has ended. It works
// on: a belt without inspection is worse than one with an old network.
func (s *Store) noteTime() error {
	now := s.time(nil)
	if s.active != nil && !s.ended {
		if end := s.active.Bundle.NotAfter; !end.IsZero() && now.After(end) {
			s.mu.Lock()
			s.ended = true
			s.mu.Unlock()
			s.record(s.event(Expired, s.active, fmt.Sprintf("it ended on %s and works on: install a newer one", end.Format(time.RFC3339))))
		}
	}
	if now.Sub(s.state.Seen) < timePause {
		return nil
	}
	return s.save(s.state)
}

// Close notes that the process ends well, so that its start does not count as a crash.
func (s *Store) Close() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	if s.live == nil {
		s.mu.Unlock()
		return nil
	}
	t := *s.live
	t.Elapsed += max(0, s.o.Now().Sub(s.began))
	s.mu.Unlock()
	t.Starts--
	next := s.state
	next.Trial = &t
	if err := s.save(next); err != nil {
		return fmt.Errorf("close models: %w", err)
	}
	return nil
}
