package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/trainer/crossval"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/report"
)

// evaluateHelp describes both kinds of evaluation.
const evaluateHelp = `Classifies the testing images of DIR and prints the accuracy, the precision, recall and F1 of each
class, the confusion matrix, and the two rates of a plant: the escape rate (cracks missed) and the
false reject rate (sound tires rejected). The line "grey statistics alone" shows what brightness,
contrast and sharpness reach on these images without seeing any crack: a model is worth only what it
finds above that.

If DIR has no testing folder, all its images are used. Only images that the model was not trained
on show how it will judge new tires.

With --max-escape or --max-false-reject the threshold is chosen from the scores of these images
instead of the model's own, and the rate of the other side is printed. With both, two thresholds
are chosen: a tire between them is unsure, and as few are unsure as both limits allow. With
--max-unsure the two thresholds are those with the most right answers on the tires that are
decided. The price, the share of unsure tires, is printed beside what it buys. The model is not
changed; tirewatch quantize has the same flags and stores the thresholds.

evaluate --folds N DIR, without MODEL, measures a training: it divides all images of DIR into N
folds, trains N times, each time without one fold, and tests on that fold. So every image is
tested once, by a network that has seen neither it nor an image of its group. All flags of tirewatch
train that change the training are valid. It prints each figure as the mean of the folds, their
spread, and the value of all out-of-fold scores together with its 95 % interval, beside what grey
statistics alone reach. --fold-column uses the folds of DIR/manifest.csv.

The scores are those of the int8 network, calibrated and converted on the images that it was trained
on. The float network is printed beside it.

--images draws a learning curve of the network mobile instead: its score layer is fitted on so many
photographs, each of another group, and tested on a fold that it has nothing of.

Finished folds are kept in --out: the same command continues after an interruption.`

func newEvaluateCmd() *cobra.Command {
	var keys []string
	var asJSON bool
	var reportDir string
	var budget budgetFlags
	var folds foldFlags
	cmd := &cobra.Command{
		Use:   "evaluate MODEL DIR",
		Short: "Measure a model on testing images, or a training by cross-validation",
		Long:  evaluateHelp,
		Example: `  tirewatch evaluate runs/monday/best.ckpt photos/
  tirewatch evaluate runs/monday/best.ckpt photos/ --report monday-on-test
  tirewatch evaluate monday.tire photos/ --key plant.key.pub --json
  tirewatch evaluate monday.tire photos/ --max-escape 1%
  tirewatch evaluate monday.tire photos/ --max-escape 1% --max-false-reject 2%
  tirewatch evaluate --folds 5 photos/ --group '(tire\d+)' --epochs 60 --out runs/folds
  tirewatch evaluate --folds 5 photos/ --network mobile --no-finetune
  tirewatch evaluate --folds 5 photos/ --network mobile --no-finetune --images 20,100
  tirewatch evaluate --fold-column fold photos/ --schedule cosine --max-unsure 15%`,
		Args: func(cmd *cobra.Command, args []string) error {
			if folds.wanted() {
				return cli.Args("DIR")(cmd, args)
			}
			return cli.Args("MODEL", "DIR")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			limits, err := budget.budgets(cmd)
			if err != nil {
				return err
			}
			if err := folds.check(cmd); err != nil {
				return err
			}
			if folds.wanted() {
				e, err := crossValidate(cmd, args[0], &folds, limits)
				return printResult(cmd, e, asJSON, err)
			}
			m, err := openModel(cmd, args[0], keys)
			if err != nil {
				return err
			}
			e, err := evaluate(cmd, m, args[1], args[0], reportDir, limits, &folds.train.groups)
			return printResult(cmd, e, asJSON, err)
		},
	}
	addKeyFlag(cmd, &keys)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	cmd.Flags().StringVar(&reportDir, "report", "", "write report.html and its images into this folder")
	budget.add(cmd)
	folds.add(cmd)
	folds.train.groups.add(cmd)
	cli.Files(cmd, cli.Note{Name: "REPORT/report.html",
		Text: "The result of --report REPORT, with the PNG files beside it."})
	cli.Environment(cmd, kernelVariable, tempVariable,
		cli.Note{Name: "TZ", Text: "The time zone for the name of the folder of a cross-validation without --out."})
	return cmd
}

// printResult prints a result for people or for programs, unless err says that there is none.
func printResult(cmd *cobra.Command, result fmt.Stringer, asJSON bool, err error) error {
	if err != nil {
		return err
	}
	if asJSON {
		return cli.JSON(cmd.OutOrStdout(), result)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), result)
	return err
}

// evaluation is what evaluate prints.
type evaluation struct {
	*metrics.Report
	chosen
	AUC  *aucOverGroups `json:"roc_auc_interval,omitempty"`
	Grey *greyFigures   `json:"grey_statistics,omitempty"` // nil if a class has fewer than two groups
}

// greyFigures are what grey statistics reach on the same images. They cannot see a crack, so only
// what the model finds above them counts.
type greyFigures struct {
	Accuracy float64 `json:"accuracy"` // with the threshold 0.5
	AUC      float64 `json:"roc_auc"`
}

// aucOverGroups is the interval of the area under the ROC curve when it is known which images
// belong together.
type aucOverGroups struct {
	metrics.Interval
	Groups int `json:"groups"`
}

func newAUCOverGroups(scores []float64, labels []bool, groups []string) *aucOverGroups {
	b := metrics.NewBootstrap(groups, labels, crossval.Seed)
	return &aucOverGroups{Interval: b.AUC(scores, labels), Groups: b.Groups()}
}

func (e evaluation) String() string {
	text := e.Report.String()
	if e.AUC != nil {
		text += fmt.Sprintf("ROC AUC on other tires  %.4f to %.4f  (95 %%, bootstrap over %d groups)\n", e.AUC.Low,
			e.AUC.High, e.AUC.Groups)
	}
	if g := e.Grey; g != nil {
		text += fmt.Sprintf("grey statistics alone   accuracy %.4f, ROC AUC %.4f  (fitted to other groups of these images)\n",
			g.Accuracy, g.AUC)
	}
	return text + e.chosen.String()
}

func evaluate(cmd *cobra.Command, m *model, dir, path, reportDir string, budgets []metrics.Budget,
	groups *groupFlags) (*evaluation, error) {
	set, err := groups.openDivided(cmd, dir)
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
	groupNames, known := groupsOf(samples)
	if e.Grey, err = measureGrey(cmd.Context(), samples, labels, groupNames, m.spec); err != nil {
		return nil, err
	}
	if known && slices.Contains(labels, true) && slices.Contains(labels, false) {
		e.AUC = newAUCOverGroups(scores, labels, groupNames)
	}
	if m.band, err = e.choose(scores, labels, budgets, m.band); err != nil {
		return nil, err
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
	e.Report, err = metrics.NewBanded(scores, labels, m.band)
	return e, err
}
