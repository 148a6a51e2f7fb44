package agent

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/health"
	"tirewatch/agent/journal"
	"tirewatch/agent/models"
	"tirewatch/agent/uplink"
	"tirewatch/quantize/bundle"
	"tirewatch/vision/camera"
	"tirewatch/vision/locate"
)

// RunOptions is what Run needs besides the configuration.
type RunOptions struct {
	Version      string        // of the program, for the broker
	DrainTimeout time.Duration // how long the end waits for the broker to acknowledge what is queued
	Log          *slog.Logger
}

// Run builds the station of a configuration and works until ctx ends or a finite source does. Then the tires in the picture get
// their verdicts and the queue is sent as far as DrainTimeout allows; the rest stays in the journal for the next start.
func Run(ctx context.Context, cfg *config.Config, o RunOptions) (err error) {
	log := o.Log
	monitor := health.New(log)
	store, err := openModels(cfg, log)
	if err != nil {
		return err
	}
	picture, err := cameraOptions(cfg.Camera, log)
	if err != nil {
		return err
	}
	j, err := journal.Open(cfg.Journal.Path, cfg.Station.ID())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if j.Created() {
		log.Warn("a new journal begins, its numbers start at 1", "path", cfg.Journal.Path)
	}

	var background sync.WaitGroup
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx)) // ends after the loop
	defer background.Wait()
	defer stopInner()
	background.Go(func() { monitor.Run(inner) })

	tell := &problems{texts: map[string]string{}, publish: []func(string){monitor.Status}}
	drain := func() {}
	if cfg.MQTT.Enabled() {
		u := newUplink(cfg, j, o)
		publishModel(u, store)
		tell.publish = append(tell.publish, u.PublishProblem)
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
	frames := camera.NewReopening(camera.ReopenOptions{
		Open: func() (camera.Source, error) { return camera.Open(picture) },
		Live: picture.Source.Live(), Loop: cfg.Camera.Loop,
		Event: func(e camera.Event) {
			tell.camera(e, log)
			monitor.Progress()
		},
	})
	defer func() {
		if err := frames.Close(); err != nil {
			log.Warn("the camera did not close", "error", err)
		}
	}()
	station := New(Options{
		Source: frames, Locator: newLocator(cfg), Models: store, Journal: j,
		Each: cfg.Trigger.Mode == config.TriggerFrame, Frames: cfg.Trigger.Frames, Margin: cfg.Locate.Margin,
		Problem: tell.set, Progress: monitor.Progress, Log: log,
	})
	defer context.AfterFunc(ctx, monitor.Stopping)()
	monitor.Ready()
	log.Info("the station works", "station", cfg.Station.ID(), "source", picture.Source.String(), "trigger", cfg.Trigger.Mode)
	err = station.Run(ctx)
	log.Info("the station stops")
	drain()
	return err
}

// openModels opens the slots and installs the initial bundle in an empty store.
func openModels(cfg *config.Config, log *slog.Logger) (*models.Store, error) {
	keys, err := bundle.ReadPublicKeys(cfg.Model.Keys)
	if err != nil {
		return nil, err
	}
	store, err := models.Open(cfg.Model.Dir, models.Verifier(keys, cfg.Station.ID()), log)
	if err != nil {
		return nil, err
	}
	m, err := store.Active()
	if err != nil && cfg.Model.Initial != "" {
		log.Info("no model yet, installing the initial one", "reason", err, "path", cfg.Model.Initial)
		if m, err = installFile(store, cfg.Model.Initial); err != nil {
			return nil, err
		}
	}
	if err != nil {
		log.Warn("the station starts without a model", "error", err)
		return store, nil
	}
	logModel(log, "model loaded", m)
	return store, nil
}

func installFile(store *models.Store, path string) (*models.Loaded, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("initial model: %w", err)
	}
	if info.Size() > bundle.MaxSize {
		return nil, fmt.Errorf("initial model %s: %w", path, bundle.ErrTooLarge)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("initial model: %w", err)
	}
	m, err := store.Install(data)
	if err != nil {
		return nil, fmt.Errorf("initial model %s: %w", path, err)
	}
	return m, nil
}

func logModel(log *slog.Logger, what string, m *models.Loaded) {
	log.Info(what, "serial", m.Bundle.Serial, "hash", m.Bundle.ID(), "kernel", m.Runner.Kernel())
}

func newUplink(cfg *config.Config, j *journal.Journal, o RunOptions) *uplink.Uplink {
	return uplink.New(cfg.MQTT, uplink.Topics{Root: cfg.MQTT.Root, Station: cfg.Station.ID()}, j, o.Log,
		uplink.Options{Version: o.Version, AcceptPush: cfg.Model.AcceptPush})
}

func publishModel(u *uplink.Uplink, store *models.Store) {
	if m, err := store.Active(); err == nil {
		u.PublishModel(&uplink.ModelRef{Serial: m.Bundle.Serial, Hash: m.Bundle.ID(), Since: m.Since}, nil)
	}
}

// takeBundles installs what is pushed, one bundle after the other, until ctx ends.
func takeBundles(ctx context.Context, u *uplink.Uplink, store *models.Store, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-u.Bundles():
			installed, err := store.Install(m.Data)
			if err != nil {
				log.Warn("pushed model refused", "hash", m.Hash, "error", err)
			} else {
				logModel(log, "pushed model is active from the next tire on", installed)
				publishModel(u, store)
			}
			m.Reply(err)
		}
	}
}

// learnEmpty is how many frames show the empty place to a station that waits for tires in a fixed region.
const learnEmpty = 30

func newLocator(cfg *config.Config) locate.Locator {
	if cfg.Locate.Mode == config.LocateRegion {
		r := cfg.Locate.Region
		learn := 0
		if cfg.Trigger.Mode == config.TriggerPresence {
			learn = learnEmpty
		}
		return locate.NewRegion(image.Rect(r[0], r[1], r[2], r[3]), learn)
	}
	return locate.NewRound(locate.RoundOptions{MinDiameter: cfg.Locate.MinDiameter, MaxDiameter: cfg.Locate.MaxDiameter})
}

func cameraOptions(c config.Camera, log *slog.Logger) (camera.Options, error) {
	loc, err := camera.ParseLocation(string(c.Source))
	return camera.Options{
		Source: loc, Width: c.Width, Height: c.Height, FPS: float64(c.FPS), RealTime: c.Realtime,
		Skipped: func(path string, err error) { log.Warn("image passed over", "path", path, "error", err) },
	}, err
}

// problems collects what keeps the parts of the station from working and tells it as one text.
type problems struct {
	publish []func(text string)

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
	var all []string
	for _, key := range slices.Sorted(maps.Keys(p.texts)) {
		all = append(all, key+": "+p.texts[key])
	}
	for _, f := range p.publish {
		f(strings.Join(all, "; "))
	}
}

// camera notes that the camera went or came. The same failure is logged once and not at each attempt.
func (p *problems) camera(e camera.Event, log *slog.Logger) {
	text := ""
	if e.Err != nil {
		text = e.Err.Error()
	}
	p.mu.Lock()
	known := p.texts["camera"] == text
	p.mu.Unlock()
	if known {
		return
	}
	p.set("camera", text)
	if e.Err == nil {
		log.Info("the camera is back")
		return
	}
	attrs := []any{"error", e.Err, "retry", e.Retry}
	var advice interface{ Hint() string }
	if errors.As(e.Err, &advice) && advice.Hint() != "" {
		attrs = append(attrs, "hint", advice.Hint())
	}
	log.Error("the camera is down, opening it again until it works", attrs...)
}
