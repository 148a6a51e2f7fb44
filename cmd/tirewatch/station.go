package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/verdict"
)

func newStationCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "station",
		Short: "Show a station's state, confirm or roll back its model, test its ejector",
		Long: `A new model starts on probation: it judges the tires, and the previous model judges them too, in its
shadow. After the configured number of verdicts the station confirms the new model. If the agent
crashes too often in that time, the station rolls back automatically.

These commands show the state of a station, confirm the new model at once, or roll back to the
previous one.`,
		Example: `  tirewatch station status --broker mqtt://broker --station hamburg/line1/station3
  tirewatch station rollback --broker mqtt://broker --station hamburg/line1/station3`,
	}
	cmd.AddCommand(newStationStatusCmd(),
		newOrderCmd("confirm", "End the probation of a station's model and keep it"),
		newOrderCmd("rollback", "Return a station to its previous model"),
		newOrderCmd(orderLampTest, "Send one pulse to a station's reject output"))
	return cmd
}

// stationFlags name a station and limit the time for its answer.
type stationFlags struct {
	*brokerFlags
	station string
	timeout time.Duration
}

func addStationFlags(c *cobra.Command) *stationFlags {
	f := &stationFlags{brokerFlags: addBrokerFlags(c)}
	f.add(c, 30*time.Second)
	return f
}

// add adds the flags to a command that has those of the broker.
func (f *stationFlags) add(c *cobra.Command, timeout time.Duration) {
	c.Flags().StringVar(&f.station, "station", "", "the station's SITE/LINE/NAME")
	c.Flags().DurationVar(&f.timeout, "timeout", timeout, "how long to wait for the answer")
	cli.ExitCode(c, cli.Failed, "The station refused, did not answer in time, or the broker cannot be reached.")
}

func (f *stationFlags) check(c *cobra.Command) error {
	if err := f.brokerFlags.check(c); err != nil {
		return err
	}
	if err := cli.Require(c, "station"); err != nil {
		return cli.Hint(err, "tirewatch watch --broker URL shows the stations that send verdicts")
	}
	if _, err := config.ParseStation(f.station); err != nil {
		return cli.Usage(err)
	}
	if f.timeout <= 0 {
		return cli.Usagef("--timeout %v: want more than 0", f.timeout)
	}
	return nil
}

func (f *stationFlags) options() uplink.Target {
	return uplink.Target{MQTT: f.mqtt, Station: f.station}
}

// orderLampTest is the only order that is not about models.
const orderLampTest = "lamptest"

func newOrderCmd(order, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     order + " --broker URL --station SITE/LINE/NAME",
		Short:   short,
		Example: "  tirewatch station " + order + " --broker mqtt://broker --station hamburg/line1/station3",
	}
	f := addStationFlags(cmd)
	cmd.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(c); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
		defer cancel()
		if err := uplink.Ask(ctx, f.options(), order); err != nil {
			return pushHint(err)
		}
		if order == orderLampTest {
			fmt.Fprintf(c.OutOrStdout(), "%s: one pulse sent to the reject output\n", f.station)
			return nil
		}
		known, err := uplink.Inquire(ctx, f.options())
		if err != nil {
			return pushHint(err)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: %s done, active model %s\n", f.station, order, modelWords(known.Model.Active))
		return nil
	}
	return cmd
}

func newStationStatusCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status --broker URL --station SITE/LINE/NAME",
		Short:   "Show a station's state, figures and models",
		Example: "  tirewatch station status --broker mqtt://broker --station hamburg/line1/station3",
	}
	f := addStationFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	cmd.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(c); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
		defer cancel()
		known, err := uplink.Inquire(ctx, f.options())
		if err != nil {
			return pushHint(err)
		}
		if asJSON {
			return cli.JSON(c.OutOrStdout(), known)
		}
		return writeStation(c.OutOrStdout(), known)
	}
	return cmd
}

