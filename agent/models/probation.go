package models

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Probation defines when a new model is confirmed. Until then the old model stays ready, judges the
// same tires, and takes over if the new one fails.
//
//	installed -> on probation -> confirmed  after Verdicts, or after Time with at least a
//	                  |                     tenth of Verdicts, or by Confirm
//	                  v
//	            the old model               after Crashes, a failed self-test at a start, too
//	                                        many disagreements or unsure tires, Reject,
//	                                        Rollback, revocation
type Probation struct {
	Verdicts int // after which it ends; 0: no probation
	// running time after which it ends, with at least a tenth of Verdicts; 0: only Verdicts count
	Time    time.Duration
	Crashes int // crashes of the agent that end it; 0: crashes do not count
	// share of tires judged differently above which it fails; 0: the share is only reported
	MaxDisagreement float64
	// share of tires that the new model is unsure of above which it fails; 0: only reported. A
	// model that is unsure contradicts nobody, so MaxDisagreement does not find one that always is.
	MaxUnsure float64
}

// least is the minimum number of verdicts: on a stopped belt, time alone proves nothing.
func (p Probation) least() int { return max(1, p.Verdicts/10) }

// Counts are the results of a probation.
type Counts struct {
	Verdicts      int `json:"verdicts,omitempty"`      // of the new model
	Unsure        int `json:"unsure,omitempty"`        // of these, it is unsure of
	Compared      int `json:"compared,omitempty"`      // of the verdicts, the old model judged too
	Disagreements int `json:"disagreements,omitempty"` // of these, one says crack, the other normal
}

// String returns "200 verdicts, 5 unsure, 7 of 180 differ from the previous model".
func (c Counts) String() string {
	unsure := ""
	if c.Unsure > 0 {
		unsure = fmt.Sprintf(", %d unsure", c.Unsure)
	}
	return fmt.Sprintf("%d verdicts%s, %d of %d differ from the previous model", c.Verdicts, unsure, c.Disagreements,
		c.Compared)
}

// Answer is what the models said about a tire during a probation.
type Answer struct {
	Unsure   bool // the new model is unsure
	Compared bool // the old model judged the tire too
	Differs  bool // one model says crack, the other normal
}

// Progress is the state of the current probation.
type Progress struct {
	Counts
	Of int // number of verdicts that ends it
}

// trial is a probation in state.json.
type trial struct {
	Counts
	Elapsed time.Duration `json:"elapsed_ns"` // running time
	// Starts counts the agent's starts without a clean end, including the current one. It is
	// written before the model is used, so that a model that crashes the process leaves a trace.
	Starts int `json:"starts"`
}

// GivenUp is a model that the station has given up. It is refused from then on; for another try it
// must be signed again with a higher serial.
type GivenUp struct {
	Hash   string `json:"hash"`
	Serial uint64 `json:"serial"`
	Reason string `json:"reason"`
}

// GivenUpError refuses a bundle that the station has given up.
type GivenUpError struct{ GivenUp }

func (e *GivenUpError) Error() string {
	return fmt.Sprintf("this station gave up serial %d (%s): build it with a higher serial to try again",
		e.Serial, e.Reason)
}

// Errors of commands that have nothing to do.
var (
	ErrNoTrial     = errors.New("no model is on probation")
	ErrNothingBack = errors.New("there is no earlier model to go back to")
)

// resumeProbation continues the probation of the last process, or ends it. why is the error of
// choose. The caller holds turn.
func (s *Store) resumeProbation(why error) {
	t := s.state.Trial
	switch {
	case s.active == nil:
		return
	case s.slot != s.state.Active && s.state.Active != "" && t == nil:
		// Not durable: if memory or disk failed only for a moment, the next start uses the recorded
		// model again.
		s.record(s.event(FellBack, s.active, why.Error()))
		return
	case t == nil:
		return
	case s.slot != s.state.Active || s.active.Bundle.ID() != s.state.Hash:
		s.recordLoss(s.state.Hash, s.state.Floor, "it cannot be used: "+why.Error())
		return
	case s.o.Probation.Crashes > 0 && t.Starts >= s.o.Probation.Crashes && s.reserve != nil:
		s.mustFallBack(fmt.Sprintf("the agent crashed %d times during its probation", t.Starts))
		return
	}
	next := s.state
	again := *t
	again.Starts++
	next.Trial = &again
	if err := s.save(next); err != nil && s.reserve != nil {
		// A crash could not be counted, so use the proven model.
		s.mustFallBack("its start could not be recorded: " + err.Error())
		return
	}
	s.state = next
	live := again
	s.live, s.began = &live, s.o.Now()
	s.active = s.active.beside(s.reserve)
}

// mustFallBack falls back at a start, even if the state cannot be written: the next write stores
// it.
func (s *Store) mustFallBack(reason string) {
	if err := s.fallBack(reason); err != nil {
		s.log.Error("models: fall-back not recorded", "error", err)
		c := s.backChange(reason)
		s.state = c.state
		s.setCurrent(c)
	}
}

// recordLoss records that the model on probation could not be loaded at the start; the proven model
// is already active. Its serial is the floor, because it was the last one installed.
func (s *Store) recordLoss(hash string, serial uint64, reason string) {
	next := change{state: s.state, slot: s.slot, active: s.active, kind: FellBack, about: s.active, reason: reason}
	next.state.Active, next.state.Hash, next.state.Trial = s.slot, s.active.Bundle.ID(), nil
	next.state.GivenUp = &GivenUp{Hash: hash, Serial: serial, Reason: reason}
	if err := s.apply(next); err != nil {
		s.log.Error("models: fall-back not recorded", "error", err)
		s.state = next.state
	}
}

