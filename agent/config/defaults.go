package config

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"

	"tirewatch/vision/cut"
	"tirewatch/vision/verdict"
)

// defaults is the configuration of an empty file, without the defaults that depend on other keys.
func defaults() Config {
	return Config{
		Locate: Locate{Mode: LocateRound, MinDiameter: 0.3, MaxDiameter: 1, Margin: 0.02,
			View: string(cut.Tire), Overlap: 0.25},
		Trigger: Trigger{Frames: 5, Vote: verdict.Mean, Active: ActiveHigh,
			Debounce: Duration(5 * time.Millisecond), Window: Duration(500 * time.Millisecond)},
		Reject: Reject{Active: ActiveHigh, On: OnReject, OnUnsure: OnReject, Width: Duration(100 * time.Millisecond)},
		Model: Model{Dir: "/var/lib/tirewatch/models", AcceptPush: true,
			Probation: 200, ProbationTime: Duration(30 * time.Minute), ProbationCrashes: 3, ProbationUnsure: 0.5},
		Journal: Journal{Path: "/var/lib/tirewatch/journal.db", MaxSize: "512MiB", MaxAge: 90 * Day,
			Crops: CropsReview, CropsUncertain: 2, CropsSample: 0.01, CropsCamera: true, CropsMaxSize: "1GiB"},
		MQTT:      MQTT{Root: "tirewatch", Encoding: verdict.JSON, HealthPeriod: Duration(time.Minute)},
		Sparkplug: Sparkplug{Device: "inspection", Overlap: Duration(2 * time.Minute)},
		Metrics:   Metrics{Listen: "127.0.0.1:9464"},
		Page:      Page{Listen: "127.0.0.1:8080", Shifts: []string{"06:00", "14:00", "22:00"}},
		Log:       Log{Level: "info", Format: "text"},
	}
}

// derive sets the defaults that depend on other keys, and joins relative paths with base, the
// folder of the file.
func (c *Config) derive(base string) {
	kind, target := c.Camera.Source.Split()
	if c.Trigger.Mode == "" {
		c.Trigger.Mode = TriggerPresence
		if kind == SourceFolder {
			c.Trigger.Mode = TriggerFrame
		}
	}
	if c.MQTT.ClientID == "" {
		c.MQTT.ClientID = "tirewatch-" + strings.ReplaceAll(c.Station.ID(), "/", "-")
	}
	c.Sparkplug.derive(c.Station, c.MQTT.ClientID)
	if kind == SourceFile || kind == SourceFolder {
		c.Camera.Source = Source(kind + ":" + resolve(base, target))
	}
	for i, key := range c.Model.Keys {
		c.Model.Keys[i] = resolve(base, key)
	}
	for _, path := range []*string{
		&c.Model.Dir, &c.Model.Initial, &c.Model.Revoked, &c.Model.Inbox, &c.Journal.Path,
		&c.MQTT.PasswordFile, &c.MQTT.CAFile, &c.MQTT.CertFile, &c.MQTT.KeyFile,
		&c.Page.PasswordFile, &c.Page.ViewerPasswordFile, &c.Page.CertFile, &c.Page.KeyFile,
	} {
		*path = resolve(base, *path)
	}
}

func (s *Sparkplug) derive(station Station, clientID string) {
	s.Group = cmp.Or(s.Group, station.Site)
	s.Node = cmp.Or(s.Node, station.Line+"-"+station.Name)
	s.ClientID = cmp.Or(s.ClientID, clientID+"-sparkplug")
}

func resolve(base, path string) string {
	if path == "" || filepath.IsAbs(path) || strings.HasPrefix(path, credential) {
		return path
	}
	return filepath.Join(base, path)
}
