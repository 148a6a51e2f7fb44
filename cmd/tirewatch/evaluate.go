package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
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
		Short: "Measure a checkpoint or bundle on testing images",
		Long: `Classifies the testing images of DIR and prints the accuracy, the precision, recall and F1 of each
class, the confusion matrix, and the two rates of a plant: the escape rate (cracks missed) and the
false reject rate (sound tires rejected).

If DIR has no testing folder, all its images are used. Only images that the model was not trained
on show how it will judge new tires.

With --max-escape or --max-false-reject the threshold is chosen from the scores of these images
instead of the model's own, and the rate of the other side is printed. The model is not changed;
tirewatch quantize has the same flags and stores the threshold.`,
		Example: `  tirewatch evaluate runs/monday/best.ckpt photos/
  tirewatch evaluate runs/monday/best.ckpt photos/ --report monday-on-test
  tirewatch evaluate monday.tire photos/ --key plant.key.pub --json
  tirewatch evaluate monday.tire photos/ --max-escape 1%`,
		Args: cli.Args("MODEL", "DIR"),
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
				return cli.JSON(cmd.OutOrStdout(), r)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), r)
			return err
		},
	}
	addKeyFlag(cmd, &keys)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	cmd.Flags().StringVar(&reportDir, "report", "", "write report.html and its images into this folder")
	budget.add(cmd)
	cli.Files(cmd, cli.Note{Name: "REPORT/report.html",
		Text: "The result of --report REPORT, with the PNG files beside it."})
	cli.Environment(cmd, kernelVariable, tempVariable)
	return cmd
}

// evaluation is what evaluate prints.
type evaluation struct {
	*metrics.Report
	Choice *metrics.Choice `json:"choice,omitempty"` // of the threshold, if a limit was set
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
		fmt.Fprintf(cmd.ErrOrStderr(),
			"note: %s has no testing folder, all its images are used; the model must not have been trained on them\n",
			dir)
	}
	store := newStore("", len(items), m.spec)
	defer store.Close()
	samples, err := loadSamples(cmd, "reading images", set, items, m.spec, store)
	if err != nil {
		return nil, err
	}
	labels := labelsOf(samples)
	p := progress.New(cmd, "classifying with "+m.kind, len(samples))
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
