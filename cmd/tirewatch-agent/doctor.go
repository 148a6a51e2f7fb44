package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/doctor"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/cmd/internal/cli"
)

func newDoctorCmd() *cobra.Command {
	var path string
	var asJSON, quiet, publish bool
	cmd := &cobra.Command{
		Use:   "doctor --config FILE",
		Short: "Examine a station and say what to do",
		Long: `Doctor examines everything that a station needs: configuration, secrets, files, disk, journal, clock,
model, camera, broker, Sparkplug. For each it prints what it found and, if something is wrong,
what to do. The exit code is 1 if something prevents the station from working; a warning does not
change it.

Doctor can run beside a running agent. It then asks the agent instead of opening the camera, and
uses another client id at the broker. If the broker refuses this id and no agent is found, doctor
uses the station's own id. An agent with the same configuration on another machine then loses its
connection for a moment.

Run by root, doctor works as the user who owns the folder of the journal, because root can read
every file.`,
		Example: `  sudo tirewatch-agent doctor --config /etc/tirewatch/station.toml
  tirewatch-agent doctor --config /etc/tirewatch/station.toml --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireConfig(cmd); err != nil {
				return err
			}
			return examine(cmd.Context(), cmd.OutOrStdout(), path, asJSON, quiet, publish)
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON, for programs")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print only warnings and failures")
	cmd.Flags().BoolVar(&publish, "publish", false, "also publish the findings on the topic selfcheck, retained")
	cli.ExitCode(cmd, cli.Failed, "Something prevents the station from working.")
	cli.Files(cmd, journalFile, modelFolder)
	cli.Environment(cmd, kernelVariable, pathVariable)
	return cmd
}

// findings are printed by --json and published by --publish.
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
		if err := cli.JSON(w, all); err != nil {
			return err
		}
	}
	if publish && cfg != nil && cfg.MQTT.Enabled() {
		if err := leave(ctx, cfg, message.Topics{Root: cfg.MQTT.Root, Station: cfg.Station.ID()}.SelfCheck(), all); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed: the station cannot work", failed, len(all.Findings))
	}
	return nil
}

// examineAs reads the configuration again after it has changed the user, because the agent must be
// able to read it too.
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
		f.Found += ", examined as user " + name
	} else if err != nil {
		f.State, f.Found = doctor.Warning, f.Found+", examined as root: "+err.Error()
	}
	tell(f)
	doctor.Examine(ctx, cfg, doctor.Options{}, tell)
	return cfg
}

func printFinding(w io.Writer, f doctor.Finding) {
	state := string(f.State)
	if f.State == doctor.Failed {
		state = "FAILED" // easy to find in a long list
	}
	fmt.Fprintf(w, "%-8s %-14s %s\n", state, f.Look, f.Found)
	if f.Do != "" {
		fmt.Fprintf(w, "%-8s %-14s -> %s\n", "", "", f.Do)
	}
}

// publishing is the time that a message may take.
const publishing = 30 * time.Second

// leave publishes a retained message as the station.
func leave(ctx context.Context, cfg *config.Config, topic string, message any) error {
	ctx, cancel := context.WithTimeout(ctx, publishing)
	defer cancel()
	return uplink.Leave(ctx, cfg.MQTT, topic, message)
}
