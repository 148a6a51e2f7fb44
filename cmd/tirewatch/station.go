package main

import (
	"context"
	"errors"
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
	"tirewatch/vision/verdict"
)

func newStationCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "station",
		Short: "See how a station is, decide about its new model, try its ejector",
		Long: `A new model is on probation at its station: it judges the tires, and the model before judges them too, unseen. After the
configured number of verdicts the station believes it; when it takes the agent down, the station goes back by itself. These
commands show how far it is, end its probation at once, or go back to the model before.`,
		Example: `  tirewatch station status --broker mqtt://broker --station hamburg/line1/station3
  tirewatch station rollback --broker mqtt://broker --station hamburg/line1/station3`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newStationStatusCmd(),
		newOrderCmd("confirm", "End the probation of a station's model: it is good"),
		newOrderCmd("rollback", "Let a station go back to the model before"),
		newOrderCmd(orderLampTest, "Give one pulse to a station's reject output, to look at"))
	return cmd
}

// stationFlags say which station, and how long its answer may take.
type stationFlags struct {
	*brokerFlags
	station string
	timeout time.Duration
}

func addStationFlags(c *cobra.Command) *stationFlags {
	f := &stationFlags{brokerFlags: addBrokerFlags(c)}
	c.Flags().StringVar(&f.station, "station", "", "the station's SITE/LINE/NAME")
	c.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for the answer")
	return f
}

func (f *stationFlags) check() error {
	if err := f.brokerFlags.check(); err != nil {
		return err
	}
	if f.station == "" {
		return withHint(&usageError{errors.New("--station is missing")}, "`tirewatch watch --broker URL` shows which stations speak")
	}
	if _, err := config.ParseStation(f.station); err != nil {
		return &usageError{err}
	}
	if f.timeout <= 0 {
		return &usageError{fmt.Errorf("--timeout %v: want more than 0", f.timeout)}
	}
	return nil
}

func (f *stationFlags) options() uplink.Target {
	return uplink.Target{MQTT: f.mqtt, Station: f.station}
}

// orderLampTest is the one order that is not about models.
const orderLampTest = "lamptest"

func newOrderCmd(order, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     order + " --broker URL --station SITE/LINE/NAME",
		Short:   short,
		Example: "  tirewatch station " + order + " --broker mqtt://broker --station hamburg/line1/station3",
		Args:    cobra.NoArgs,
	}
	f := addStationFlags(cmd)
	cmd.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
		defer cancel()
		if err := uplink.Ask(ctx, f.options(), order); err != nil {
			return pushHint(err)
		}
		if order == orderLampTest {
			fmt.Fprintf(c.OutOrStdout(), "%s: the reject output got a pulse\n", f.station)
			return nil
		}
		known, err := uplink.Inquire(ctx, f.options())
		if err != nil {
			return pushHint(err)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: %s done, works with %s\n", f.station, order, modelWords(known.Model.Active))
		return nil
	}
	return cmd
}

func newStationStatusCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status --broker URL --station SITE/LINE/NAME",
		Short:   "Show how a station is and which models it has",
		Example: "  tirewatch station status --broker mqtt://broker --station hamburg/line1/station3",
		Args:    cobra.NoArgs,
	}
	f := addStationFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	cmd.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
		defer cancel()
		known, err := uplink.Inquire(ctx, f.options())
		if err != nil {
			return pushHint(err)
		}
		if asJSON {
			return writeJSON(c, known)
		}
		return writeStation(c.OutOrStdout(), known)
	}
	return cmd
}

// modelWords names a bundle.
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
		row("probation", "%d of %d verdicts, %d of %d unlike the model before", c.Verdicts, c.Of, c.Disagreements, c.Compared)
	}
	if m.Previous != nil {
		row("before", "%s", modelWords(m.Previous))
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

// writeHealth shows the figures of a station.
func writeHealth(row func(name, format string, args ...any), h *message.Health) {
	row("figures", "of %s, since the agent started at %s", h.Time.Format(time.RFC3339), h.Since.Format(time.RFC3339))
	row("inspected", "%d frames, %d verdicts normal, %d crack, %d without a decision", h.Frames,
		h.Verdicts[string(verdict.Normal)], h.Verdicts[string(verdict.Crack)], h.Verdicts[string(verdict.NoDecision)])
	queue := "empty"
	if h.Queued > 0 {
		queue = fmt.Sprintf("%d verdicts, the oldest %v old", h.Queued, time.Duration(h.OldestS*float64(time.Second)).Round(time.Second))
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
		machine = append(machine, humanize.IBytes(*h.MemoryBytes)+" of memory used")
	}
	if h.DiskFreeBytes != nil {
		machine = append(machine, humanize.IBytes(*h.DiskFreeBytes)+" of disk free")
	}
	if len(machine) > 0 {
		row("machine", "%s", strings.Join(machine, ", "))
	}
	if h.CameraRestarts > 0 {
		row("camera", "lost and opened again %d times", h.CameraRestarts)
	}
	for _, statistic := range slices.Sorted(maps.Keys(h.Drift)) {
		d, alarm := h.Drift[statistic], ""
		if d.Alarm {
			alarm = ", ALARM"
		}
		row("drift", "%s %+.1f standard deviations%s", statistic, d.Deviations, alarm)
	}
}
