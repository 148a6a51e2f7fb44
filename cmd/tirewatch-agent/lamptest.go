package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"periph.io/x/conn/v3/gpio"

	"tirewatch/agent"
	"tirewatch/agent/config"
	"tirewatch/cmd/internal/cli"
)

func newLampTestCmd() *cobra.Command {
	var path string
	var off bool
	cmd := &cobra.Command{
		Use:   "lamptest --config FILE",
		Short: "Send one pulse to the reject output",
		Long: `Lamptest sends one pulse of reject.width to reject.gpio, the ejector or lamp, and leaves the line
inactive. Make sure that nobody is in the way of the ejector. While the station runs it owns the
line: use tirewatch station lamptest instead.

With --off there is no pulse. The line is only made inactive, as after a crash of the agent.`,
		Example: `  tirewatch-agent lamptest --config /etc/tirewatch/station.toml
  tirewatch-agent lamptest --off --config /etc/tirewatch/station.toml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			if cfg.Reject.GPIO == "" {
				if off {
					return nil
				}
				return cli.Hint(errors.New("this station has no reject output"),
					"name its GPIO line in the configuration, reject.gpio")
			}
			pin, err := agent.RejectLine(cfg.Reject)
			if err != nil || off {
				return err
			}
			if err := pulse(cmd.Context(), pin, cfg.Reject); err != nil {
				return fmt.Errorf("pulse the reject output %s: %w", cfg.Reject.GPIO, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s was %s for %v\n", cfg.Reject.GPIO, cfg.Reject.Active, cfg.Reject.Width)
			return nil
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVar(&off, "off", false, "make the line inactive, without a pulse")
	return cmd
}

// pulse leaves the pin inactive, also when ctx ends before the pulse.
func pulse(ctx context.Context, pin gpio.PinIO, r config.Reject) error {
	active := gpio.Level(r.Active == config.ActiveHigh)
	if err := pin.Out(active); err != nil {
		return err
	}
	select {
	case <-time.After(r.Width.Std()):
	case <-ctx.Done():
	}
	return pin.Out(!active)
}
