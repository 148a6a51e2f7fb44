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

// store stores the verdict in the journal. While that fails nothing is inspected, and the station
// reports it in its log and status. It retries until the journal works again or ctx ends.
func (s *Station) store(ctx context.Context, v *verdict.Verdict) error {
	for pause, failed := firstStorePause, false; ; pause = min(2*pause, lastStorePause) {
		err := s.o.Journal.Append(v)
		s.o.Observer.Progress()
		if err == nil {
			if failed {
				s.o.Log.Info("inspection: resumed")
				s.o.Observer.Problem("journal", "")
			}
			label := string(v.Label)
			if v.IsUnsure() {
				label = v.Reason
			}
			s.o.Log.Info("verdict", "seq", v.Seq, "label", label, "probability", v.Probability, "votes", len(v.Votes),
				"image", v.Image, "model", v.ModelSerial)
			return nil
		}
		failed = true
		s.o.Log.Error("inspection: stopped", "reason", "the journal cannot store a verdict", "error", err, "retry", pause)
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

// reportLost writes a verdict that could not be stored into the log, complete, so that a person can
// still find it.
func (s *Station) reportLost(v *verdict.Verdict, err error) error {
	text, encodeErr := v.Encode(verdict.JSON)
	s.o.Log.Error("verdict: not stored", "verdict", string(text), "error", errors.Join(err, encodeErr))
	return fmt.Errorf("store the verdict on the tire of %s: %w", v.Time.Format(time.RFC3339), err)
}
