package inspection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tirewatch/agent/trigger"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
)

// Triggers describes triggers from outside: a photo-eye or a PLC.
type Triggers struct {
	Source <-chan trigger.Trigger // nil: each tire that passes is judged
	Delay  time.Duration          // from a trigger to its tire in the middle of the picture
	Window time.Duration          // how long a trigger waits for its tire after that
	MinGap time.Duration          // a trigger that follows sooner is a double
	// Tracked says that the tracker tells tires apart: it notices a second trigger for one tire and
	// a tire without a trigger. With a fixed region no tire is seen to arrive or leave.
	Tracked bool
}

// window is a trigger that waits for its tire. With a tracker it claims the tire nearest to the
// middle of the frame, once, and that tire is judged by all its chosen frames, those before the
// trigger included.
type window struct {
	trigger.Trigger
	opens, closes time.Time
	frames        int    // frames since it opened
	track         *Track // nil: no tire yet
	double        bool   // the tire in the middle belongs to another trigger
}

// triggerState is owned by the goroutine of Run.
type triggerState struct {
	windows []*window
	last    time.Time // of the latest trigger that was not a double
	// when the last few tires without a trigger were in the middle of the frame
	untriggered []time.Time
	faultless   int // triggers in a row that found their tire
	timer       *time.Timer
}

const (
	// maxUntriggered is how many tires without a trigger are remembered for a late one.
	maxUntriggered = 16
	// faultlessAgain is how many triggers in a row must find their tires until the problem is over.
	faultlessAgain = 10
	// atMiddle is the distance from the middle, in diameters, within which a claimed tire makes the
	// next trigger a double. Of two tires that touch, only one is that near.
	atMiddle = 0.5
)

// TriggerPart names triggers among the station's problems.
const TriggerPart = "trigger"

func newTriggerState() triggerState {
	a := triggerState{timer: time.NewTimer(0)}
	a.timer.Stop()
	return a
}

// expiry receives when the first window closes. Without an open window it never does.
func (a *triggerState) expiry() <-chan time.Time {
	if len(a.windows) == 0 {
		return nil
	}
	first := slices.MinFunc(a.windows, func(w, h *window) int { return w.closes.Compare(h.closes) })
	a.timer.Reset(time.Until(first.closes))
	return a.timer.C
}

