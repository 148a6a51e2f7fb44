// Package inspection is the loop of a station: from the camera's frame to the verdict in the
// journal.
//
//	reader -> locate -> tracker, triggers -> evidence (cut) -> forward pass -> decide -> store
//
// One goroutine carries a frame through all steps. A second one only waits for the camera, so that
// a silent camera cannot hold up the verdict for a trigger. A new model takes effect with the next
// tire. A verdict exists once the journal has stored it.
//
// The package knows neither the configuration nor the broker: [New] takes the parts that the loop
// needs, and [Station.Run] works until the camera ends or the context does.
package inspection

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"time"

	"tirewatch/agent/models"
	"tirewatch/agent/review"
	"tirewatch/agent/trigger"
	"tirewatch/vision/camera"
	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// FatalError ends the station: the process cannot continue, and systemd starts it again. Every
// other error is retried.
type FatalError struct{ Err error }

func (e *FatalError) Error() string { return e.Err.Error() }
func (e *FatalError) Unwrap() error { return e.Err }

// Models provides the model that judges a tire. models.Store implements it.
type Models interface {
	// Wait returns the active model, and waits for one if there is none.
	Wait(ctx context.Context) (*models.Loaded, error)
	// Judged is called after each verdict of m. compared says that the shadow model judged the tire
	// too, differs that its label is another one.
	Judged(m *models.Loaded, a models.Answer)
}

// Journal stores verdicts. journal.Journal implements it.
type Journal interface {
	// Append sets v.Seq and stores v durably.
	Append(v *verdict.Verdict) error
	// Next returns the number of the next verdict.
	Next() uint64
	// SaveCrop stores the crop of the next verdict and returns its name.
	SaveCrop(png []byte) (name string, err error)
	// SaveCropOf stores the crop of a verdict that is stored already.
	SaveCropOf(seq uint64, png []byte) (name string, err error)
	// SaveCamera stores the camera's picture for a crop. It is called from another goroutine.
	SaveCamera(seq uint64, jpeg []byte) error
}

// Options holds the parts and the settings of a station.
type Options struct {
	Source  camera.Source
	Locator locate.Locator
	Models  Models
	Journal Journal

	Each   bool        // each frame is a tire of its own; otherwise tires are tracked
	Frames int         // scored frames of a tire, at most
	Cut    cut.Options // what the network sees of a frame
	Rule   verdict.Rule
	// PassUnsure lets a tire stay on the belt of which the model is unsure. Otherwise it is
	// rejected.
	PassUnsure bool
	// Live says that the belt does not wait: a tire that passes while there is no model gets
	// no_decision.
	Live bool
	// Budget is the longest time from the trigger, or from the last frame, to the decision. A later
	// one becomes no_decision. 0 means no limit.
	Budget   time.Duration
	Triggers Triggers

	Keep     *review.Policy // selects the verdicts whose crop is kept; nil keeps none
	Observer Observer
	Log      *slog.Logger
}

// Judgement is a stored verdict with the model and the pixels behind it, which are nil for
// no_decision unless the model is unsure.
type Judgement struct {
	Verdict *verdict.Verdict
	Middle  time.Time // when the tire was in the middle of the frame
	Model   *models.Loaded
	Pix     []byte // the crop or tile that decided; valid until Observer.Stored returns

	// Typical and Logit feed the drift statistics. They must not be chosen by a score: the deciding
	// crop with the mean logit of all frames, or the first tile with its own.
	Typical []byte
	Logit   float64
}

// Station is the loop. All fields are owned by the goroutine of Run.
type Station struct {
	o        Options
	tracker  *Tracker
	cutter   *cut.Cutter
	evidence map[*Track]*evidence // of tires that wait for their verdict
	size     image.Point          // of the latest frame, px
	free     [][]byte             // buffers for crops
	// memory of copied regions of the camera
	freeRegions []*frame.Frame
	camera      *cameraWriter // nil outside Run and if no camera pictures are kept
	// stored verdicts that the shadow model has not judged yet
	pending      []pendingComparison
	cropsFailing bool      // the last crop could not be stored
	noModel      bool      // there was no model when one was last needed
	latest       time.Time // of the latest frame
	triggers     triggerState
	second       second
}

