package inspection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/vision/verdict"
)

// Pauses between attempts to store a verdict.
const (
	firstStorePause = 500 * time.Millisecond
	lastStorePause  = 15 * time.Second
)

// store stores the verdict. While the journal fails nothing is inspected: a tire that passes
// unjudged must be noticed, so the station says so, loudly and in its status, and tries until the
// journal works again or ctx ends.
func (s *Station) store(ctx context.Context, v *verdict.Verdict) error {
	for pause, failed := firstStorePause, false; ; pause = min(2*pause, lastStorePause) {
		err := s.o.Journal.Append(v)
		s.o.Observer.Progress()
		if err == nil {
			if failed {
				s.o.Log.Info("the journal works again")
				s.o.Observer.Problem("journal", "")
			}
			s.o.Log.Info("verdict", "seq", v.Seq, "label", v.Label, "probability", v.Probability, "votes", len(v.Votes),
				"image", v.Image, "model", v.ModelSerial)
			return nil
		}
		failed = true
		s.o.Log.Error("INSPECTION STOPPED: the journal does not take a verdict", "error", err, "retry", pause)
		s.o.Observer.Problem("journal", "inspection stopped: "+err.Error())
		var damaged *journal.DamagedError
		if errors.As(err, &damaged) {
			return s.reportLost(v, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return s.reportLost(v, err)
		}
	}
}

// reportLost puts a verdict that could not be stored into the log, whole, so that a person can still find
// it.
func (s *Station) reportLost(v *verdict.Verdict, err error) error {
	text, encodeErr := v.Encode(verdict.JSON)
	s.o.Log.Error("VERDICT NOT STORED", "verdict", string(text), "error", errors.Join(err, encodeErr))
	return fmt.Errorf("verdict on the tire of %s is not stored: %w", v.Time.Format(time.RFC3339), err)
}
