package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/doctor"
	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/camera"
	"tirewatch/vision/verdict"
)

func newCheckCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Check a configuration and describe the station",
		Long: `Check reports every error of a configuration with its line, and everything that the configuration
names and that is missing: camera, keys, folders, passwords. Then it describes what the station
would do. It opens neither the camera nor the journal, so it can run beside a running station.`,
		Example: "  tirewatch-agent check --config /etc/tirewatch/station.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			return check(cmd.OutOrStdout(), cfg)
		},
	}
	addConfigFlag(cmd, &path)
	cli.ExitCode(cmd, cli.Failed, "The configuration is wrong, or something that it names is missing.")
	return cmd
}

// check describes the station and returns what is wrong.
func check(w io.Writer, cfg *config.Config) error {
	problems := doctor.Missing(cfg)
	model, err := doctor.Model(cfg)
	if err != nil {
		problems = errors.Join(problems, fmt.Errorf("model: %w", err))
	}
	describe(w, cfg, model)
	return problems
}

// sourceWords says where the frames are from.
func sourceWords(c config.Camera) string {
	loc, err := camera.ParseLocation(string(c.Source))
	if err != nil {
		return string(c.Source)
	}
	words := map[camera.Kind]string{
		camera.V4L2: "the camera " + loc.Target, camera.GStreamer: "the pipeline " + loc.Target, camera.RTSP: "the network camera " + loc.String(),
		camera.File: "the video " + loc.Target, camera.Folder: "the images of " + loc.Target,
	}[loc.Kind]
	if loc.Kind == camera.V4L2 && c.Width > 0 && c.Height > 0 {
		words += fmt.Sprintf(", %d x %d px", c.Width, c.Height)
	}
	if loc.Kind == camera.V4L2 && c.FPS > 0 {
		words += fmt.Sprintf(", %d frames per second", c.FPS)
	}
	if loc.Kind == camera.V4L2 && c.FourCC != "" {
		words += ", as " + c.FourCC
	}
	for _, s := range []struct {
		name  string
		value *int
	}{{"exposure", c.Exposure}, {"gain", c.Gain}, {"white balance", c.WhiteBalance}, {"focus", c.Focus}} {
		if s.value != nil {
			words += fmt.Sprintf(", %s locked at %d", s.name, *s.value)
		}
	}
	if loc.Kind == camera.RTSP && c.LowLatency {
		words += ", with low latency"
	}
	if !loc.Live() && c.Realtime {
		words += ", at its own speed"
	}
	if !loc.Live() && c.Loop {
		words += ", in a loop"
	}
	return words
}

// probationWords says when a new model is confirmed.
func probationWords(m config.Model) string {
	if m.Probation == 0 {
		return "none: a new model is confirmed at once"
	}
	words := fmt.Sprintf("a new model is on probation for %d verdicts", m.Probation)
	if m.ProbationTime > 0 {
		words += fmt.Sprintf(" or %v", m.ProbationTime)
	}
	if m.ProbationCrashes > 0 {
		words += fmt.Sprintf(", rolled back after %d crashes of the agent", m.ProbationCrashes)
	}
	if m.ProbationDisagreement > 0 {
		words += fmt.Sprintf(", or if it disagrees with the previous model on more than %g %% of the tires",
			100*m.ProbationDisagreement)
	}
	if m.ProbationUnsure > 0 {
		words += fmt.Sprintf(", or if it is unsure of more than %g %% of the tires", 100*m.ProbationUnsure)
	}
	return words
}

// triggerWords says when a verdict is made.
func triggerWords(cfg *config.Config) string {
	t := cfg.Trigger
	words := "one verdict for each frame"
	switch t.Mode {
	case config.TriggerPresence:
		words = fmt.Sprintf("one verdict for each passing tire, from at most %d frames", t.Frames)
	case config.TriggerPhotoEye:
		words = fmt.Sprintf("one verdict for each tire at the photo-eye %s, which is %s while the tire is there",
			t.GPIO, t.Active)
	case config.TriggerCommand:
		words = "one verdict for each command trigger"
	}
	if t.External() {
		words += fmt.Sprintf(", from at most %d frames of the %v that begin %v after the trigger", t.Frames, t.Window,
			t.Delay)
		if cfg.Locate.Mode == config.LocateRegion {
			words += "; with a fixed region a missing trigger is not noticed"
		}
	}
	if t.Mode != config.TriggerFrame && t.Vote != verdict.Mean {
		words += fmt.Sprintf("; the vote is %s", t.Vote)
	}
	if t.Budget > 0 {
		words += fmt.Sprintf("; a tire without a verdict after %v is rejected", t.Budget)
	}
	return words
}

