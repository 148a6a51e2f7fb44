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
)

func newLampTestCmd() *cobra.Command {
	var path string
	var off bool
	cmd := &cobra.Command{
		Use:   "lamptest --config FILE",
		Short: "Give one pulse to the reject output, to look at",
		Long: `Lamptest gives the ejector or lamp of reject.gpio one pulse of reject.width and leaves it inactive. Nobody
may stand in the ejector's way. A running station has the line: ask it with
tirewatch station lamptest.

With --off there is no pulse: the output is made inactive, as after a crash of the agent.`,
		Example: `  tirewatch-agent lamptest --config /etc/tirewatch/station.toml
  tirewatch-agent lamptest --off --config /etc/tirewatch/station.toml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			if cfg.Reject.GPIO == "" {
				if off {
					return nil
				}
				return withHint(errors.New("this station has no reject output"), "reject.gpio names its line")
			}
			pin, err := agent.RejectLine(cfg.Reject)
			if err != nil || off {
				return err
			}
			if err := pulse(cmd.Context(), pin, cfg.Reject); err != nil {
				return fmt.Errorf("reject output %s: %w", cfg.Reject.GPIO, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s was %s for %v\n", cfg.Reject.GPIO, cfg.Reject.Active, cfg.Reject.Width)
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the station's configuration `file`")
	cmd.Flags().BoolVar(&off, "off", false, "make the output inactive, without a pulse")
	return cmd
}

// pulse leaves the pin inactive, even when it is told to stop.
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
