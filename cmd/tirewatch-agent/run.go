package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/agent"
	"tirewatch/agent/config"
	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/version"
)

func newRunCmd() *cobra.Command {
	var path string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Watch the belt and judge the tires, until stopped",
		Long: `Run watches the belt until SIGTERM or SIGINT, or until the end of a video or of a folder of images.
Then the tires in the frame get their verdicts, and the queue is sent. Verdicts that the broker
does not acknowledge in time stay in the journal and are sent after the next start.

A second signal ends the process at once. Nothing in the journal is lost.`,
		Example: `  tirewatch-agent run --config /etc/tirewatch/station.toml
  tirewatch-agent run --config demo.toml --drain-timeout 30s`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if drain < 0 {
				return cli.Usagef("--drain-timeout %v: want 0 or more", drain)
			}
			cfg, err := loadConfig(cmd, path)
			if errors.As(err, new(config.Problems)) {
				// systemd does not restart on this exit code
				return cli.Hint(cli.Usage(err), "correct the file, then run: tirewatch-agent check --config "+path)
			}
			if err != nil {
				return err
			}
			log := newLogger(cmd.ErrOrStderr(), cfg.Log)
			if err := agent.Run(cmd.Context(), cfg, agent.RunOptions{Version: version.String(), Config: path, DrainTimeout: drain, Log: log}); err != nil {
				return fmt.Errorf("station %s: %w", cfg.Station.ID(), err)
			}
			return nil
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().DurationVar(&drain, "drain-timeout", 10*time.Second, "how long to wait for the broker at the end")
	cli.ExitCode(cmd, cli.OK, "It was stopped, or the video or folder has ended.")
	cli.ExitCode(cmd, cli.Failed, "The station cannot work. systemd starts it again.")
	cli.ExitCode(cmd, cli.Misused, "The command line or the configuration is wrong. systemd does not start it again.")
	cli.Files(cmd, journalFile, cropFolder, modelFolder,
		cli.Note{Name: "/var/lib/tirewatch/inbox/",
			Text: "Bundles that are copied here are installed, if model.inbox names the folder."})
	cli.Environment(cmd, kernelVariable,
		cli.Note{Name: "NOTIFY_SOCKET",
			Text: "Set by systemd: where the agent reports that it is ready, works and stops."},
		cli.Note{Name: "WATCHDOG_USEC",
			Text: "Set by systemd: the time in which frames must make progress, in microseconds."},
		cli.Note{Name: "WATCHDOG_PID", Text: "Set by systemd: the process that WATCHDOG_USEC is for."},
		cli.Note{Name: "TZ", Text: "The time zone of the shifts on the page."},
		cli.Note{Name: "OPENCV_FFMPEG_CAPTURE_OPTIONS",
			Text: "Options of FFmpeg for a network camera, instead of those of camera.low_latency."},
		cli.Note{Name: "GOGC",
			Text: "The target of Go's garbage collection, in percent. Without OpenCV the default is 10."},
	)
	return cmd
}

// newLogger makes the logger of the section [log].
func newLogger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // cannot happen: config accepts only known levels
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
