package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/doctor"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
)

func newDoctorCmd() *cobra.Command {
	var path string
	var asJSON, quiet, publish bool
	cmd := &cobra.Command{
		Use:   "doctor --config FILE",
		Short: "Examine a station and say what to do",
		Long: `Doctor looks at everything that a station needs: configuration, secrets, files, disk, journal, clock,
model, camera, broker, Sparkplug. For each it says what it found, and what to do when something is
wrong. The exit code is 1 when something keeps the station from working; warnings do not.

It may be used beside a running agent: the camera is left to the agent, which is asked instead, and the
broker sees another client id. Where the broker refuses that and no agent is seen, the station's own is
tried: on another machine with the same configuration it takes the agent's place for a moment then. Root
looks as the user who owns the journal's folder, because root could read and open everything.`,
		Example: `  sudo tirewatch-agent doctor --config /etc/tirewatch/station.toml
  tirewatch-agent doctor --config /etc/tirewatch/station.toml --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				_, err := loadConfig(path)
				return err
			}
			return examine(cmd.Context(), cmd.OutOrStdout(), path, asJSON, quiet, publish)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the station's configuration `file`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print only what is wrong")
	cmd.Flags().BoolVar(&publish, "publish", false, "also leave the findings at the broker, retained, on the topic selfcheck")
	return cmd
}

// findings is what --json prints and --publish publishes.
type findings struct {
	Time     time.Time        `json:"time"`
	Well     bool             `json:"well"` // nothing failed
	Findings []doctor.Finding `json:"findings"`
}

func examine(ctx context.Context, w io.Writer, path string, asJSON, quiet, publish bool) error {
	all := findings{Time: time.Now().UTC().Truncate(time.Second)}
	failed := 0
	tell := func(f doctor.Finding) {
		all.Findings = append(all.Findings, f)
		if f.State == doctor.Failed {
			failed++
		}
		if !asJSON && !(quiet && (f.State == doctor.OK || f.State == doctor.Skipped)) {
			printFinding(w, f)
		}
	}
	cfg := examineAs(ctx, path, tell)
	all.Well = failed == 0
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(all); err != nil {
			return err
		}
	}
	if publish && cfg != nil && cfg.MQTT.Enabled() {
		if err := leave(ctx, cfg, message.Topics{Root: cfg.MQTT.Root, Station: cfg.Station.ID()}.SelfCheck(), all); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d looks found what keeps the station from working", failed, len(all.Findings))
	}
	return nil
}

// examineAs reads the configuration twice when it changes the user, because the agent must be able
// to read it too.
func examineAs(ctx context.Context, path string, tell func(doctor.Finding)) *config.Config {
	cfg, f := doctor.Read(path)
	if cfg == nil {
		tell(f)
		return nil
	}
	name, err := doctor.Become(filepath.Dir(cfg.Journal.Path))
	if err == nil && name != "" {
		if cfg, f = doctor.Read(path); cfg == nil {
			f.Found = "as user " + name + ": " + f.Found
			tell(f)
			return nil
		}
		f.Found += ", looked at as user " + name
	} else if err != nil {
		f.State, f.Found = doctor.Warning, f.Found+", looked at as root: "+err.Error()
	}
	tell(f)
	doctor.Examine(ctx, cfg, doctor.Options{}, tell)
	return cfg
}

func printFinding(w io.Writer, f doctor.Finding) {
	state := string(f.State)
	if f.State == doctor.Failed {
		state = "FAILED" // to be seen in a hurry
	}
	fmt.Fprintf(w, "%-8s %-14s %s\n", state, f.Look, f.Found)
	if f.Do != "" {
		fmt.Fprintf(w, "%-8s %-14s -> %s\n", "", "", f.Do)
	}
}

// publishing bounds the time that a message may take.
const publishing = 30 * time.Second

// leave publishes a retained message as the station.
func leave(ctx context.Context, cfg *config.Config, topic string, message any) error {
	ctx, cancel := context.WithTimeout(ctx, publishing)
	defer cancel()
	return uplink.Leave(ctx, cfg.MQTT, topic, message)
}