// takeTriggers opens the windows of all triggers that wait.
func (s *Station) takeTriggers(ctx context.Context) error {
	for {
		select {
		case t := <-s.o.Triggers.Source:
			if err := s.openWindow(ctx, t); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// openWindow opens the window of a trigger.
func (s *Station) openWindow(ctx context.Context, t trigger.Trigger) error {
	s.o.Observer.Triggered(t.Kind)
	w := &window{Trigger: t, opens: t.Time.Add(s.o.Triggers.Delay)}
	w.closes = w.opens.Add(s.o.Triggers.Window)
	if !s.triggers.last.IsZero() && t.Time.Sub(s.triggers.last).Abs() < s.o.Triggers.MinGap {
		s.double(w)
		return nil
	}
	s.triggers.last = t.Time
	if late := time.Since(w.closes); late >= 0 {
		s.fault(trigger.Late, "trigger: late", "by", late.Round(time.Millisecond), "part", t.Part)
		return s.closeWindow(ctx, w, fmt.Sprintf("late: the trigger arrived %v after its tire had passed", late.Round(time.Millisecond)))
	}
	s.triggers.windows = append(s.triggers.windows, w)
	return nil
}

// matchTriggers looks for the tires of all open windows in a frame.
func (s *Station) matchTriggers(ctx context.Context, f *frame.Frame, tires []locate.Tire, takes []Take, located time.Duration) error {
	for _, w := range slices.Clone(s.triggers.windows) {
		if f.Time.Before(w.opens) || f.Time.After(w.closes) {
			continue // closeExpired closes the window
		}
		w.frames++
		var complete bool
		var err error
		if s.o.Triggers.Tracked {
			complete = s.claim(w, takes)
		} else {
			complete, err = s.collect(ctx, w, f, tires, located)
		}
		if err == nil && complete {
			err = s.closeWindow(ctx, w, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// claim looks for the trigger's tire in the latest frame. complete says that no better frame can
// follow: the tire moves away from the middle, or it belongs to another trigger.
func (s *Station) claim(w *window, takes []Take) (complete bool) {
	if w.track == nil {
		t, offset := s.tracker.Nearest()
		switch {
		case t == nil:
			return false
		case t.Claimed:
			w.double = offset <= atMiddle
			return w.double
		}
		t.Claimed, w.track = true, t
	}
	t := w.track
	return len(t.Samples) == s.o.Frames && !slices.ContainsFunc(takes, func(take Take) bool { return take.Track == t })
}

// collect keeps a frame of a fixed region. complete says that there are enough.
func (s *Station) collect(ctx context.Context, w *window, f *frame.Frame, tires []locate.Tire, located time.Duration) (complete bool, err error) {
	if len(tires) == 0 {
		return false, nil
	}
	if w.track == nil {
		w.track = &Track{}
	}
	t := w.track
	t.Samples = append(t.Samples, Sample{Tire: tires[0], Seq: f.Seq})
	return len(t.Samples) == s.o.Frames, s.keepCrop(ctx, Take{t, len(t.Samples) - 1}, f, located)
}

// closeExpired closes the windows whose time is over.
func (s *Station) closeExpired(ctx context.Context, now time.Time) error {
	for _, w := range slices.Clone(s.triggers.windows) {
		if now.Before(w.closes) {
			continue
		}
		if err := s.closeWindow(ctx, w, ""); err != nil {
			return err
		}
	}
	return nil
}

// closeAll closes all windows when the station stops.
func (s *Station) closeAll(ctx context.Context) error {
	var errs []error
	for _, w := range slices.Clone(s.triggers.windows) {
		errs = append(errs, s.closeWindow(ctx, w, "the station stopped before the tire arrived"))
	}
	return errors.Join(errs...)
}

// closeWindow judges the claimed tire, or reports the trigger as a double or late. why is the
// reason that no tire can arrive any longer; empty means that the window's time is over.
func (s *Station) closeWindow(ctx context.Context, w *window, why string) error {
	s.triggers.windows = slices.DeleteFunc(s.triggers.windows, func(o *window) bool { return o == w })
	if t := w.track; t != nil {
		e := s.evidence[t]
		delete(s.evidence, t)
		if s.triggers.faultless++; s.triggers.faultless == faultlessAgain {
			s.o.Observer.Problem(TriggerPart, "")
		}
		return s.judge(ctx, e, s.requestOf(w), t.Samples)
	}
	if w.double {
		s.double(w)
		return nil
	}
	if i := slices.IndexFunc(s.triggers.untriggered, func(at time.Time) bool { return at.Sub(w.opens).Abs() <= s.o.Triggers.Window }); i >= 0 {
		s.triggers.untriggered = slices.Delete(s.triggers.untriggered, i, i+1)
		if why == "" {
			s.fault(trigger.Late, "trigger: late", "part", w.Part)
		}
		w.reply(trigger.ErrLate)
		return nil
	}
	switch {
	case why != "":
	case w.frames == 0:
		why = fmt.Sprintf("the camera sent no frame in the %v of the trigger's window", s.o.Triggers.Window)
	default:
		why = fmt.Sprintf("no tire was found in the %d frames of the trigger's window", w.frames)
	}
	return s.noDecision(ctx, s.requestOf(w), why)
}

// closeWindowOf judges a claimed tire that has left before its window was over.
func (s *Station) closeWindowOf(ctx context.Context, t *Track, e *evidence) error {
	i := slices.IndexFunc(s.triggers.windows, func(w *window) bool { return w.track == t })
	if i < 0 {
		panic("internal error: a claimed tire without a trigger")
	}
	s.evidence[t] = e
	return s.closeWindow(ctx, s.triggers.windows[i], "")
}

// judgeUntriggered judges a tire that has passed without a trigger, because no tire may pass
// unseen. A tire that has not reached the middle was taken off the belt, or its trigger will still
// arrive.
func (s *Station) judgeUntriggered(ctx context.Context, t *Track, e *evidence) error {
	if !s.tracker.Passed(t) {
		s.release(e)
		s.o.Log.Warn("track: ignored, left before its trigger", "track", t.ID, "frame", t.Samples[0].Seq)
		return nil
	}
	middle, frame := s.latest, t.Samples[0].Seq
	if e.failed == nil {
		best := nearest(t.Samples)
		middle, frame = e.crops[best].time, t.Samples[best].Seq
	}
	if s.triggers.untriggered = append(s.triggers.untriggered, middle); len(s.triggers.untriggered) > maxUntriggered {
		s.triggers.untriggered = slices.Delete(s.triggers.untriggered, 0, 1)
	}
	s.triggers.faultless = 0
	s.o.Observer.Problem(TriggerPart, "a tire passed without a trigger at "+middle.UTC().Format(time.RFC3339))
	s.fault(trigger.Absent, "trigger: missing, tire judged without it", "frame", frame)
	return s.judge(ctx, e, request{kind: trigger.Missing, middle: middle}, t.Samples)
}

func (s *Station) requestOf(w *window) request {
	return request{kind: w.Kind, part: w.Part, middle: w.opens, since: w.Time, reply: w.Reply}
}

// double reports a second trigger for one tire.
func (s *Station) double(w *window) {
	s.fault(trigger.Double, "trigger: double, no second verdict", "part", w.Part, "time", w.Time)
	w.reply(trigger.ErrDouble)
}

func (w *window) reply(err error) {
	if w.Reply != nil {
		w.Reply(err)
	}
}

func (s *Station) fault(f trigger.Fault, event string, attrs ...any) {
	s.o.Log.Warn(event, attrs...)
	s.o.Observer.TriggerFault(f)
}

// nearest returns the index of the sample nearest to the middle of the frame.
func nearest(samples []Sample) (best int) {
	for i, s := range samples {
		if s.Offset < samples[best].Offset {
			best = i
		}
	}
	return best
}
