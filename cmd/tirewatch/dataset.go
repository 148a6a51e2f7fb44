package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"tirewatch/trainer/dataset"
	"tirewatch/trainer/synth"
)

func newDatasetCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dataset",
		Short: "Draw, audit, split, enlarge and cut data sets",
		Long: `A data set is a folder of photographs, sorted into cracked and sound tires:

  photos/crack/...            photos/training/crack/...   photos/testing/crack/...
  photos/normal/...           photos/training/normal/...  photos/testing/normal/...`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newDatasetSynthCmd(), newDatasetCheckCmd(), newDatasetSplitCmd(), newDatasetAugmentCmd(), newDatasetCutCmd())
	return cmd
}

func newDatasetCheckCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Look for what would spoil a training",
		Long: `Read every image of a data set and report damaged files, class balance, image sizes, equal files,
near-duplicates (also between training and testing, and with contradictory labels) and properties of the files
that predict the class without a look at the picture.

Warnings do not fail; the exit code is 1 only when nothing can be trained on the data set.`,
		Example: `  tirewatch dataset check photos/
  tirewatch dataset check photos/ --json | jq '.damaged[].path'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := dataset.Open(args[0])
			// An empty class is for the report to tell, beside everything else.
			if err != nil && !errors.Is(err, dataset.ErrEmptyClass) {
				return err
			}
			advance, end := follow(cmd, "reading images")
			audit, err := dataset.Check(cmd.Context(), set, advance)
			end()
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd, audit)
			} else {
				_, err = fmt.Fprint(cmd.OutOrStdout(), audit.Text())
			}
			if err != nil {
				return fmt.Errorf("write report: %w", err)
			}
			if audit.Unusable != "" {
				return fmt.Errorf("%s cannot be used: %s", args[0], audit.Unusable)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole report as JSON")
	return cmd
}

func newDatasetSplitCmd() *cobra.Command {
	var o dataset.SplitOptions
	cmd := &cobra.Command{
		Use:   "split SRC DST",
		Short: "Divide a data set into training and testing without leaks",
		Long: `Divide all images of SRC into DST/training and DST/testing, with both classes in proportion. Near-duplicates, such
as photographs of a run, crops of one photograph and mirrored or turned copies, stay together on one side. So do
pictures that a station took within ten minutes and tiles of one tire, by the names that ` + "`tirewatch-agent review export`" + ` and
` + "`tirewatch dataset cut`" + ` give them.

SRC is only read; DST must be missing or empty. The same seed gives the same division.`,
		Example: `  tirewatch dataset split photos/ split/
  tirewatch dataset split photos/ split/ --seed 7 --test 0.3 --link`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !(o.Test > 0 && o.Test < 1) {
				return &usageError{fmt.Errorf("--test %v is not between 0 and 1", o.Test)}
			}
			set, err := dataset.Open(args[0])
			if err != nil {
				return err
			}
			advance, end := follow(cmd, "reading images")
			d, err := set.Split(cmd.Context(), args[1], o, advance)
			end()
			if errors.Is(err, dataset.ErrTooFew) {
				return withHint(err, fmt.Sprintf("tirewatch dataset check %s shows what can be read and what is a duplicate", args[0]))
			}
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, bad := range d.Bad {
				fmt.Fprintf(out, "left out: %v\n", bad)
			}
			for _, side := range []dataset.Part{{Name: dataset.PartTrain, Items: d.Keep}, {Name: dataset.PartTest, Items: d.Hold}} {
				n := dataset.Count(side.Items)
				fmt.Fprintf(out, "%-32s %5d normal %5d crack\n", filepath.Join(args[1], side.Name), n[dataset.Normal], n[dataset.Crack])
			}
			if d.Groups > 0 {
				fmt.Fprintf(out, "%d near-duplicates, tires of one run and tiles of one tire in %d groups, each group on one side\n", d.Grouped, d.Groups)
			}
			if d.Dropped > 0 {
				fmt.Fprintf(out, "warning: %d pairs of near-duplicates were ignored so that no group exceeds %d images; some may be on both sides\n",
					d.Dropped, d.MaxGroup)
			}
			return nil
		},
	}
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "another number gives another division")
	cmd.Flags().Float64Var(&o.Test, "test", 0.2, "share of each class held back for testing")
	cmd.Flags().BoolVar(&o.Link, "link", false, "make hard links instead of copies; both folders must be on one disk")
	return cmd
}

func newDatasetSynthCmd() *cobra.Command {
	var (
		o     = synth.Options{}
		clip  = synth.ClipOptions{}
		view  string
		video string
	)
	cmd := &cobra.Command{
		Use:   "synth [DIR]",
		Short: "Draw tires: a data set, or a video of a belt",
		Long: `Draw a data set of cracked and sound tires into DIR, to try the whole chain without photographs; --video films tires
