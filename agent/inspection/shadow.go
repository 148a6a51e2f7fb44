package inspection

import (
	"math"

	"tirewatch/agent/models"
	"tirewatch/vision/verdict"
)

// pendingComparison is a stored verdict that the shadow model has not judged yet.
type pendingComparison struct {
	evidence *evidence
	verdict  *verdict.Verdict
	shown    *keptCrop
}

// compare lets the previous model judge the tires that a model on probation has judged. It runs
// after the verdicts of a frame and delays none of them. It costs a forward pass for each crop;
// meanwhile the camera keeps the newest frame.
func (s *Station) compare() {
	for _, j := range s.pending {
		label, worst, err := s.shadowLabel(j.evidence)
		if err != nil {
			s.o.Log.Warn("shadow: forward pass failed, tire not compared", "error", err)
		}
		answer := models.Answer{Unsure: j.verdict.IsUnsure(), Compared: err == nil && label != ""}
		// a model that is unsure contradicts nobody
		answer.Differs = answer.Compared && !answer.Unsure && label != verdict.NoDecision && label != j.verdict.Label
		if answer.Differs {
			s.o.Log.Info("shadow: models disagree", "seq", j.verdict.Seq, "probation", j.verdict.Label, "before", label)
			if j.verdict.Tiling != nil && label == verdict.Crack && j.shown.why == nil {
				// no crop was kept: a person must see the tile in question, not another sound one
				j.shown.pix = worst
			}
			s.saveDisagreement(j.verdict, j.shown) // before the store counts it
		}
		s.o.Models.Judged(j.evidence.model, answer)
		s.release(j.evidence)
	}
	s.pending = s.pending[:0]
}

// shadowLabel returns the previous model's label for the crops of a tire: no_decision if it is
// unsure, empty without such a model or without pieces. worst is the piece with its highest logit,
// as the active model reads it.
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
		logits, at, err := runPieces(&m.Bundle.Model, m.Runner, pix, func(int) {})
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
	label, _ = m.Bundle.Policy(s.o.Rule).Decide(votes)
	return label, worst, nil
}
