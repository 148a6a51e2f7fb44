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
	"tirewatch/agent/uplink"
	"tirewatch/vision/bundle"
)

// Commands that a station obeys.
const (
	commandConfirm  = "confirm"
	commandRollback = "rollback"
	commandLampTest = "lamptest" // one pulse of the reject output
)

// ModelOptions are the options of the store that a configuration describes.
func ModelOptions(cfg *config.Config, log *slog.Logger) (models.Options, error) {
	keys, err := bundle.ReadPublicKeys(cfg.Model.Keys)
	if err != nil {
		return models.Options{}, err
	}
	revoked, err := models.ReadRevocations(cfg.Model.Revoked)
	if err != nil {
		return models.Options{}, err
	}
	return models.Options{
		Dir: cfg.Model.Dir, Verify: models.Verifier(keys, cfg.Station.ID(), revoked), Revoked: revoked,
		Latency: cfg.Model.LatencyBudget.Std(),
		Probation: models.Probation{
			Verdicts: cfg.Model.Probation, Time: cfg.Model.ProbationTime.Std(), Crashes: cfg.Model.ProbationCrashes,
			MaxDisagreement: cfg.Model.ProbationDisagreement,
		},
		Log: log,
	}, nil
}

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
		log.Info("no model yet, installing the initial one", "reason", err, "path", cfg.Model.Initial)
		if m, err = installFile(store, cfg.Model.Initial); err != nil && !outdated(err) {
			return nil, err
		}
	}
	if err != nil {
		log.Warn("the station starts without a model", "error", err)
		return store, nil
	}
	log.Info("model loaded", "serial", m.Bundle.Serial, "hash", m.Bundle.ID(), "kernel", m.Runner.Kernel(), "probation", m.Shadow != nil)
	return store, nil
}

// outdated says that a bundle was good once: a station that has had others since works on without
// it, and waits for a new one.
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
		out.Candidate = &message.Candidate{ModelRef: *out.Active, Verdicts: t.Verdicts, Of: t.Of, Compared: t.Compared, Disagreements: t.Disagreements}
	}
	if e := s.Last; e != nil {
		out.Last = &message.ModelEvent{Event: string(e.Kind), Serial: e.Serial, Hash: e.Hash, Reason: e.Reason, Time: e.Time}
	}
	return out
}

func publishModel(u *uplink.Uplink, store *models.Store) {
	u.PublishModel(newModelState(store.Snapshot()))
}

// publishModels calls publish when the models change, until ctx ends, and tells of a model that is
// past its end.
func publishModels(ctx context.Context, publish func(), store *models.Store, problem func(part, text string)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-store.Changed():
			publish()
			text := ""
			if s := store.Snapshot(); s.Ended && s.Active != nil {
				text = fmt.Sprintf("serial %d ended on %s and works on", s.Active.Bundle.Serial, s.Active.Bundle.NotAfter.Format(time.DateOnly))
			}
			problem("model's end", text)
		}
	}
}

// takeBundles installs what is pushed, one bundle after the other, until ctx ends. The store logs
// what becomes of each.
func takeBundles(ctx context.Context, u *uplink.Uplink, store *models.Store, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-u.Bundles():
			_, err := store.Install(m.Data)
			if err != nil {
				log.Warn("pushed model not taken", "hash", m.Hash, "error", err)
			}
			publishModel(u, store)
			m.Reply(err)
		}
	}
}

// obey carries out commands, one after the other, until ctx ends.
func obey(ctx context.Context, u *uplink.Uplink, store *models.Store, out *outside, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-u.Commands():
			var err error
			switch c.Name {
			case commandConfirm:
				err = store.Confirm()
			case commandRollback:
				err = store.Rollback()
			case commandLampTest:
				out.output.Test()
			}
			log.Info("command", "command", c.Name, "id", c.ID, "error", err)
			publishModel(u, store)
			c.Reply(err)
		}
	}
}