// backChange returns the transition to the reserve model.
func (s *Store) backChange(reason string) change {
	b := s.active.Bundle
	c := change{state: s.state, slot: other(s.slot), active: s.reserve.alone(),
		kind: FellBack, about: s.reserve, reason: reason}
	c.state.Active, c.state.Hash, c.state.Trial = c.slot, s.reserve.Bundle.ID(), nil
	c.state.GivenUp = &GivenUp{Hash: b.ID(), Serial: b.Serial, Reason: reason}
	return c
}

// fallBack makes the reserve model active and gives up the active one. The caller holds turn.
func (s *Store) fallBack(reason string) error {
	if s.reserve == nil {
		return ErrNothingBack
	}
	return s.apply(s.backChange(reason))
}

// confirm ends a probation well. The caller holds turn.
func (s *Store) confirm(reason string) error {
	next := change{state: s.state, slot: s.slot, active: s.active.alone(), reserve: s.reserve,
		kind: Confirmed, about: s.active, reason: reason}
	next.state.Trial = nil
	return s.apply(next)
}

// Confirm ends the probation at once. Without a probation it returns ErrNoTrial.
func (s *Store) Confirm() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.live == nil {
		return ErrNoTrial
	}
	return s.confirm("confirmed by command")
}

// Rollback goes back to the previous model, on probation or not. Without a previous model it
// returns ErrNothingBack.
func (s *Store) Rollback() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.fallBack("rolled back by command")
}

// Reject falls back when another part of the agent rejects the model on probation, for example
// after a drift alarm. It does not reject a proven model and returns ErrNoTrial: then the camera or
// the tires have changed.
func (s *Store) Reject(reason string) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.live == nil {
		return ErrNoTrial
	}
	return s.fallBack(reason)
}

// Judged counts a verdict of m, and what m.Shadow says about the tire. Judged neither blocks nor
// writes: Work does what follows.
func (s *Store) Judged(m *Loaded, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil || s.active.Bundle.ID() != m.Bundle.ID() {
		return // the tire was seen before the change of the model
	}
	s.live.Verdicts++
	if a.Unsure {
		s.live.Unsure++
	}
	if a.Compared {
		s.live.Compared++
	}
	if a.Differs {
		s.live.Disagreements++
	}
	if p := s.o.Probation; s.live.Verdicts%p.least() == 0 || s.live.Verdicts >= p.Verdicts {
		signal(s.due)
	}
}

// workPause is the time between two checks of the clock and the revocation list.
const workPause = 10 * time.Second

// Run calls Work regularly until ctx ends.
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
		} else if err.Error() != lastErr { // log it once, not at each attempt
			lastErr = err.Error()
			s.log.Error("models: upkeep failed, will retry", "error", err)
		}
	}
}

// Work does what is due: it removes revoked models, ends a probation, and stores the time.
func (s *Store) Work() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return errors.Join(s.revoke(), s.advance(), s.noteTime())
}

// advance ends the probation when it is due, and stores its progress at each tenth.
func (s *Store) advance() error {
	s.mu.Lock()
	if s.live == nil {
		s.mu.Unlock()
		return nil
	}
	t := *s.live
	// the monotonic clock ignores changes of the time
	t.Elapsed += max(0, s.o.Now().Sub(s.began))
	s.mu.Unlock()
	p := s.o.Probation
	unsure := float64(t.Unsure) / float64(max(1, t.Verdicts))
	switch share := float64(t.Disagreements) / float64(max(1, t.Compared)); {
	case p.MaxDisagreement > 0 && t.Compared >= p.least() && share > p.MaxDisagreement && s.reserve != nil:
		return s.fallBack(fmt.Sprintf("it disagreed with the previous model on %d of %d tires",
			t.Disagreements, t.Compared))
	case p.MaxUnsure > 0 && t.Verdicts >= p.least() && unsure > p.MaxUnsure && s.reserve != nil:
		return s.fallBack(fmt.Sprintf("it was unsure of %d of %d tires", t.Unsure, t.Verdicts))
	case p.Verdicts == 0:
		return s.confirm("probation was switched off")
	case t.Verdicts >= p.Verdicts:
		return s.confirm(t.Counts.String())
	case p.Time > 0 && t.Elapsed >= p.Time && t.Verdicts >= p.least():
		return s.confirm(fmt.Sprintf("%v with %s", t.Elapsed.Round(time.Second), t.Counts))
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

// revoke reads the revocation list again and applies it. While the list cannot be read, the last
// one applies.
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
	// No model is left. A person who revokes a model prefers no verdict to one of this model.
	gone := s.active
	none := change{state: s.state, slot: s.slot, kind: Removed, about: gone, reason: err.Error()}
	none.state.Trial = nil
	none.state.GivenUp = &GivenUp{Hash: gone.Bundle.ID(), Serial: gone.Bundle.Serial, Reason: err.Error()}
	return s.apply(none)
}

// timePause is the time between two writes of the time: a reboot loses little and the card is
// spared.
const timePause = time.Hour

// noteTime stores the latest plausible time, and records once that the active model has expired.
// The model stays in use: a belt without inspection is worse than one with an old model.
func (s *Store) noteTime() error {
	now := s.time(nil)
	if s.active != nil && !s.ended {
		if end := s.active.Bundle.NotAfter; !end.IsZero() && now.After(end) {
			s.mu.Lock()
			s.ended = true
			s.mu.Unlock()
			s.record(s.event(Expired, s.active,
				fmt.Sprintf("it expired on %s and stays in use: install a newer model", end.Format(time.RFC3339))))
		}
	}
	if now.Sub(s.state.Seen) < timePause {
		return nil
	}
	return s.save(s.state)
}

// Close records that the process ends cleanly, so that its start does not count as a crash.
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
