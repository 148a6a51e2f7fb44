package inspection

import (
	"math"

	"tirewatch/vision/verdict"
)

// pendingComparison is a verdict that the journal has.
type pendingComparison struct {
	evidence *evidence
	verdict  *verdict.Verdict
	shown    *keptCrop
}

// compare lets the model before judge the tires that a model on probation has judged. It comes
// behind the verdicts of a frame and delays none of them: what it costs is a forward pass for each
// crop, and until then the camera keeps the newest frame.
func (s *Station) compare() {
	for _, j := range s.pending {
		label, worst, err := s.shadowLabel(j.evidence)
		if err != nil {
			s.o.Log.Warn("the model before cannot judge a tire, it is not compared", "error", err)
		}
		compared := err == nil && label != ""
		differs := compared && label != j.verdict.Label
		if differs {
			s.o.Log.Info("the models disagree", "seq", j.verdict.Seq, "probation", j.verdict.Label, "before", label)
			if j.verdict.Tiling != nil && label == verdict.Crack && j.shown.why == nil {
				// no picture was kept: a person is asked about the tile in question, not about
				// another sound one
				j.shown.pix = worst
			}
			s.saveDisagreement(j.verdict, j.shown) // before it is counted
		}
		s.o.Models.Judged(j.evidence.model, compared, differs)
		s.release(j.evidence)
	}
	s.pending = s.pending[:0]
}

// shadowLabel is what the model before makes of a tire's crops; empty when there is none, or
// nothing to judge. worst is the piece with its largest logit, in the bytes of the active model.
func (s *Station) shadowLabel(e *evidence) (label verdict.Label, worst []byte, err error) {
	m := e.model.Shadow
	if m == nil {
		return "", nil, nil
	}
	var votes []verdict.Vote
	largest := math.Inf(-1)
	for _, c := range e.crops {
		pix := c.pix
		if e.shadowDiffers {
			pix = c.shadow
		}
		if len(pix) == 0 {
			continue
		}
		logits, at, err := runPieces(&m.Bundle.Model, m.Runner, pix)
		if err != nil {
			return "", nil, err
		}
		votes = append(votes, verdict.Vote{Logit: logits[at]})
		if logits[at] > largest {
			largest, worst = logits[at], c.pix[at]
		}
	}
	if len(votes) == 0 {
		return "", nil, nil
	}
	label, _ = verdict.Policy{Threshold: m.Bundle.Threshold, Rule: s.o.Rule}.Decide(votes)
	return label, worst, nil
}