on a belt instead, for a station to watch. A model that learned from drawings knows drawings: train with photographs
for real tires. The same options give the same files.`,
		Example: `  tirewatch dataset synth drawn/ --train 1000 --test 200
  tirewatch dataset synth drawn/ --view side --size 512 --seed 7
  tirewatch dataset synth --video belt.avi --tires 20 --fps 15`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (video == "") {
				return withHint(&usageError{errors.New("name a folder for a data set, or --video FILE for a film")},
					"tirewatch dataset synth --help shows examples")
			}
			if video != "" {
				return filmClip(cmd, video, clip, o)
			}
			var err error
			if o.View, err = synth.ParseView(view); err != nil {
				return &usageError{err}
			}
			return drawDataset(cmd, args[0], o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Train, "train", 1000, "number of training images, both classes together")
	f.IntVar(&o.Test, "test", 200, "number of test images, both classes together")
	f.IntVar(&o.Size, "size", 512, "side of each image, px")
	f.StringVar(&view, "view", synth.CloseUp.String(), "closeup: a piece of rubber; side: a whole tire as the station crops it")
	f.Uint64Var(&o.Seed, "seed", 1, "another number gives other tires")
	f.Float64Var(&o.CrackFraction, "crack-fraction", 0.5, "share of cracked tires, 0 to 1")
	f.BoolVar(&clip.Rough, "rough", false, "of a film: the belt changes its speed and stops, tires touch, lamps glare, a hand reaches in, frames are torn")
	f.StringVar(&video, "video", "", "film tires on a belt into this AVI file instead")
	f.IntVar(&clip.Tires, "tires", 20, "number of tires in the film")
	f.IntVar(&clip.FPS, "fps", 15, "frames per second of the film")
	return cmd
}

func drawDataset(cmd *cobra.Command, dir string, o synth.Options) error {
	advance, end := follow(cmd, "drawing tires")
	err := synth.WriteDataset(cmd.Context(), dir, o, advance)
	end()
	if errors.Is(err, synth.ErrNotEmpty) {
		return withHint(err, "name a new folder, or empty this one first")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d training and %d test images of %d x %d px, view %s, seed %d\n",
		dir, o.Train, o.Test, o.Size, o.Size, o.View, o.Seed)
	return err
}

func filmClip(cmd *cobra.Command, path string, clip synth.ClipOptions, o synth.Options) error {
	clip.Seed, clip.CrackFraction = o.Seed, o.CrackFraction
	advance, end := follow(cmd, "filming tires")
	truth, err := synth.WriteClip(cmd.Context(), path, clip, advance)
	end()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d tires in %d frames of %d x %d px, %d per second\n%s: which of them are cracked, and when they pass\n",
		path, len(truth.Tires), truth.Frames, truth.Width, truth.Height, truth.FPS, synth.TruthPath(path))
	return err
}

// openSet opens a data set that other commands work on.
func openSet(dir string) (*dataset.Set, error) {
	set, err := dataset.Open(dir)
	if err != nil {
		return nil, withHint(err, "tirewatch dataset check "+dir+" says more about the folder")
	}
	return set, nil
}

// follow shows work whose amount is known at its first step. The two functions go to the work and
// behind its end.
func follow(cmd *cobra.Command, label string) (advance func(done, total int), end func()) {
	var p *progress
	advance = func(done, total int) {
		if p == nil {
			p = newProgress(cmd, label, total)
		}
		p.Set(done)
	}
	end = func() {
		if p != nil {
			p.Done()
		}
	}
	return advance, end
}
