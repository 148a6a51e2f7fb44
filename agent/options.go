package agent

import (
	"fmt"
	"image"
	"log/slog"

	"periph.io/x/conn/v3/gpio"

	"tirewatch/agent/config"
	lines "tirewatch/agent/gpio"
	"tirewatch/agent/journal"
	"tirewatch/agent/models"
	"tirewatch/agent/review"
	"tirewatch/agent/sparkplug"
	"tirewatch/vision/bundle"
	"tirewatch/vision/camera"
	"tirewatch/vision/cut"
	"tirewatch/vision/locate"
)

// This file maps a configuration to the options of each part. The doctor examines a station with
// the same options as the daemon.

// CameraOptions returns the options of the configured camera.
func CameraOptions(c config.Camera, log *slog.Logger) (camera.Options, error) {
	loc, err := camera.ParseLocation(string(c.Source))
	return camera.Options{
		Source: loc, Width: c.Width, Height: c.Height, FPS: float64(c.FPS), FourCC: c.FourCC,
		Controls:   camera.Controls{Exposure: c.Exposure, Gain: c.Gain, WhiteBalance: c.WhiteBalance, Focus: c.Focus},
		LowLatency: c.LowLatency, RealTime: c.Realtime,
		Skipped: func(path string, err error) { log.Warn("camera: image skipped", "path", path, "error", err) },
	}, err
}

// ModelOptions returns the options of the model store. It reads the public keys and the
// revocations.
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
			MaxDisagreement: cfg.Model.ProbationDisagreement, MaxUnsure: cfg.Model.ProbationUnsure,
		},
		Log: log,
	}, nil
}

// RejectLine opens the line of the ejector and makes it inactive.
func RejectLine(r config.Reject) (gpio.PinIO, error) {
	pin, err := lines.Output(r.GPIO, !level(r.Active))
	if err != nil {
		return nil, fmt.Errorf("reject output: %w", err)
	}
	return pin, nil
}

func level(active string) gpio.Level { return active == config.ActiveHigh }

func pullTo(l gpio.Level) gpio.Pull {
	if l {
		return gpio.PullUp
	}
	return gpio.PullDown
}

// SparkplugNames returns the names of the station's edge node.
func SparkplugNames(c config.Sparkplug) sparkplug.Names {
	return sparkplug.Names{Group: c.Group, Node: c.Node, Device: c.Device, Host: c.PrimaryHost}
}

// SparkplugLogin returns the login of section mqtt with the client id of the Sparkplug session.
func SparkplugLogin(cfg *config.Config) config.MQTT {
	login := cfg.MQTT
	login.ClientID = cfg.Sparkplug.ClientID
	return login
}

func cutOptions(l config.Locate) cut.Options {
	return cut.Options{View: cut.View(l.View), Margin: l.Margin, Tile: l.TileSize(), Overlap: l.Overlap}
}

// learnEmpty is how many frames show the empty place to a station that waits for tires in a fixed
// region.
const learnEmpty = 30

// learnedFrames returns how many frames teach the empty place to a fixed region.
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

// keepPolicy returns which crops are kept; nil keeps none.
func keepPolicy(cfg *config.Config) *review.Policy {
	c := cfg.Journal
	if c.Crops == config.CropsOff {
		return nil
	}
	p := &review.Policy{Station: cfg.Station.ID(), Camera: c.CropsCamera}
	if c.Crops == config.CropsReview || c.Crops == config.CropsAll {
		p.Band, p.Share, p.Disagreements = c.CropsUncertain, c.CropsSample, true
		p.Every = c.Crops == config.CropsAll
	}
	return p
}

// retention returns the limits of the journal.
func retention(c config.Journal) journal.Limits {
	return journal.Limits{Bytes: c.MaxSize.Bytes(), Age: c.MaxAge.Std(), Crops: c.CropsMaxSize.Bytes()}
}