// rejectWords says what happens to a rejected tire.
func rejectWords(r config.Reject) string {
	var words []string
	if r.GPIO != "" {
		when := "at once"
		if r.Encoder != "" {
			when = fmt.Sprintf("%d pulses of %s after the camera", r.Pulses, r.Encoder)
		} else if r.Delay > 0 {
			when = fmt.Sprintf("%v after the camera", r.Delay)
		}
		which := "each rejected tire"
		if r.On == config.OnPass {
			which = "each tire that passes"
		}
		words = append(words, fmt.Sprintf("%s is %s for %v for %s, %s", r.GPIO, r.Active, r.Width, which, when))
	}
	if r.MQTT {
		words = append(words, "rejects are published")
	}
	if len(words) == 0 {
		words = append(words, "no output: a reject is only a verdict")
	}
	if r.OnUnsure == config.OnPass {
		words = append(words, "a tire that the model is unsure of passes")
	}
	return strings.Join(words, "; ")
}

// describe prints what the station would do.
func describe(w io.Writer, cfg *config.Config, model string) {
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", what, fmt.Sprintf(format, args...))
	}
	presence := cfg.Trigger.Mode == config.TriggerPresence
	line("station", "%s", cfg.Station.ID())
	if cfg.Camera.Preset != "" {
		line("preset", "%s", cfg.Camera.Preset)
	}
	line("source", "%s", sourceWords(cfg.Camera))
	if r := cfg.Locate.Region; cfg.Locate.Mode == config.LocateRegion {
		words := ""
		if presence {
			words = "; it must be empty in the first frames after a start"
		}
		line("locate", "the tire is in the region from %d, %d to %d, %d px%s", r[0], r[1], r[2], r[3], words)
	} else {
		line("locate", "the round outline, %.0f to %.0f %% of the frame's height wide, with a margin of %g %%",
			100*cfg.Locate.MinDiameter, 100*cfg.Locate.MaxDiameter, 100*cfg.Locate.Margin)
	}
	line("trigger", "%s", triggerWords(cfg))
	line("reject", "%s", rejectWords(cfg.Reject))
	line("model", "%s", model)
	pushed := "refused"
	if cfg.Model.AcceptPush && cfg.MQTT.Enabled() {
		pushed = "accepted if signed by " + strings.Join(cfg.Model.Keys, ", ")
	}
	line("pushes", "%s", pushed)
	if cfg.Model.Inbox != "" {
		line("inbox", "bundles copied to %s are installed", cfg.Model.Inbox)
	}
	line("probation", "%s", probationWords(cfg.Model))
	line("journal", "%s, at most %s%s", cfg.Journal.Path, cfg.Journal.MaxSize, ageWords(cfg.Journal.MaxAge))
	if cfg.Metrics.Listen != "" {
		line("metrics", "http://%s/metrics", cfg.Metrics.Listen)
	}
	if cfg.Page.Listen != "" {
		line("page", "%s", pageWords(cfg.Page))
	}
	line("crops", "%s", cropWords(cfg.Journal))
	if !cfg.MQTT.Enabled() {
		line("broker", "none: verdicts stay in the journal")
		return
	}
	as := "without a user name"
	if cfg.MQTT.Username != "" {
		as = "as " + cfg.MQTT.Username
	}
	line("broker", "%s %s, topics %s/%s/..., verdicts in %s", cfg.MQTT.Broker, as, cfg.MQTT.Root, cfg.Station.ID(),
		cfg.MQTT.Encoding)
	if c := cfg.Sparkplug; c.Enabled {
		host := "no primary host"
		if c.PrimaryHost != "" {
			host = "primary host " + c.PrimaryHost
		}
		line("scada", "Sparkplug B as %s/%s with device %s, %s", c.Group, c.Node, c.Device, host)
	}
}

// cropWords says which crops are kept.
func cropWords(j config.Journal) string {
	which := map[string]string{
		config.CropsCrack: "rejected and of unsure tires", config.CropsAll: "all tires",
		config.CropsReview: fmt.Sprintf("rejected and of unsure tires, of scores within %g logits of the threshold, "+
			"of disagreements, and of %g %% of all tires",
			j.CropsUncertain, 100*j.CropsSample),
	}[j.Crops]
	if which == "" {
		return "none"
	}
	if j.CropsCamera {
		which += ", with the picture of the camera"
	}
	return fmt.Sprintf("of %s, at most %s", which, j.CropsMaxSize)
}

// pageWords says where the page is and who can open it.
func pageWords(p config.Page) string {
	scheme, who := "http", "for all users of this machine"
	if p.CertFile != "" {
		scheme = "https"
	}
	if p.PasswordFile != "" {
		who = "with the password of an operator"
	}
	if p.ViewerPasswordFile != "" {
		who += " or a viewer"
	}
	return fmt.Sprintf("%s://%s/ %s; shifts begin at %s", scheme, p.Listen, who, strings.Join(p.Shifts, ", "))
}

// ageWords says how long verdicts are kept.
func ageWords(a config.Duration) string {
	if a == 0 {
		return ""
	}
	return fmt.Sprintf("; verdicts that the broker has acknowledged are kept for %s of operation", a)
}
