package inspection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tirewatch/agent/trigger"
	"tirewatch/vision/verdict"
)

// request describes what a verdict answers: a trigger, a passing tire or a frame.
type request struct {
	kind  trigger.Kind
	part  string
	image string // file name of a still image
	// when the tire is in the middle of the frame; zero means the time of the deciding frame
	middle time.Time
	since  time.Time   // start of the budget; zero means the latest frame
	reply  func(error) // may be nil
}

// judge scores the crops, decides, and stores the verdict. samples and the crops of e have the same
// order. A tire that cannot be judged gets no_decision. The error of a failing forward pass also
// ends the station, so that it counts against a model on probation.
func (s *Station) judge(ctx context.Context, e *evidence, r request, samples []Sample) error {
	if e == nil { // stopped while it waited for a model
		e = &evidence{failed: errNoModel}
	}
	if e.failed != nil {
		s.release(e)
		return s.noDecision(ctx, r, e.failed.Error())
	}
	v, basis, err := s.score(e, samples)
	if err != nil {
		return errors.Join(s.noDecision(ctx, r, err.Error()), err)
	}
	if r.since.IsZero() {
		r.since = s.latest
	}
	if took := time.Since(r.since); s.o.Budget > 0 && took > s.o.Budget {
		v.Label, v.Reason = verdict.NoDecision, fmt.Sprintf("decision after %v, the budget is %v", took.Round(time.Millisecond), s.o.Budget)
	}
	if r.middle.IsZero() {
		r.middle = v.Time
	}
	shown := &keptCrop{pix: basis.pix, width: e.model.Bundle.Spec.Width, tire: e}
	if err := s.emit(ctx, v, r, func() string {
		shown.pix = s.secondOpinion(e.model, v, basis.pix, basis.pieces)
		return s.saveCrop(v, shown)
	}); err != nil {
		return err
	}
	j := Judgement{Verdict: v, Middle: r.middle}
	if v.Label == verdict.NoDecision && !v.IsUnsure() { // the shadow has nothing to compare
		s.release(e)
	} else {
		j.Model, j.Pix, j.Typical, j.Logit = e.model, shown.pix, basis.typical, basis.logit
		s.pending = append(s.pending, pendingComparison{e, v, shown})
	}
	s.o.Observer.Stored(j)
	return nil
}

// noDecision stores the verdict of a tire that could not be judged.
func (s *Station) noDecision(ctx context.Context, r request, reason string) error {
	if r.middle.IsZero() {
		r.middle = s.latest
	}
	v := &verdict.Verdict{Time: r.middle.UTC(), Label: verdict.NoDecision, Reason: reason, Votes: []verdict.Vote{}}
	s.o.Log.Warn("verdict: no decision", "reason", reason, "trigger", r.kind, "part", r.part)
	if err := s.emit(ctx, v, r, func() string { return "" }); err != nil {
		return err
	}
	s.o.Observer.Stored(Judgement{Verdict: v, Middle: r.middle})
	return nil
}

// emit completes a verdict, passes it to the reject output and stores it. complete
// adds what may wait until the reject output knows the decision, stores the crop and returns its
// name.
func (s *Station) emit(ctx context.Context, v *verdict.Verdict, r request, complete func() string) error {
	v.Schema, v.Trigger, v.Part, v.Image = verdict.SchemaVersion, string(r.kind), r.part, r.image
	v.Reject = v.Label.Reject() && !(s.o.PassUnsure && v.IsUnsure())
	s.o.Observer.Decided(v, r.middle)
	v.Crop = complete()
	err := s.store(ctx, v)
	if r.reply != nil {
		r.reply(err)
	}
	return err
}
