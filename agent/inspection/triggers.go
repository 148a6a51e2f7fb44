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

// Asked describes triggers from outside: a photo-eye, a PLC.
type Asked struct {
	Triggers <-chan trigger.Trigger // nil: tires ask for themselves
	Delay    time.Duration          // from a trigger to its tire in the middle of the picture
	Window   time.Duration          // how long a trigger waits for its tire after that
	MinGap   time.Duration          // what follows a trigger sooner is a double
	// Witness lets the tracker tell tires apart: a second trigger for one is known, and so is a
	// tire without a trigger. A fixed region shows no tire come and go.
	Witness bool

	Came func(trigger.Kind) // told of each trigger, in the loop's goroutine; may be nil
	// told of what is wrong with triggers, in the loop's goroutine; may be nil
	Fault func(trigger.Fault)
}

// gather is a trigger whose tire is being looked for. Where the tracker is the witness, it claims
// the tire that is nearest to the middle of the picture, once, and gets the verdict on all that was
// seen of it, before the trigger too.
type gather struct {
	trigger.Trigger
	opens, closes time.Time
	frames        int    // that were looked at
	track         *Track // nil: not found yet
	double        bool   // the tire in the middle is another trigger's
}

// asked is what the loop knows of triggers. It belongs to the goroutine of Run.
type asked struct {
	gathers []*gather
	last    time.Time // of the latest trigger that was no double
	// when tires were in the middle that no trigger has come for; the last few
	alone     []time.Time
	faultless int // triggers in a row that found their tire
	timer     *time.Timer
}

const (
	rememberAlone = 16 // tires that a late trigger may still be for
	// faultlessAgain is how many triggers in a row must find their tires until the photo-eye counts
	// as mended.
	faultlessAgain = 10
	// atMiddle is how near to the middle, in diameters, a claimed tire is the one that the next
	// trigger is for. Of two tires that touch, one is that near.
	atMiddle = 0.5
)

// TriggerPart names triggers among the station's problems.
const TriggerPart = "trigger"

func newAsked() asked {
	a := asked{timer: time.NewTimer(0)}
	a.timer.Stop()
	return a
}

// alarm receives when the first window closes; it blocks for ever when none is open.
func (a *asked) alarm() <-chan time.Time {
	if len(a.gathers) == 0 {
		return nil
	}
	first := slices.MinFunc(a.gathers, func(g, h *gather) int { return g.closes.Compare(h.closes) })
	a.timer.Reset(time.Until(first.closes))
	return a.timer.C
}

