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
	"image"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/health"
	"tirewatch/agent/inspection"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/metrics"
	"tirewatch/agent/models"
	"tirewatch/agent/review"
	"tirewatch/agent/uplink"
	"tirewatch/agent/web"
	"tirewatch/internal/hint"
	"tirewatch/vision/camera"
	"tirewatch/vision/cut"
	"tirewatch/vision/locate"
)

// RunOptions is what Run needs besides the configuration.
type RunOptions struct {
	Version string // of the program, for the broker
	// the file of the configuration, where the page keeps what it changes
	Config string
	// how long the end waits for the broker to acknowledge what is queued
	DrainTimeout time.Duration
	Log          *slog.Logger
}

// Run builds the station of a configuration and works until ctx ends or a finite source does. Then
// the tires in the picture get their verdicts and the queue is sent as far as DrainTimeout allows;
// the rest stays in the journal for the next start.
func Run(ctx context.Context, cfg *config.Config, o RunOptions) (err error) {
	log := o.Log
	monitor := health.New(log)
	loop := monitor.Part("frame loop", 0)
	store, err := openModels(cfg, log)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil { // anything else counts against a model on probation
			err = store.Close()
		}
	}()
	picture, err := CameraOptions(cfg.Camera, log)
	if err != nil {
		return err
	}
	j, err := journal.Open(cfg.Journal.Path, cfg.Station.ID())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	var background sync.WaitGroup
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx)) // ends after the loop
	defer background.Wait()
	defer stopInner()
	background.Go(func() { monitor.Run(inner) })

	background.Go(func() { store.Run(inner) })
	if cfg.Model.Inbox != "" {
		background.Go(func() { models.NewInbox(cfg.Model.Inbox, store, log).Run(inner) })
	}
	counts := metrics.New(o.Version, metrics.Sources{
		Queue: j, Serial: func() uint64 { serial, _ := activeModel(store); return serial }, Temperature: health.Temperature, Memory: health.Memory,
		DiskFree: func() (uint64, bool) {
			n, err := health.DiskFree(filepath.Dir(cfg.Journal.Path))
			return n, err == nil
		},
	})
	if cfg.Metrics.Listen != "" {
		serveMetrics(inner, &background, counts, cfg.Metrics.Listen, log)
	}
	tell := &problems{texts: map[string]string{}, publish: []func(string){monitor.Status}, changed: []func(string, bool){counts.Problem}}
	out, err := openOutside(cfg, o.DrainTimeout, counts, tell, log)
	if err != nil {
		return err
	}
	drain := func() {}
	connected := func() bool { return false }
	var gaps func(uint64, []message.Gap)
	if cfg.MQTT.Enabled() {
		part := monitor.Part("uplink", 2*uplink.ProgressPause)
		u := newUplink(cfg, j, o, counts.Health, part.Progress, out)
		publish := func() { publishModel(u, store) }
		if cfg.Sparkplug.Enabled {
			node := newEdgeNode(cfg, j, o, monitor.Part("sparkplug", 2*uplink.ProgressPause).Progress)
			publish = func() { publishModel(u, store); tellModel(node, store) }
			tellProblems(node.Tell, tell)
			background.Go(func() { node.Run(inner) })
		}
		publish()
		background.Go(func() { publishModels(inner, publish, store, tell.set) })
		background.Go(func() { obey(inner, u, store, out, log) })
		tell.publish = append(tell.publish, u.PublishProblem)
		gaps, connected = u.PublishGaps, u.Connected
		background.Go(func() { u.Run(inner) })
		background.Go(func() { takeBundles(inner, u, store, log) })
		drain = func() {
			limit, cancel := context.WithTimeout(inner, o.DrainTimeout)
			defer cancel()
			if err := u.Drain(limit); err != nil {
				log.Warn("not everything was sent, the rest waits in the journal for the next start", "error", err)
			}
		}
	}
	tellJournal(j, tell, gaps, log)
	background.Go(func() { keepJournal(inner, cfg.Journal, j, tell, gaps, log) })
	// ends with the loop: tires under way to the ejector are still thrown off
	belt, stopBelt := context.WithCancel(inner)
	defer stopBelt()
	out.run(belt, &background)
	frames := camera.NewReopening(camera.ReopenOptions{
		Open: func() (camera.Source, error) { return camera.Open(picture) },
		Live: picture.Source.Live(), Loop: cfg.Camera.Loop,
		Event: func(e camera.Event) {
			if e.Err != nil {
				counts.CameraRestart()
			}
			tell.camera(e, log)
			loop.Progress()
		},
	})
	defer func() {
		if err := frames.Close(); err != nil {
			log.Warn("the camera did not close", "error", err)
		}
	}()
	locator := newSteered(cfg, o.Config)
	page := servePage(inner, &background, web.Options{
		Page: cfg.Page, Station: cfg.Station.ID(), Version: o.Version, Journal: j, Models: store, Locate: locator, Margin: cfg.Locate.Margin, Review: newReviewed(j, cfg),
		Health: counts.Now, Problems: tell.all, Broker: func() (bool, bool) { return cfg.MQTT.Enabled(), connected() }, Memory: j.Path() + "-shifts", Log: log,
	})
	watch := &onlooker{metrics: counts, page: page, problem: tell.set, drifted: rejectOnDrift(store, log), log: log}
	station := inspection.New(inspection.Options{
		Source: frames, Locator: locator, Models: store, Journal: j,
		Each: cfg.Trigger.Mode == config.TriggerFrame, Frames: cfg.Trigger.Frames, Cut: cutOptions(cfg.Locate),
		Rule: cfg.Trigger.Vote, Budget: cfg.Trigger.Budget.Std(), Live: picture.Source.Live(), Asked: out.asked(page.TriggerError), Decided: out.decided,
		Problem: tell.set, Progress: loop.Progress, Log: log, Looked: counts.Frame, Uncut: counts.Uncut,
		Judged: func(j inspection.Judgement) { watch.judged(j); out.stored(j.Verdict, j.Middle) },
		Show:   page.Show,
		Keeps:  keeps(cfg),
	})
	defer context.AfterFunc(ctx, monitor.Stopping)()
	monitor.Ready()
	log.Info("the station works", "station", cfg.Station.ID(), "source", picture.Source.String(), "trigger", cfg.Trigger.Mode)
	work, stop := whileWhole(ctx, j, log)
	defer stop()
	err = station.Run(work)
	if damage := j.Damage(); err == nil && damage != nil {
		err = &inspection.FatalError{Err: damage}
	}
	loop.End()
	stopBelt()
	log.Info("the station stops")
	drain()
	return err
}

