package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"tirewatch/trainer/metrics"
	"tirewatch/trainer/report"
	"tirewatch/vision/bundle"
)

// WriteChoice shows a person what the bundle's threshold does and what the images prove; nothing
// when it was not chosen for a budget.
func WriteChoice(w io.Writer, threshold float64, b bundle.Budget, e bundle.Evaluation) error {
	if b.Side == "" {
		return nil
	}
	m := metrics.Matrix{TP: e.TruePositive, FP: e.FalsePositive, FN: e.FalseNegative, TN: e.TrueNegative}
	c := metrics.NewChoice(metrics.Budget{Side: metrics.Side(b.Side), Limit: b.Limit}, threshold, m)
	_, err := fmt.Fprintf(w, "%s\n", c)
	return err
}

// Tables lay the comparison out for a person: overall, by layer, and the ways to calibrate that
// were tried.
func Tables(q bundle.Quantization, e bundle.Evaluation) []report.Table {
	images := "testing images"
	if !e.HeldOut {
		images = "calibration images: not a measure of new tires"
	}
	percent := func(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }
	tables := []report.Table{{
		Title: "Float against int8",
		Note:  "What became of the network when its weights and activations were turned into bytes.",
		Rows: [][]string{
			{"compared on", fmt.Sprintf("%d %s", q.Images, images)},
			{"float accuracy", percent(q.FloatAccuracy)},
			{"int8 accuracy", percent(q.Int8Accuracy)},
			{"same verdict", percent(q.Agreement)},
			{"largest change of probability", fmt.Sprintf("%.4f", q.LargestShift)},
			{"mean change of the logit", fmt.Sprintf("%.4f", q.LogitError)},
			{"int8: cracks found, missed", fmt.Sprintf("%d, %d", e.TruePositive, e.FalseNegative)},
			{"int8: normal passed, false alarms", fmt.Sprintf("%d, %d", e.TrueNegative, e.FalsePositive)},
		},
	}}
	if len(q.Layers) > 0 {
		t := report.Table{
			Title:  "Quantization by layer",
			Note:   "Range is the activation that becomes 255, cut off the share above it, signal to noise what the bytes of this layer and those before keep.",
			Header: []string{"layer", "range", "cut off", "signal to noise", "dead channels"},
		}
		for _, l := range q.Layers {
			t.Rows = append(t.Rows, []string{l.Name, fmt.Sprintf("%.4g", l.Range), fmt.Sprintf("%.4f %%", 100*l.Saturated),
				fmt.Sprintf("%.1f dB", l.SNR), fmt.Sprint(l.DeadChannels)})
		}
		tables = append(tables, t)
	}
	if len(q.Trials) > 0 {
		t := report.Table{
			Title:  "Ways to calibrate",
			Note:   "Each was tried on the calibration images; the one that keeps most verdicts was taken, of equals the one that moves the logit least.",
			Header: []string{"calibration", "same verdict", "mean change of the logit", ""},
		}
		for i, trial := range q.Trials {
			name, mark := trial.Method, ""
			if trial.BiasCorrection {
				name += ", bias corrected"
			}
			if i == q.Chosen {
				mark = "taken"
			}
			t.Rows = append(t.Rows, []string{name, percent(trial.Agreement), fmt.Sprintf("%.4f", trial.LogitError), mark})
		}
		tables = append(tables, t)
	}
	return tables
}

// Write shows the comparison on a terminal.
func Write(w io.Writer, q bundle.Quantization, e bundle.Evaluation) error {
	for i, table := range Tables(q, e) {
		if i > 0 {
			fmt.Fprintln(w)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		if len(table.Header) > 0 {
			fmt.Fprintln(t, strings.Join(table.Header, "\t"))
		}
		for _, row := range table.Rows {
			fmt.Fprintln(t, strings.Join(row, "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}
