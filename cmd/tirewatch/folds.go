package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tirewatch/cmd/internal/cli"
)

// foldFlags are the flags of evaluate for a cross-validation.
type foldFlags struct {
	n     int
	train trainFlags
	curve curveFlags
	own   *pflag.FlagSet // flags that only a cross-validation has
}

func (f *foldFlags) add(cmd *cobra.Command) {
	f.own = f.train.settings()
	f.own.IntVar(&f.n, "folds", 0, "cross-validation: train and test this many times, each time without one fold of DIR")
	f.own.StringVar(&f.train.groups.fold, "fold-column", "",
		"cross-validation with the folds in this column of DIR/manifest.csv")
	f.own.StringVar(&f.train.out, "out", "",
		"folder of a cross-validation, to continue it after an interruption (default: runs/ and the time)")
	f.own.IntSliceVar(&f.curve.images, "images", nil, "learning curve instead of a cross-validation: numbers of photographs to "+
		"train on, for example 20,100; with --network mobile --no-finetune")
	f.own.IntVar(&f.curve.draws, "draws", 30, "trainings for each number of --images")
	f.own.VisitAll(func(flag *pflag.Flag) { cmd.Flags().AddFlag(flag) })
	cli.Files(cmd,
		cli.Note{Name: "OUT/scores.csv", Text: "The out-of-fold scores of a cross-validation: file, group, fold, label " +
			"and score. OUT is --out."},
		cli.Note{Name: "OUT/fold-NAME", Text: "The run folder of the training without the fold NAME, as of tirewatch train."},
		cli.Note{Name: "OUT/fold-NAME.json", Text: "The result of a finished fold. It is not trained again."})
}

// wanted reports whether the command line asks for a cross-validation.
func (f *foldFlags) wanted() bool { return f.n != 0 || f.train.groups.fold != "" }

// check refuses flags that belong to the other kind of evaluation.
func (f *foldFlags) check(cmd *cobra.Command) error {
	var err error
	if !f.wanted() {
		f.own.VisitAll(func(flag *pflag.Flag) {
			if flag.Changed && err == nil {
				err = cli.Usagef("--%s needs --folds or --fold-column: without them MODEL is measured, and nothing is trained",
					flag.Name)
			}
		})
		return err
	}
	if f.n < 2 && cmd.Flags().Changed("folds") {
		return cli.Usagef("--folds %d: want 2 or more", f.n)
	}
	for _, name := range []string{"key", "report"} {
		if cmd.Flags().Changed(name) {
			return cli.Usagef("--%s is for a MODEL, not for a cross-validation", name)
		}
	}
	if err := f.train.choose(cmd); err != nil {
		return err
	}
	if cmd.Flags().Changed("draws") && len(f.curve.images) == 0 {
		return cli.Usagef("--draws needs --images")
	}
	return f.curve.check(&f.train.network)
}