// keeps says which pictures are kept, nil for none.
func keeps(cfg *config.Config) *review.Policy {
	c := cfg.Journal
	p := &review.Policy{Station: cfg.Station.ID()}
	switch c.Crops {
	case config.CropsOff:
		return nil
	case config.CropsReview, config.CropsAll: // all of them have their reasons
		p.Band, p.Share, p.Disagreements = c.CropsUncertain, c.CropsSample, true
		p.Every = c.Crops == config.CropsAll
	}
	return p
}

func newUplink(cfg *config.Config, j *journal.Journal, o RunOptions, health func() (message.Health, error), progress func(), out *outside) *uplink.Uplink {
	commands := []string{commandConfirm, commandRollback}
	var triggers func(message.Command)
	if cfg.Trigger.Mode == config.TriggerCommand {
		triggers = out.command
	}
	if out.output != nil {
		commands = append(commands, commandLampTest)
	}
	u := uplink.New(cfg.MQTT, message.Topics{Root: cfg.MQTT.Root, Station: cfg.Station.ID()}, j, o.Log, uplink.Options{
		Version: o.Version, AcceptPush: cfg.Model.AcceptPush, Commands: commands, Trigger: triggers,
		Health: health, Progress: progress,
	})
	if cfg.Reject.MQTT {
		out.publish = u.PublishReject
	}
	return u
}

// activeModel is 0 and empty without an active model.
func activeModel(store *models.Store) (serial uint64, hash string) {
	m, err := store.Active()
	if err != nil {
		return 0, ""
	}
	return m.Bundle.Serial, m.Bundle.ID()
}

// learnEmpty is how many frames show the empty place to a station that waits for tires in a fixed
// region.
const learnEmpty = 30

// learnedFrames is how many frames show the empty place to a fixed region.
func learnedFrames(cfg *config.Config) int {
	if cfg.Trigger.Mode == config.TriggerPresence {
		return learnEmpty
	}
	return 0
}

func newLocator(cfg *config.Config) locate.Locator {
	if cfg.Locate.Mode == config.LocateRegion {
		r := cfg.Locate.Region
		return locate.NewRegion(image.Rect(r[0], r[1], r[2], r[3]), learnedFrames(cfg))
	}
	return locate.NewRound(locate.RoundOptions{MinDiameter: cfg.Locate.MinDiameter, MaxDiameter: cfg.Locate.MaxDiameter})
}

