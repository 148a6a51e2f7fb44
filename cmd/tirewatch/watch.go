package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/verdict"
)

func newWatchCmd() *cobra.Command {
	var station string
	var asJSON bool
	var count int
	cmd := &cobra.Command{
		Use:   "watch --broker URL [--station SITE/LINE/NAME]",
		Short: "Print the verdicts of stations when they arrive",
		Long: `Prints one line for each verdict that the stations send to an MQTT broker, until Ctrl-C.

The columns are the time of the frame, the station and the number of its verdict, the label, the
probability of a crack, and the serial and hash of the model. Verdicts that a station sends while
watch is not running are not shown. A verdict may be shown twice.`,
		Example: `  tirewatch watch --broker mqtt://broker
  tirewatch watch --broker mqtt://broker --station hamburg/line1/station3 --json --count 10`,
	}
	broker := addBrokerFlags(cmd)
	cmd.Flags().StringVar(&station, "station", "all", "the station's SITE/LINE/NAME, or all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each verdict as one line of JSON")
	cmd.Flags().IntVar(&count, "count", 0, "stop after this many verdicts; 0: never")
	cmd.RunE = func(c *cobra.Command, _ []string) error {
		if err := broker.check(c); err != nil {
			return err
		}
		if count < 0 {
			return cli.Usagef("--count %d: want 0 or more", count)
		}
		opts := uplink.WatchOptions{MQTT: broker.mqtt, Station: station, Notice: func(text string) {
			fmt.Fprintln(c.ErrOrStderr(), "tirewatch:", text)
		}}
		if station == "all" {
			opts.Station = message.AllStations
		} else if _, err := config.ParseStation(station); err != nil {
			return cli.Hint(cli.Usage(err), "leave --station out to watch every station of the broker")
		}
		ctx, stop := context.WithCancel(c.Context())
		defer stop()
		seen := 0
		var failed error
		err := uplink.Watch(ctx, opts, func(_ string, v *verdict.Verdict) {
			if ctx.Err() != nil {
				return
			}
			failed = printVerdict(c.OutOrStdout(), v, asJSON)
			if seen++; seen == count || failed != nil {
				stop()
			}
		})
		if err == nil {
			err = failed
		}
		return err
	}
	return cmd
}

func printVerdict(w io.Writer, v *verdict.Verdict, asJSON bool) error {
	if asJSON {
		line, err := v.Encode(verdict.JSON)
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n", line)
		}
		return err
	}
	where := ""
	if v.Tiling != nil {
		where = fmt.Sprintf("  at %.0f degrees", v.Tiling.Angle)
	}
	label := string(v.Label)
	if v.IsUnsure() {
		label = v.Reason
	}
	_, err := fmt.Fprintf(w, "%s  %s #%d  %-6s  %.3f%s  model %d (%s)\n", v.Time.Format(time.RFC3339), v.Station,
		v.Seq, label, v.Probability, where,
		v.ModelSerial, v.ModelHash)
	return err
}