// takeTriggers takes the triggers that wait.
func (s *Station) takeTriggers(ctx context.Context) error {
	for {
		select {
		case t := <-s.o.Asked.Triggers:
			if err := s.ask(ctx, t); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// ask opens the window of a trigger.
func (s *Station) ask(ctx context.Context, t trigger.Trigger) error {
	if s.o.Asked.Came != nil {
		s.o.Asked.Came(t.Kind)
	}
	g := &gather{Trigger: t, opens: t.Time.Add(s.o.Asked.Delay)}
	g.closes = g.opens.Add(s.o.Asked.Window)
	if !s.asked.last.IsZero() && t.Time.Sub(s.asked.last).Abs() < s.o.Asked.MinGap {
		s.double(g)
		return nil
	}
	s.asked.last = t.Time
	if late := time.Since(g.closes); late >= 0 {
		s.fault(trigger.Late, "a trigger came late", "behind", late.Round(time.Millisecond), "part", t.Part)
		return s.close(ctx, g, fmt.Sprintf("late: the trigger came %v after its tire had passed", late.Round(time.Millisecond)))
	}
	s.asked.gathers = append(s.asked.gathers, g)
	return nil
}

// gather lets the triggers whose windows are open look for their tires in a frame.
func (s *Station) gather(ctx context.Context, f *frame.Frame, tires []locate.Tire, takes []Take, located time.Duration) error {
	for _, g := range slices.Clone(s.asked.gathers) {
		if f.Time.Before(g.opens) || f.Time.After(g.closes) {
			continue // the window's end is the alarm's business
		}
		g.frames++
		var complete bool
		var err error
		if s.o.Asked.Witness {
			complete = s.claim(g, takes)
		} else {
			complete, err = s.collect(ctx, g, f, tires, located)
		}
		if err == nil && complete {
			err = s.close(ctx, g, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// claim looks for the trigger's tire among those of the latest frame. It says whether there is
// nothing more to wait for: the tire moves away from the middle, so that one more frame was none of
// its best, or it is another trigger's.
func (s *Station) claim(g *gather, takes []Take) (complete bool) {
	if g.track == nil {
		t, offset := s.tracker.Nearest()
		switch {
		case t == nil:
			return false
		case t.Claimed:
			g.double = offset <= atMiddle
			return g.double
		}
		t.Claimed, g.track = true, t
	}
	t := g.track
	return len(t.Samples) == s.o.Frames && !slices.ContainsFunc(takes, func(take Take) bool { return take.Track == t })
}

// collect keeps a frame in which a fixed region is the tire, and says whether there are enough.
func (s *Station) collect(ctx context.Context, g *gather, f *frame.Frame, tires []locate.Tire, located time.Duration) (complete bool, err error) {
	if len(tires) == 0 {
		return false, nil
	}
	if g.track == nil {
		g.track = &Track{}
	}
	t := g.track
	t.Samples = append(t.Samples, Sample{Tire: tires[0], Seq: f.Seq})
	return len(t.Samples) == s.o.Frames, s.keep(ctx, Take{t, len(t.Samples) - 1}, f, located)
}

// expire closes the windows that are over.
func (s *Station) expire(ctx context.Context, now time.Time) error {
	for _, g := range slices.Clone(s.asked.gathers) {
		if now.Before(g.closes) {
			continue
		}
		if err := s.close(ctx, g, ""); err != nil {
			return err
		}
	}
	return nil
}

// dismiss closes all windows, because the station stops.
func (s *Station) dismiss(ctx context.Context) error {
	var errs []error
	for _, g := range slices.Clone(s.asked.gathers) {
		errs = append(errs, s.close(ctx, g, "the station stopped before the tire came"))
	}
	return errors.Join(errs...)
}

// close ends a gather: with a verdict, or with the news that its tire has one. why says why no tire
// can come any more; empty: the window is over.
func (s *Station) close(ctx context.Context, g *gather, why string) error {
	s.asked.gathers = slices.DeleteFunc(s.asked.gathers, func(o *gather) bool { return o == g })
	if t := g.track; t != nil {
		e := s.seen[t]
		delete(s.seen, t)
		if s.asked.faultless++; s.asked.faultless == faultlessAgain {
			s.o.Problem(TriggerPart, "")
		}
		return s.conclude(ctx, e, s.causeOf(g), t.Samples)
	}
	if g.double {
		s.double(g)
		return nil
	}
	if i := slices.IndexFunc(s.asked.alone, func(at time.Time) bool { return at.Sub(g.opens).Abs() <= s.o.Asked.Window }); i >= 0 {
		s.asked.alone = slices.Delete(s.asked.alone, i, i+1)
		if why == "" {
			s.fault(trigger.Late, "a trigger came after its tire", "part", g.Part)
		}
		g.tell(trigger.ErrLate)
		return nil
	}
	switch {
	case why != "":
	case g.frames == 0:
		why = fmt.Sprintf("no picture came from the camera in the %v of the trigger's window", s.o.Asked.Window)
	default:
		why = fmt.Sprintf("no tire was found in the %d frames of the trigger's window", g.frames)
	}
	return s.undecided(ctx, s.causeOf(g), why)
}

// answer gives a tire that was claimed and has left before its window was over its verdict.
func (s *Station) answer(ctx context.Context, t *Track, e *evidence) error {
	i := slices.IndexFunc(s.asked.gathers, func(g *gather) bool { return g.track == t })
	if i < 0 {
		panic("internal error: a claimed tire without a trigger")
	}
	s.seen[t] = e
	return s.close(ctx, s.asked.gathers[i], "")
}

// unasked judges a tire that has passed without a trigger: it is not to blame, and must not go on
// unseen. One that has not reached the middle was taken off the belt, or its trigger is still to
// come.
func (s *Station) unasked(ctx context.Context, t *Track, e *evidence) error {
	if !s.tracker.Passed(t) {
		s.release(e)
		s.o.Log.Warn("a tire is gone before its trigger came: no verdict", "track", t.ID, "frame", t.Samples[0].Seq)
		return nil
	}
	middle, frame := s.latest, t.Samples[0].Seq
	if e.failed == nil {
		best := nearest(t.Samples)
		middle, frame = e.crops[best].time, t.Samples[best].Seq
	}
	if s.asked.alone = append(s.asked.alone, middle); len(s.asked.alone) > rememberAlone {
		s.asked.alone = slices.Delete(s.asked.alone, 0, 1)
	}
	s.asked.faultless = 0
	s.o.Problem(TriggerPart, "a tire passed without a trigger at "+middle.UTC().Format(time.RFC3339))
	s.fault(trigger.Absent, "A TIRE PASSED WITHOUT A TRIGGER: it is judged all the same", "frame", frame)
	return s.conclude(ctx, e, cause{kind: trigger.Missing, middle: middle}, t.Samples)
}

func (s *Station) causeOf(g *gather) cause {
	return cause{kind: g.Kind, part: g.Part, middle: g.opens, since: g.Time, reply: g.Reply}
}

// double notes a second trigger for one tire.
func (s *Station) double(g *gather) {
	s.fault(trigger.Double, "a second trigger for one tire: no second verdict", "part", g.Part, "time", g.Time)
	g.tell(trigger.ErrDouble)
}

func (g *gather) tell(err error) {
	if g.Reply != nil {
		g.Reply(err)
	}
}

func (s *Station) fault(f trigger.Fault, text string, args ...any) {
	s.o.Log.Warn(text, args...)
	if s.o.Asked.Fault != nil {
		s.o.Asked.Fault(f)
	}
}

// nearest is the index of the sample that is nearest to the middle of the picture.
func nearest(samples []Sample) (best int) {
	for i, s := range samples {
		if s.Offset < samples[best].Offset {
			best = i
		}
	}
	return best
}
