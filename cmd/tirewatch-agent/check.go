package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/doctor"
	"tirewatch/vision/verdict"
)

func newCheckCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Check a configuration and say what the station would do",
		Long: `Check names everything that is wrong in a configuration, with its line, and what the configuration
names and is not there: camera, keys, folders, passwords. Then it says in plain words what the
station would do. It opens neither camera nor journal and may be used beside a running station.`,
		Example: "  tirewatch-agent check --config /etc/tirewatch/station.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			return check(cmd.OutOrStdout(), cfg)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the station's configuration `file`")
	return cmd
}

// check describes the station and gives what is wrong.
func check(w io.Writer, cfg *config.Config) error {
	problems := doctor.Missing(cfg)
	model, err := doctor.Model(cfg)
	if err != nil {
		problems = errors.Join(problems, fmt.Errorf("model: %w", err))
	}
	describe(w, cfg, model)
	return problems
}

// probationWords says what a new model must do to be believed.
func probationWords(m config.Model) string {
	if m.Probation == 0 {
		return "none: a new model is believed at once"
	}
	words := fmt.Sprintf("a new model is on probation for %d verdicts", m.Probation)
	if m.ProbationTime > 0 {
		words += fmt.Sprintf(" or %v", m.ProbationTime)
	}
	if m.ProbationCrashes > 0 {
		words += fmt.Sprintf(", given up after %d bad ends of the agent", m.ProbationCrashes)
	}
	if m.ProbationDisagreement > 0 {
		words += fmt.Sprintf(", or when it judges more than %g %% of the tires unlike the model before", 100*m.ProbationDisagreement)
	}
	return words
}

// triggerWords says what makes a verdict.
func triggerWords(cfg *config.Config) string {
	t := cfg.Trigger
	words := "one verdict for each frame"
	switch t.Mode {
	case config.TriggerPresence:
		words = fmt.Sprintf("one verdict for each passing tire, from at most %d frames", t.Frames)
	case config.TriggerPhotoEye:
		words = fmt.Sprintf("one verdict for each tire at the photo-eye %s, %s while it is there", t.GPIO, t.Active)
	case config.TriggerCommand:
		words = "one verdict for each command trigger"
	}
	if t.External() {
		words += fmt.Sprintf(", from at most %d frames, which are waited for for %v from %v after it", t.Frames, t.Window, t.Delay)
		if cfg.Locate.Mode == config.LocateRegion {
			words += "; with a fixed region nobody notices a trigger that is missing"
		}
	}
	if t.Mode != config.TriggerFrame && t.Vote != verdict.Mean {
		words += fmt.Sprintf("; the vote is %s", t.Vote)
	}
	if t.Budget > 0 {
		words += fmt.Sprintf("; what is not decided after %v is rejected", t.Budget)
	}
	return words
}

// rejectWords says what becomes of a tire that is not known to be sound.
func rejectWords(r config.Reject) string {
	var words []string
	if r.GPIO != "" {
		when := "at once"
		if r.Encoder != "" {
			when = fmt.Sprintf("%d pulses of %s behind the camera", r.Pulses, r.Encoder)
		} else if r.Delay > 0 {
			when = fmt.Sprintf("%v behind the camera", r.Delay)
		}
		whom := "each rejected tire"
		if r.On == config.OnPass {
			whom = "each tire that passes"
		}
		words = append(words, fmt.Sprintf("%s is %s for %v for %s, %s", r.GPIO, r.Active, r.Width, whom, when))
	}
	if r.MQTT {
		words = append(words, "rejects are published")
	}
	if len(words) == 0 {
		return "none: a reject is a verdict and nothing else"
	}
	return strings.Join(words, "; ")
}

// describe says in plain words what the station would do.
func describe(w io.Writer, cfg *config.Config, model string) {
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "%-8s %s\n", what, fmt.Sprintf(format, args...))
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
			words = "; it must be empty for the first frames after a start"
		}
		line("locate", "the tire is in the region from %d, %d to %d, %d px%s", r[0], r[1], r[2], r[3], words)
	} else {
		line("locate", "the round outline, %.0f to %.0f %% of the picture's height wide, with %g %% around it",
			100*cfg.Locate.MinDiameter, 100*cfg.Locate.MaxDiameter, 100*cfg.Locate.Margin)
	}
	line("trigger", "%s", triggerWords(cfg))
	line("reject", "%s", rejectWords(cfg.Reject))
	line("model", "%s", model)
	pushed := "refused"
	if cfg.Model.AcceptPush && cfg.MQTT.Enabled() {
		pushed = "accepted when signed by " + strings.Join(cfg.Model.Keys, ", ")
	}
	line("pushes", "%s", pushed)
	if cfg.Model.Inbox != "" {
		line("inbox", "bundles that are copied into %s are tried", cfg.Model.Inbox)
	}
	line("trial", "%s", probationWords(cfg.Model))
	line("journal", "%s, at most %s%s", cfg.Journal.Path, cfg.Journal.MaxSize, ageWords(cfg.Journal.MaxAge))
	if cfg.Metrics.Listen != "" {
		line("metrics", "http://%s/metrics", cfg.Metrics.Listen)
	}
	if cfg.Page.Listen != "" {
		line("page", "%s", pageWords(cfg.Page))
	}
	line("pictures", "%s", pictureWords(cfg.Journal))
	if !cfg.MQTT.Enabled() {
		line("broker", "none: verdicts stay in the journal")
		return
	}
	as := "without a name"
	if cfg.MQTT.Username != "" {
		as = "as " + cfg.MQTT.Username
	}
	line("broker", "%s %s, topics %s/%s/..., verdicts in %s", cfg.MQTT.Broker, as, cfg.MQTT.Root, cfg.Station.ID(), cfg.MQTT.Encoding)
	if c := cfg.Sparkplug; c.Enabled {
		host := "waits for no host"
		if c.PrimaryHost != "" {
			host = "waits for the host " + c.PrimaryHost
		}
		line("scada", "Sparkplug B as %s/%s with device %s, %s", c.Group, c.Node, c.Device, host)
	}
}

// pictureWords says which pictures are kept.
func pictureWords(j config.Journal) string {
	which := map[string]string{
		config.CropsCrack: "rejected tires", config.CropsAll: "all tires",
		config.CropsReview: fmt.Sprintf("rejected tires, of scores within %g logits of the threshold, of disagreements and of %g %% of all tires",
			j.CropsUncertain, 100*j.CropsSample),
	}[j.Crops]
	if which == "" {
		return "none"
	}
	return fmt.Sprintf("of %s, at most %s", which, j.CropsMaxSize)
}

// pageWords says where the page is and who gets in.
func pageWords(p config.Page) string {
	scheme, who := "http", "whoever is logged in at this machine"
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

// ageWords says how long verdicts stay.
func ageWords(a config.Duration) string {
	if a == 0 {
		return ""
	}
	return fmt.Sprintf("; verdicts that the broker has taken stay for %s of work", a)
}