// modelWords names a model by serial and hash.
func modelWords(m *message.ModelRef) string {
	if m == nil {
		return "no model"
	}
	return fmt.Sprintf("serial %d (%s)", m.Serial, m.Hash)
}

// writeStation shows a station to a person.
func writeStation(w io.Writer, known *uplink.Known) error {
	s, m := known.Status, known.Model
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	row("station", "%s", known.Station)
	state := string(s.State)
	if s.Reason != "" {
		state += ", " + s.Reason
	}
	if !s.Since.IsZero() {
		state += ", since " + s.Since.Format(time.RFC3339)
	}
	row("state", "%s", state)
	if s.Problem != "" {
		row("problem", "%s", s.Problem)
	}
	row("model", "%s", modelWords(m.Active))
	if c := m.Candidate; c != nil {
		unsure := ""
		if c.Unsure > 0 {
			unsure = fmt.Sprintf(", %d unsure", c.Unsure)
		}
		row("probation", "%d of %d verdicts%s, %d of %d differ from the previous model", c.Verdicts, c.Of, unsure,
			c.Disagreements, c.Compared)
	}
	if m.Previous != nil {
		row("previous", "%s", modelWords(m.Previous))
	}
	if e := m.Last; e != nil {
		words := fmt.Sprintf("%s: serial %d %s", e.Time.Format(time.RFC3339), e.Serial, e.Event)
		if e.Reason != "" {
			words += ", " + e.Reason
		}
		row("last change", "%s", words)
	}
	if a := m.Answer; a != nil && !a.Accepted {
		row("last refusal", "%s: %s, %s", a.Time.Format(time.RFC3339), a.Hash, a.Reason)
	}
	if known.Health != nil {
		writeHealth(row, known.Health)
	}
	return t.Flush()
}

// writeHealth shows a station's counters and gauges.
func writeHealth(row func(name, format string, args ...any), h *message.Health) {
	row("figures", "from %s, counted since the agent started at %s", h.Time.Format(time.RFC3339),
		h.Since.Format(time.RFC3339))
	unsure := ""
	if h.Unsure > 0 {
		unsure = fmt.Sprintf(" (%d unsure)", h.Unsure)
	}
	row("inspected", "%d frames, %d verdicts normal, %d crack, %d no decision%s", h.Frames,
		h.Verdicts[string(verdict.Normal)], h.Verdicts[string(verdict.Crack)], h.Verdicts[string(verdict.NoDecision)], unsure)
	queue := "empty"
	if h.Queued > 0 {
		queue = fmt.Sprintf("%d verdicts, oldest %v", h.Queued,
			time.Duration(h.OldestS*float64(time.Second)).Round(time.Second))
	}
	row("queue", "%s", queue)
	if h.MS != nil {
		row("times", "locate %.1f ms, preprocess %.1f ms, network %.1f ms", h.MS.Locate, h.MS.Preprocess, h.MS.Forward)
	}
	var machine []string
	if h.TemperatureC != nil {
		machine = append(machine, fmt.Sprintf("%.0f °C", *h.TemperatureC))
	}
	if h.MemoryBytes != nil {
		machine = append(machine, humanize.IBytes(*h.MemoryBytes)+" memory used")
	}
	if h.DiskFreeBytes != nil {
		machine = append(machine, humanize.IBytes(*h.DiskFreeBytes)+" disk free")
	}
	if len(machine) > 0 {
		row("machine", "%s", strings.Join(machine, ", "))
	}
	if h.CameraRestarts > 0 {
		row("camera", "opened again %d times after it was lost", h.CameraRestarts)
	}
	for _, statistic := range slices.Sorted(maps.Keys(h.Drift)) {
		d, alarm := h.Drift[statistic], ""
		if d.Alarm {
			alarm = ", alarm"
		}
		row("drift", "%s %+.1f standard deviations%s", statistic, d.Deviations, alarm)
	}
}