// New returns a station; Run starts it.
func New(o Options) *Station {
	o.Observer.complete()
	return &Station{o: o, tracker: NewTracker(o.Frames), cutter: cut.New(o.Cut), evidence: map[*Track]*evidence{}, triggers: newTriggerState()}
}

// lastChance is how long a stopping station tries to store the verdicts that it has.
const lastChance = 5 * time.Second

// Run works until the source ends or ctx does, and returns nil for both. Tires that are still in
// the frame get their verdicts first. The error is a *FatalError.
func (s *Station) Run(ctx context.Context) error {
	// storing continues a little after ctx, so that a stop loses no verdict
	store, cancel := cancelAfter(ctx, lastChance)
	defer cancel()
	if _, err := s.model(ctx); err != nil && err != errNoModel {
		return nil // stopped while it waited for the first model
	}
	if s.o.Keep != nil && s.o.Keep.Camera {
		s.camera = newCameraWriter(s.o.Journal.SaveCamera, s.o.Log)
		defer s.camera.stop()
	}
	p := newReader(ctx, s.o.Source)
	defer p.stop()
	for {
		err := s.step(store, p)
		if err == nil {
			continue
		}
		finish := s.finish(store)
		if err == io.EOF || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = nil
		}
		if err = errors.Join(err, finish); err != nil {
			return &FatalError{err}
		}
		return nil
	}
}

// step handles what arrives first: a frame, a trigger, or the end of a trigger's window.
func (s *Station) step(ctx context.Context, p *reader) error {
	select {
	case g := <-p.grabbed:
		s.o.Observer.Progress()
		if g.err != nil {
			return g.err
		}
		// a trigger that belongs to this frame may be waiting
		if err := s.takeTriggers(ctx); err != nil {
			return err
		}
		if err := s.inspect(ctx, g.frame); err != nil {
			return err
		}
		p.next <- struct{}{}
		return nil
	case t := <-s.o.Triggers.Source:
		return s.openWindow(ctx, t)
	case <-s.triggers.expiry():
		return s.closeExpired(ctx, time.Now())
	}
}

// cancelAfter returns a context that ends d after ctx.
func cancelAfter(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(d):
			cancel()
		case <-out.Done():
		}
	})
	return out, func() { stop(); cancel() }
}

// idle is how often a station without a model reports progress to the watchdog.
const idle = 5 * time.Second

// errNoModel is the reason for no_decision on a belt that does not wait.
var errNoModel = errors.New("no model is installed")

// model returns the active model. If the source is a clip or a folder, it waits for one, and no
// frame is read meanwhile. A live belt does not wait.
func (s *Station) model(ctx context.Context) (*models.Loaded, error) {
	for {
		s.o.Observer.Progress()
		limit := idle
		if s.o.Live {
			limit = 0
		}
		wait, cancel := context.WithTimeout(ctx, limit)
		m, err := s.o.Models.Wait(wait)
		cancel()
		if missing := err != nil; missing != s.noModel && ctx.Err() == nil {
			s.noModel = missing
			text := ""
			if missing {
				text = errNoModel.Error()
				s.o.Log.Warn("models: none installed, no tire is judged", "hint", "send one: tirewatch push FILE --broker URL --station SITE/LINE/NAME")
			}
			s.o.Observer.Problem("model", text)
		}
		switch {
		case err == nil:
			return m, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case s.o.Live:
			return nil, errNoModel
		}
	}
}

