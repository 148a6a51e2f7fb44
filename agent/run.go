// Package agent is the daemon of a station. It opens what a configuration names, connects the
// inspection loop to the journal, the broker, the belt and the page, and closes everything again.
//
//	config -> AGENT: inspection, models, journal, uplink, web, ... each wired in the file of its name
//
// Start with [Run].
package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/health"
	"tirewatch/agent/inspection"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/metrics"
	"tirewatch/agent/models"
	"tirewatch/agent/trigger"
	"tirewatch/agent/web"
	"tirewatch/vision/camera"
)

// RunOptions is what Run needs besides the configuration.
type RunOptions struct {
	Version      string        // of the program, for the broker
	Config       string        // path of the configuration, where the page saves its changes
	DrainTimeout time.Duration // how long the end waits until the broker has the queue
	Log          *slog.Logger
}

// Run opens the configured station and inspects until ctx ends or a finite source does. Then the
// tires in the frame get their verdicts and the queue is sent as far as DrainTimeout allows; the
// rest stays in the journal for the next start.
func Run(ctx context.Context, cfg *config.Config, o RunOptions) error {
	d := &daemon{cfg: cfg, RunOptions: o, log: o.Log, monitor: health.New(o.Log), problems: newProblems()}
	err := d.open()
	if err == nil {
		d.start(ctx)
		err = d.work(ctx)
	}
	return d.stop(err)
}

// daemon is a station at work. Every field is set by open, before start runs the first goroutine,
// and does not change afterwards.
type daemon struct {
	RunOptions
	cfg *config.Config
	log *slog.Logger

	monitor  *health.Monitor
	loop     *health.Part // the frame loop's, for the watchdog
	problems *problems
	store    *models.Store
	journal  *journal.Journal
	counts   *metrics.Metrics
	link     *link // to the broker; nil without one
	// publishLosses reports to the broker what never reached it; nil without one
	publishLosses func(lost uint64, gaps []message.Gap)
	belt          *belt
	camera        *camera.Reopening
	locator       *liveLocator
	page          *web.Page // nil without one
	station       *inspection.Station
	servers       []server

	closers []func(failed bool) error // of what is open, in the order of opening

	background sync.WaitGroup
	cancel     context.CancelFunc // ends background; nil before start
}

// server answers on a socket that is open already.
type server struct {
	name string
	run  func(ctx context.Context) error
}

// open opens all parts. What it opened before an error is closed by stop.
func (d *daemon) open() (err error) {
	d.loop = d.monitor.Part("frame loop", 0)
	if d.store, err = openModels(d.cfg, d.log); err != nil {
		return err
	}
	d.closers = append(d.closers, func(failed bool) error {
		if failed { // a bad end counts against a model on probation
			return nil
		}
		return d.store.Close()
	})
	picture, err := CameraOptions(d.cfg.Camera, d.log)
	if err != nil {
		return err
	}
	keep := keepPolicy(d.cfg)
	picture.Colour = keep != nil && keep.Camera
	if d.journal, err = journal.Open(d.cfg.Journal.Path, d.cfg.Station.ID()); err != nil {
		return err
	}
	d.closers = append(d.closers, func(bool) error { return d.journal.Close() })
	d.counts = newMetrics(d)
	if d.link = newLink(d); d.link != nil {
		d.publishLosses = d.link.uplink.PublishGaps
	}
	if d.belt, err = openBelt(d); err != nil {
		return err
	}
	d.camera = newCamera(d, picture)
	d.closers = append(d.closers, func(bool) error { closeCamera(d); return nil })
	d.locator = newLiveLocator(d.cfg, d.Config)
	openMetrics(d)
	openPage(d)
	d.station = inspection.New(d.stationOptions(picture.Source.Live()))
	d.observeProblems()
	return nil
}

// observeProblems connects everybody who shows what stops the station.
func (d *daemon) observeProblems() {
	d.problems.observe(func(all, part string, broken bool) {
		d.counts.Problem(part, broken)
		d.monitor.Status(all)
	})
	if d.link != nil {
		d.problems.observe(d.link.showProblem)
	}
}

// stationOptions connects the loop to the parts around it.
func (d *daemon) stationOptions(live bool) inspection.Options {
	drift := &driftMonitor{metrics: d.counts, page: d.page, problem: d.problems.set, drifted: rejectOnDrift(d.store, d.log), log: d.log}
	t := d.cfg.Trigger
	return inspection.Options{
		Source: d.camera, Locator: d.locator, Models: d.store, Journal: d.journal,
		Each: t.Mode == config.TriggerFrame, Frames: t.Frames, Cut: cutOptions(d.cfg.Locate), Rule: t.Vote,
		PassUnsure: d.cfg.Reject.OnUnsure == config.OnPass,
		Live:       live, Budget: t.Budget.Std(), Triggers: d.belt.options(), Keep: keepPolicy(d.cfg),
		Observer: inspection.Observer{
			Progress: d.loop.Progress, Problem: d.problems.set,
			Frame: d.counts.Frame, Located: d.page.Show, Uncut: d.counts.Uncut,
			Triggered: d.counts.Trigger, TriggerFault: func(f trigger.Fault) { d.counts.TriggerFault(f); d.page.TriggerError(time.Now()) },
			Decided: d.belt.decided, Stored: func(j inspection.Judgement) { drift.judged(j); d.belt.stored(j.Verdict, j.Middle) },
		},
		Log: d.log,
	}
}

// start runs everything that works beside the loop. Its goroutines end with stop, not with ctx:
// what the loop still does after ctx needs them.
func (d *daemon) start(ctx context.Context) {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.cancel = cancel
	d.reportJournal()
	d.background.Go(func() { d.monitor.Run(background) })
	d.background.Go(func() { d.store.Run(background) })
	if d.cfg.Model.Inbox != "" {
		d.background.Go(func() { models.NewInbox(d.cfg.Model.Inbox, d.store, d.log).Run(background) })
	}
	if d.link != nil {
		d.link.start(background, &d.background)
	}
	d.background.Go(func() { d.keepJournal(background) })
	for _, s := range d.servers {
		d.background.Go(func() {
			if err := s.run(background); err != nil {
				d.log.Error(s.name+": serve failed", "error", err)
			}
		})
	}
}

// work runs the loop to its end, then the ejector, then sends what is queued.
func (d *daemon) work(ctx context.Context) error {
	// the ejector outlives the loop: it still throws off the tires on their way to it
	belt, stopBelt := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBelt()
	d.belt.start(belt, &d.background)
	defer context.AfterFunc(ctx, d.monitor.Stopping)()
	d.monitor.Ready()
	d.log.Info("station: working", "station", d.cfg.Station.ID(), "source", d.cfg.Camera.Source, "trigger", d.cfg.Trigger.Mode)
	loop, stop := whileIntact(ctx, d.journal, d.log)
	defer stop()
	err := d.station.Run(loop)
	if damage := d.journal.Damage(); err == nil && damage != nil {
		err = &inspection.FatalError{Err: damage}
	}
	d.loop.End()
	stopBelt()
	d.log.Info("station: stopping")
	if d.link != nil {
		d.link.drain(context.WithoutCancel(ctx), d.DrainTimeout)
	}
	return err
}

// stop ends the goroutines and closes what is open, in reverse order. err is how the work ended.
func (d *daemon) stop(err error) error {
	if d.cancel != nil {
		d.cancel()
		d.background.Wait()
	}
	for i := len(d.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, d.closers[i](err != nil))
	}
	return err
}
