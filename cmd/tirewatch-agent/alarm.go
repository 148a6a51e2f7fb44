package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/version"
)

func newAlarmCmd() *cobra.Command {
	var path, unit string
	cmd := &cobra.Command{
		Use:   "alarm --config FILE",
		Short: "Report that the agent no longer starts",
		Long: `systemd calls alarm when the agent has failed too often. Alarm sets the station's retained status at
the broker to "offline, failed to start", with the number of restarts and how the last start
ended. It also prints this as an emergency, which systemd shows on every terminal of the machine.`,
		Example: "  tirewatch-agent alarm --config /etc/tirewatch/station.toml --unit tirewatch-agent.service",
		RunE: func(cmd *cobra.Command, _ []string) error {
			reason := message.ReasonFailed + howItEnded(cmd.Context(), unit)
			cfg, err := loadConfig(cmd, path)
			name := path
			if err == nil {
				name = cfg.Station.ID()
			}
			// <0> is the priority that journald sends to every terminal.
			fmt.Fprintf(cmd.ErrOrStderr(), "<0>tire inspection station %s is down: %s\n"+
				"<0>find the cause: sudo tirewatch-agent doctor --config %s; journalctl -u %s\n"+
				"<0>then start it: sudo systemctl reset-failed %[4]s && sudo systemctl start %[4]s\n", name, reason, path, unit)
			if err != nil {
				return fmt.Errorf("report the failure to the broker: %w", err)
			}
			if !cfg.MQTT.Enabled() {
				return nil
			}
			return tellFailure(cmd.Context(), cfg, reason)
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().StringVar(&unit, "unit", "tirewatch-agent.service", "the `service` that failed")
	cli.ExitCode(cmd, cli.Failed, "The status at the broker could not be set. The terminals got the message.")
	cli.Environment(cmd, pathVariable)
	return cmd
}

func tellFailure(ctx context.Context, cfg *config.Config, reason string) error {
	topic := message.Topics{Root: cfg.MQTT.Root, Station: cfg.Station.ID()}.Status()
	return leave(ctx, cfg, topic, message.Status{State: message.Offline, Since: time.Now().UTC(), Reason: reason,
		Version: version.String()})
}

// howItEnded asks systemd. What it does not say is left out: the alarm matters more than its
// details.
func howItEnded(ctx context.Context, unit string) string {
	out, err := exec.CommandContext(ctx, "systemctl", "show", "--property=NRestarts,Result,ExecMainStatus",
		unit).Output()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return "" // no systemd
	}
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		found[key] = value
	}
	words := ""
	if n := found["NRestarts"]; n != "" && n != "0" {
		words += fmt.Sprintf(" after %s restarts", n)
	}
	if status := found["ExecMainStatus"]; status == "2" {
		words += ": the configuration or the command line is wrong"
	} else if r := found["Result"]; r != "" && r != "success" {
		words += fmt.Sprintf(": %s, status %s", r, status)
	}
	return words
}