// inspect takes one frame through all steps. Its errors end the station.
func (s *Station) inspect(ctx context.Context, f *frame.Frame) error {
	if err := f.Validate(); err != nil {
		s.o.Log.Warn("frame: skipped", "frame", f.Seq, "error", err)
		return nil
	}
	if size := f.Bounds().Size(); size != s.size {
		if s.size != (image.Point{}) && !s.o.Each {
			s.o.Log.Warn("frame: size changed", "from", s.size, "to", size)
		}
		s.size = size
	}
	s.latest = f.Time
	s.o.Observer.Frame()
	if s.noModel {
		if _, err := s.model(ctx); err != nil && err != errNoModel {
			return err
		}
	}
	start := time.Now()
	tires := s.o.Locator.Find(f)
	located := time.Since(start)
	s.o.Observer.Located(f, tires)
	defer s.compare()
	if s.o.Each {
		return s.judgeFrame(ctx, f, tires, located)
	}
	if s.o.Triggers.Source != nil && !s.o.Triggers.Tracked {
		return s.matchTriggers(ctx, f, tires, nil, located)
	}
	takes, left := s.tracker.Step(View{Seq: f.Seq, Time: f.Time, Size: s.size}, tires)
	for _, t := range takes {
		if err := s.keepCrop(ctx, t, f, located); err != nil {
			return err
		}
	}
	for _, t := range left {
		if err := s.finishTrack(ctx, t); err != nil {
			return err
		}
	}
	return s.matchTriggers(ctx, f, tires, takes, located)
}

// judgeFrame judges a frame that is a tire of its own. Without an outline the whole frame is the
// tire, as in the photographs that networks are trained on.
func (s *Station) judgeFrame(ctx context.Context, f *frame.Frame, tires []locate.Tire, located time.Duration) error {
	tire := locate.Tire{Region: f.Bounds()}
	if len(tires) > 0 {
		tire = tires[0]
	} else {
		s.o.Log.Debug("locate: no outline found, judging the whole frame", "frame", f.Seq, "image", f.Name)
	}
	e, err := s.newEvidence(ctx)
	if err != nil {
		return err
	}
	if err := s.crop(e, 0, f, Sample{Tire: tire}, located); err != nil {
		return err
	}
	return s.judge(ctx, e, request{kind: trigger.Frame, image: f.Name}, []Sample{{Tire: tire, Seq: f.Seq}})
}

// finishTrack judges a tire that has left the frame, unless it has its verdict already.
func (s *Station) finishTrack(ctx context.Context, t *Track) error {
	e := s.evidence[t]
	delete(s.evidence, t)
	switch {
	case t.Claimed && e == nil:
		return nil // judged already
	case t.Claimed:
		return s.closeWindowOf(ctx, t, e)
	case !t.Confirmed():
		s.release(e)
		s.o.Log.Warn("track: ignored, seen in one frame only", "track", t.ID, "frame", t.Samples[0].Seq)
		return nil
	case s.o.Triggers.Source != nil:
		return s.judgeUntriggered(ctx, t, e)
	}
	return s.judge(ctx, e, request{kind: trigger.Presence}, t.Samples)
}

// finish judges the triggers that wait and the tires that are still in the frame.
func (s *Station) finish(ctx context.Context) error {
	defer s.compare()
	errs := []error{s.takeTriggers(ctx), s.closeAll(ctx)}
	for _, t := range s.tracker.End() {
		errs = append(errs, s.finishTrack(ctx, t))
	}
	return errors.Join(errs...)
}

// keepCrop cuts a chosen frame of a tire.
func (s *Station) keepCrop(ctx context.Context, t Take, f *frame.Frame, located time.Duration) error {
	e := s.evidence[t.Track]
	if e == nil {
		if t.Track.Claimed {
			return nil // judged already
		}
		var err error
		if e, err = s.newEvidence(ctx); err != nil {
			return err
		}
		s.evidence[t.Track] = e
	}
	return s.crop(e, t.Slot, f, t.Track.Samples[t.Slot], located)
}

// newEvidence starts a tire with the model that is active now and that judges it to the end. A live
// belt may have none.
func (s *Station) newEvidence(ctx context.Context) (*evidence, error) {
	m, err := s.model(ctx) // the last one may be revoked
	if err == errNoModel {
		return &evidence{failed: err}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("model for a tire: %w", err)
	}
	e := &evidence{model: m}
	if m.Shadow != nil {
		e.shadowDiffers = m.Shadow.Bundle.Spec != m.Bundle.Spec
	}
	return e, nil
}
