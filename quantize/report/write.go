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

// WriteChoice prints the error rates with the thresholds of a head and what the images prove about
// them, and for two thresholds the price of unsure answers. It prints nothing if the thresholds
// were not chosen for a budget.
func WriteChoice(w io.Writer, h bundle.Head, e bundle.Evaluation) (err error) {
	var budgets []metrics.Budget
	for _, b := range h.Budgets {
		budgets = append(budgets, metrics.Budget{Side: metrics.Side(b.Side), Limit: b.Limit})
	}
	a := Answers(e)
	switch {
	case len(budgets) == 0:
	case h.SoundBelow == 0:
		_, err = fmt.Fprintf(w, "%s\n", metrics.NewChoice(budgets[0], h.Threshold, a.Matrix))
	default:
		band := metrics.Band{SoundBelow: h.SoundBelow, Threshold: h.Threshold}
		_, err = fmt.Fprintf(w, "%s\n", metrics.DescribeBand(budgets, band, a))
	}
	return err
}

// Answers returns the counts of an evaluation as package metrics has them.
func Answers(e bundle.Evaluation) metrics.Answers {
	return metrics.Answers{
		Matrix:      metrics.Matrix{TP: e.TruePositive, FP: e.FalsePositive, FN: e.FalseNegative, TN: e.TrueNegative},
		UnsureCrack: e.UnsureCrack, UnsureSound: e.UnsureNormal,
	}
}

// Tables returns the comparison as tables: overall, by layer, and the calibration methods that were
// tried.
func Tables(q bundle.Quantization, e bundle.Evaluation) []report.Table {
	images := "testing images"
	if !e.HeldOut {
		images = "calibration images, not a measure of new tires"
	}
	tables := []report.Table{{
		Title: "Float against int8",
		Note:  "How the network changed when its weights and activations became bytes.",
		Rows: [][]string{
			{"compared on", fmt.Sprintf("%d %s", q.Images, images)},
			{"float accuracy", percent(q.FloatAccuracy)},
			{"int8 accuracy", percent(q.Int8Accuracy)},
			{"same verdict", percent(q.Agreement)},
			{"largest change of probability", fmt.Sprintf("%.4f", q.LargestShift)},
			{"mean change of the logit", fmt.Sprintf("%.4f", q.LogitError)},
			{"int8: cracks found, missed", fmt.Sprintf("%d, %d", e.TruePositive, e.FalseNegative)},
			{"int8: normal passed, false rejects", fmt.Sprintf("%d, %d", e.TrueNegative, e.FalsePositive)},
		},
	}}
	if e.Unsure() > 0 {
		rows := &tables[0].Rows
		*rows = append(*rows, []string{"int8: unsure cracks, unsure normal", fmt.Sprintf("%d, %d", e.UnsureCrack, e.UnsureNormal)})
		tables[0].Note += " An accuracy is that of the images that the network decides."
	}
	if len(q.Layers) > 0 {
		tables = append(tables, layerTable(q.Layers))
	}
	if len(q.Trials) > 0 {
		tables = append(tables, trialTable(q.Trials, q.Chosen))
	}
	return tables
}

func percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

func layerTable(layers []bundle.LayerQuantization) report.Table {
	t := report.Table{
		Title: "Quantization by layer",
		Note: "Range: the activation that becomes 255. Clipped: the share of activations above it. " +
			"Signal to noise: how well this layer and all earlier ones keep their values as bytes.",
		Header: []string{"layer", "range", "clipped", "signal to noise", "dead channels"},
	}
	for _, l := range layers {
		t.Rows = append(t.Rows, []string{
			l.Name, fmt.Sprintf("%.4g", l.Range), fmt.Sprintf("%.4f %%", 100*l.Saturated),
			fmt.Sprintf("%.1f dB", l.SNR), fmt.Sprint(l.DeadChannels),
		})
	}
	return t
}

func trialTable(trials []bundle.Trial, chosen int) report.Table {
	t := report.Table{
		Title: "Calibration methods",
		Note: "Each method was tried on the calibration images. The one that keeps the most verdicts was chosen; " +
			"among equal ones, the one that changes the logit least.",
		Header: []string{"calibration", "same verdict", "mean change of the logit", ""},
	}
	for i, trial := range trials {
		name, mark := trial.Method, ""
		if trial.BiasCorrection {
			name += ", bias corrected"
		}
		if i == chosen {
			mark = "chosen"
		}
		t.Rows = append(t.Rows, []string{
			name, percent(trial.Agreement), fmt.Sprintf("%.4f", trial.LogitError), mark,
		})
	}
	return t
}

// Write prints the tables as text.
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
