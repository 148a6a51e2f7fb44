package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/agent/models"
	"tirewatch/agent/sparkplug"
	"tirewatch/vision/bundle"
)

// openModels opens the slots and installs the initial bundle in an empty store.
func openModels(cfg *config.Config, log *slog.Logger) (*models.Store, error) {
	o, err := ModelOptions(cfg, log)
	if err != nil {
		return nil, err
	}
	store, err := models.Open(o)
	if err != nil {
		return nil, err
	}
	m, err := store.Active()
	if err != nil && cfg.Model.Initial != "" {
		log.Info("models: installing the initial bundle", "reason", err, "path", cfg.Model.Initial)
		if m, err = installFile(store, cfg.Model.Initial); err != nil && !outdated(err) {
			return nil, err
		}
	}
	if err != nil {
		log.Warn("models: none installed", "error", err)
		return store, nil
	}
	log.Info("models: loaded", "serial", m.Bundle.Serial, "hash", m.Bundle.ID(), "kernel", m.Runner.Kernel(), "probation", m.Shadow != nil)
	return store, nil
}

// outdated tells that the initial bundle was good once. The station has had others since: it starts
// without it and waits for a new one.
func outdated(err error) bool {
	return errors.As(err, new(*models.SerialError)) || errors.As(err, new(*models.GivenUpError)) ||
		errors.As(err, new(*models.RevokedError)) || errors.As(err, new(*models.ExpiredError))
}

func installFile(store *models.Store, path string) (*models.Loaded, error) {
	data, err := bundle.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("initial model: %w", err)
	}
	m, err := store.Install(data)
	if err != nil {
		return nil, fmt.Errorf("initial model %s: %w", path, err)
	}
	return m, nil
}

func newModelState(s models.Snapshot) message.ModelState {
	var out message.ModelState
	ref := func(m *models.Loaded) *message.ModelRef {
		if m == nil {
			return nil
		}
		return &message.ModelRef{Serial: m.Bundle.Serial, Hash: m.Bundle.ID(), Since: m.Since}
	}
	out.Active, out.Previous = ref(s.Active), ref(s.Previous)
	if t := s.Trial; t != nil && s.Active != nil {
		out.Candidate = &message.Candidate{ModelRef: *out.Active, Verdicts: t.Verdicts, Of: t.Of, Unsure: t.Unsure, Compared: t.Compared, Disagreements: t.Disagreements}
	}
	if e := s.Last; e != nil {
		out.Last = &message.ModelEvent{Event: string(e.Kind), Serial: e.Serial, Hash: e.Hash, Reason: e.Reason, Time: e.Time}
	}
	return out
}

// publishModel publishes the state of the models: now, and after each new connection.
func (l *link) publishModel() {
	l.uplink.PublishModel(newModelState(l.store.Snapshot()))
	if l.node != nil {
		serial, hash := activeModel(l.store)
		l.node.Change(func(f *sparkplug.Facts) { f.ModelSerial, f.ModelHash = serial, hash })
	}
}

// watchModels publishes each change of the models until ctx ends, and reports a model that has
// passed its end date.
func (l *link) watchModels(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.store.Changed():
			l.publishModel()
			text := ""
			if s := l.store.Snapshot(); s.Ended && s.Active != nil {
				text = fmt.Sprintf("serial %d ended on %s and works on", s.Active.Bundle.Serial, s.Active.Bundle.NotAfter.Format(time.DateOnly))
			}
			l.problem("model's end", text)
		}
	}
}

// activeModel returns 0 and an empty hash without an active model.
func activeModel(store *models.Store) (serial uint64, hash string) {
	m, err := store.Active()
	if err != nil {
		return 0, ""
	}
	return m.Bundle.Serial, m.Bundle.ID()
}

// rejectOnDrift returns a function that rolls a model on probation back when the line drifts away
// from what it learned. A confirmed model stays.
func rejectOnDrift(store *models.Store, log *slog.Logger) func(m *models.Loaded, reason string) {
	return func(m *models.Loaded, reason string) {
		if active, err := store.Active(); err != nil || active.Bundle != m.Bundle {
			return // the alert is about a model that is gone already
		}
		if err := store.Reject("drift: " + reason); err != nil && !errors.Is(err, models.ErrNoTrial) {
			log.Error("models: reject on drift failed", "error", err)
		}
	}
}
