package report

import (
	"fmt"
	"io"
	"text/tabwriter"

	"tirewatch/quantize/bundle"
	"tirewatch/trainer/metrics"
)

// WriteChoice shows a person what the bundle's threshold does and what the images prove; nothing when it was not chosen for a budget.
func WriteChoice(w io.Writer, threshold float64, b bundle.Budget, e bundle.Evaluation) error {
	if b.Side == "" {
		return nil
	}
	m := metrics.Matrix{TP: e.TruePositive, FP: e.FalsePositive, FN: e.FalseNegative, TN: e.TrueNegative}
	c := metrics.NewChoice(metrics.Budget{Side: metrics.Side(b.Side), Limit: b.Limit}, threshold, m)
	_, err := fmt.Fprintf(w, "%s\n", c)
	return err
}

// Write shows the comparison to a person.
func Write(w io.Writer, q bundle.Quantization, e bundle.Evaluation) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	images := "testing images"
	if !e.HeldOut {
		images = "calibration images: not a measure of new tires"
	}
	fmt.Fprintf(t, "compared on\t%d %s\n", q.Images, images)
	fmt.Fprintf(t, "float accuracy\t%.2f %%\n", 100*q.FloatAccuracy)
	fmt.Fprintf(t, "int8 accuracy\t%.2f %%\n", 100*q.Int8Accuracy)
	fmt.Fprintf(t, "same verdict\t%.2f %%\n", 100*q.Agreement)
	fmt.Fprintf(t, "largest change of probability\t%.4f\n", q.LargestShift)
	fmt.Fprintf(t, "mean change of the logit\t%.4f\n", q.LogitError)
	fmt.Fprintf(t, "int8: cracks found, missed\t%d, %d\n", e.TruePositive, e.FalseNegative)
	fmt.Fprintf(t, "int8: normal passed, false alarms\t%d, %d\n", e.TrueNegative, e.FalsePositive)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(q.Layers) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "layer\trange\tcut off\tsignal to noise\tdead channels")
	for _, l := range q.Layers {
		fmt.Fprintf(t, "%s\t%.4g\t%.4f %%\t%.1f dB\t%d\n", l.Name, l.Range, 100*l.Saturated, l.SNR, l.DeadChannels)
	}
	if err := t.Flush(); err != nil || len(q.Trials) == 0 {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(t, "calibration\tsame verdict\tmean change of the logit\t")
	for i, trial := range q.Trials {
		name, mark := trial.Method, ""
		if trial.BiasCorrection {
			name += ", bias corrected"
		}
		if i == q.Chosen {
			mark = "taken"
		}
		fmt.Fprintf(t, "%s\t%.2f %%\t%.4f\t%s\n", name, 100*trial.Agreement, trial.LogitError, mark)
	}
	return t.Flush()
}