func cutOptions(l config.Locate) cut.Options {
	return cut.Options{View: cut.View(l.View), Margin: l.Margin, Tile: l.TileSize(), Overlap: l.Overlap}
}

// CameraOptions are the options of the camera that a configuration describes.
func CameraOptions(c config.Camera, log *slog.Logger) (camera.Options, error) {
	loc, err := camera.ParseLocation(string(c.Source))
	return camera.Options{
		Source: loc, Width: c.Width, Height: c.Height, FPS: float64(c.FPS), FourCC: c.FourCC,
		Controls:   camera.Controls{Exposure: c.Exposure, Gain: c.Gain, WhiteBalance: c.WhiteBalance, Focus: c.Focus},
		LowLatency: c.LowLatency, RealTime: c.Realtime,
		Skipped: func(path string, err error) { log.Warn("image passed over", "path", path, "error", err) },
	}, err
}

// rejectOnDrift gives up a model on probation that the pictures or scores of the line drift away
// from; a model that is believed stays.
func rejectOnDrift(store *models.Store, log *slog.Logger) func(m *models.Loaded, reason string) {
	return func(m *models.Loaded, reason string) {
		if active, err := store.Active(); err != nil || active.Bundle != m.Bundle {
			return // the alarm is about a model that is gone already
		}
		if err := store.Reject("drift: " + reason); err != nil && !errors.Is(err, models.ErrNoTrial) {
			log.Error("the model on probation drifts, but cannot be given up", "error", err)
		}
	}
}

// serveMetrics answers Prometheus until ctx ends. A station inspects with or without it.
func serveMetrics(ctx context.Context, background *sync.WaitGroup, m *metrics.Metrics, address string, log *slog.Logger) {
	s, err := m.Listen(address)
	if err != nil {
		log.Error("nobody can watch this station", "error", err)
		return
	}
	log.Info("metrics are at http://" + s.Addr() + "/metrics")
	background.Go(func() {
		if err := s.Run(ctx); err != nil {
			log.Error("nobody can watch this station any more", "error", err)
		}
	})
}

// servePage answers browsers until ctx ends. A station inspects with or without a page; nil is a
// page that nobody sees.
func servePage(ctx context.Context, background *sync.WaitGroup, o web.Options) *web.Page {
	if o.Page.Listen == "" {
		return nil
	}
	page, err := web.New(o)
	var s *web.Server
	if err == nil {
		s, err = page.Listen()
	}
	if err != nil {
		o.Log.Error("the station has no page", "error", err)
		return nil
	}
	o.Log.Info("the page is at " + s.URL())
	background.Go(func() {
		if err := s.Run(ctx); err != nil {
			o.Log.Error("the station has no page any more", "error", err)
		}
	})
	return page
}

// problems collects what keeps the parts of the station from working and tells it as one text.
type problems struct {
	publish []func(text string)
	changed []func(part string, is bool) // told of each part that stops working or works again

	mu    sync.Mutex
	texts map[string]string // by part; guarded by mu
}

func (p *problems) set(part, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.texts[part] == text {
		return
	}
	p.texts[part] = text
	if text == "" {
		delete(p.texts, part)
	}
	for _, f := range p.changed {
		f(part, text != "")
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(p.texts)) {
		all = append(all, key+": "+p.texts[key])
	}
	for _, f := range p.publish {
		f(strings.Join(all, "; "))
	}
}

// all gives them by part.
func (p *problems) all() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.texts)
}

// cameraPart names the camera among the station's problems.
const cameraPart = "camera"

// camera notes that the camera went or came. The same failure is logged once and not at each
// attempt.
func (p *problems) camera(e camera.Event, log *slog.Logger) {
	text := ""
	if e.Err != nil {
		text = e.Err.Error()
	}
	p.mu.Lock()
	known := p.texts[cameraPart] == text
	p.mu.Unlock()
	if known {
		return
	}
	p.set(cameraPart, text)
	if e.Err == nil {
		log.Info("the camera is back")
		return
	}
	attrs := []any{"error", e.Err, "retry", e.Retry}
	if advice := hint.Of(e.Err); advice != "" {
		attrs = append(attrs, "hint", advice)
	}
	log.Error("the camera is down, opening it again until it works", attrs...)
}
