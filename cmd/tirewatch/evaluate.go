package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tirewatch/trainer/metrics"
	"tirewatch/trainer/report"
)

func newEvaluateCmd() *cobra.Command {
	var keys []string
	var asJSON bool
	var reportDir string
	var budget budgetFlags
	cmd := &cobra.Command{
		Use:   "evaluate MODEL DIR",
		Short: "Measure a checkpoint or bundle on test images",
		Long: `Classifies the testing images of DIR and prints accuracy, precision, recall and F1 of each
class, the confusion matrix, and what a plant counts: escape rate (cracks missed) and false
reject rate (sound tires rejected).

A DIR without a testing folder is taken as test images as a whole. Only images that the
model was not trained on say how it will do on new tires.

With --max-escape or --max-false-reject the threshold is chosen from the scores of these
images instead of the model's own, and what the other side costs is printed. The model is
not changed; tirewatch quantize takes the same flags and stores the threshold.`,
		Example: `  tirewatch evaluate runs/monday/best.ckpt photos/
  tirewatch evaluate runs/monday/best.ckpt photos/ --report monday-on-test
  tirewatch evaluate monday.tire photos/ --key plant.key.pub --json
  tirewatch evaluate monday.tire photos/ --max-escape 1%`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			limit, err := budget.budget(cmd)
			if err != nil {
				return err
			}
			m, err := openModel(cmd, args[0], keys)
			if err != nil {
				return err
			}
			r, err := evaluate(cmd, m, args[1], args[0], reportDir, limit)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd, r)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), r)
			return err
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "trusted public key of a bundle; may be given more than once")
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	cmd.Flags().StringVar(&reportDir, "report", "", "folder to write report.html and its pictures into")
	budget.add(cmd)
	return cmd
}

// evaluation is what evaluate prints.
type evaluation struct {
	*metrics.Report
	Choice *metrics.Choice `json:"choice,omitempty"` // of the threshold, when a budget was stated
}

func (e evaluation) String() string {
	if e.Choice == nil {
		return e.Report.String()
	}
	return e.Report.String() + "\n" + e.Choice.String()
}

func evaluate(cmd *cobra.Command, m *model, dir, path, reportDir string, budget *metrics.Budget) (*evaluation, error) {
	set, err := openSet(dir)
	if err != nil {
		return nil, err
	}
	items := set.Test
	if len(items) == 0 {
		items = set.Train
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s has no testing folder, all its images are used; none of them should have been trained on\n", dir)
	}
	store := newStore("", len(items), m.spec)
	defer store.Close()
	samples, err := loadSamples(cmd, "reading images", set, items, m.spec, store)
	if err != nil {
		return nil, err
	}
	labels := labelsOf(samples)
	p := newProgress(cmd, "classifying by "+m.kind, len(samples))
	scores, err := m.score(cmd.Context(), samples, p.Set)
	p.Done()
	if err != nil {
		return nil, err
	}
	e := new(evaluation)
	if budget != nil {
		if e.Choice, err = metrics.Choose(scores, labels, *budget); err != nil {
			return nil, budgetHint(err)
		}
		m.threshold = e.Choice.Threshold
	}
	if reportDir != "" {
		part := report.Test
		if len(set.Test) == 0 {
			part = report.Given
		}
		r := newReport("Evaluation of "+path+" on "+dir, part, m, dir, samples, scores)
		if err := writeReport(cmd, r, reportDir); err != nil {
			return nil, err
		}
	}
	e.Report, err = metrics.New(scores, labels, m.threshold)
	return e, err
}
