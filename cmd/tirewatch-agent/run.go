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
	"tirewatch/cmd/internal/version"
)

func newRunCmd() *cobra.Command {
	var path string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Watch the belt until told to stop",
		Long: `Run watches the belt until SIGTERM or SIGINT, or until a video or a folder is played to its end.
Then the tires in the picture get their verdicts and the queue is sent; what the broker does not
acknowledge in time stays in the journal and is sent after the next start.

A second signal ends the process at once. Nothing that is in the journal is lost by that.`,
		Example: `  tirewatch-agent run --config /etc/tirewatch/station.toml
  tirewatch-agent run --config demo.toml --drain-timeout 30s`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if drain < 0 {
				return &usageError{errors.New("--drain-timeout is negative")}
			}
			cfg, err := loadConfig(path)
			if errors.As(err, new(config.Problems)) {
				return &usageError{err} // code 2: systemd does not start it again and again
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
	cmd.Flags().StringVar(&path, "config", "", "the station's configuration `file`")
	cmd.Flags().DurationVar(&drain, "drain-timeout", 10*time.Second, "how long the end waits for the broker")
	return cmd
}

// newLogger makes the logger that the configuration asks for.
func newLogger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // config accepts known levels only
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
