package inspection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tirewatch/agent/trigger"
	"tirewatch/vision/verdict"
)

// cause is what a verdict answers.
type cause struct {
	kind  trigger.Kind
	part  string
	image string // file name of a still image
	// when the tire is in the middle of the picture; zero: when the deciding frame was taken
	middle time.Time
	since  time.Time   // what the budget counts from; zero: the latest frame
	reply  func(error) // may be nil
}

// conclude scores the crops, decides, and stores the verdict. samples belong to the crops of e, in
// the same order. What cannot be judged gets no decision; the error of a network that fails ends
// the station all the same, so that it counts against a model on probation.
func (s *Station) conclude(ctx context.Context, e *evidence, c cause, samples []Sample) error {
	if e == nil { // told to stop while it waited for a model
		e = &evidence{failed: errNoModel}
	}
	if e.failed != nil {
		s.release(e)
		return s.undecided(ctx, c, e.failed.Error())
	}
	v, basis, err := s.score(e, samples)
	if err != nil {
		return errors.Join(s.undecided(ctx, c, err.Error()), err)
	}
	if c.since.IsZero() {
		c.since = s.latest
	}
	if took := time.Since(c.since); s.o.Budget > 0 && took > s.o.Budget {
		v.Label, v.Reason = verdict.NoDecision, fmt.Sprintf("decided after %v, the budget is %v", took.Round(time.Millisecond), s.o.Budget)
	}
	if c.middle.IsZero() {
		c.middle = v.Time
	}
	shown := &exhibit{pix: basis.pix, width: e.model.Bundle.Spec.Width}
	if err := s.give(ctx, v, c, func() string { return s.savePicture(v, shown) }); err != nil {
		return err
	}
	j := Judgement{Verdict: v, Middle: c.middle}
	if v.Label == verdict.NoDecision { // nothing to compare
		s.release(e)
	} else {
		j.Model, j.Pix, j.Typical, j.Logit = e.model, basis.pix, basis.typical, basis.logit
		s.judged = append(s.judged, judgement{e, v, shown})
	}
	s.tell(j)
	return nil
}

// undecided gives a tire that could not be judged its verdict.
func (s *Station) undecided(ctx context.Context, c cause, reason string) error {
	if c.middle.IsZero() {
		c.middle = s.latest
	}
	v := &verdict.Verdict{Time: c.middle.UTC(), Label: verdict.NoDecision, Reason: reason, Votes: []verdict.Vote{}}
	s.o.Log.Warn("no decision", "reason", reason, "trigger", c.kind, "part", c.part)
	if err := s.give(ctx, v, c, func() string { return "" }); err != nil {
		return err
	}
	s.tell(Judgement{Verdict: v, Middle: c.middle})
	return nil
}

// give completes a verdict, lets the reject output act on it and stores it. crop keeps its picture
// and gives the name.
func (s *Station) give(ctx context.Context, v *verdict.Verdict, c cause, crop func() string) error {
	v.Schema, v.Trigger, v.Part, v.Image = verdict.SchemaVersion, string(c.kind), c.part, c.image
	v.Reject = v.Label.Reject()
	if s.o.Decided != nil {
		s.o.Decided(v, c.middle)
	}
	v.Crop = crop()
	err := s.record(ctx, v)
	if c.reply != nil {
		c.reply(err)
	}
	return err
}

func (s *Station) tell(j Judgement) {
	if s.o.Judged != nil {
		s.o.Judged(j)
	}
}
