package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/trainer/dataset"
	"tirewatch/trainer/synth"
)

func newDatasetCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dataset",
		Short: "Draw, check, split, enlarge and cut data sets",
		Long: `A data set is a folder of images, sorted into cracked and sound tires, with or without testing
images:

  photos/crack/...            photos/training/crack/...   photos/testing/crack/...
  photos/normal/...           photos/training/normal/...  photos/testing/normal/...`,
	}
	cmd.AddCommand(newDatasetSynthCmd(), newDatasetCheckCmd(), newDatasetSplitCmd(), newDatasetAugmentCmd(),
		newDatasetCutCmd())
	return cmd
}

func newDatasetCheckCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Check a data set for what would spoil a training",
		Long: `Reads every image of a data set and reports damaged files, class balance, image sizes, equal files,
near-duplicates (also between training and testing, or with different labels), groups of
DIR/manifest.csv in training and testing, and file properties that reveal the class without a look
at the image.

Warnings do not change the exit code. It is 1 only if no training on the data set is possible.`,
		Example: `  tirewatch dataset check photos/
  tirewatch dataset check photos/ --json | jq '.damaged[].path'`,
		Args: cli.Args("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := dataset.Open(args[0])
			// an empty class is part of the report
			if err != nil && !errors.Is(err, dataset.ErrEmptyClass) {
				return err
			}
			if _, err := set.Group(dataset.Grouping{}); err != nil {
				return err
			}
			advance, done := progress.Follow(cmd, "reading images")
			audit, err := dataset.Check(cmd.Context(), set, advance)
			done()
			if err != nil {
				return err
			}
			if asJSON {
				err = cli.JSON(cmd.OutOrStdout(), audit)
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON, for programs")
	cli.Files(cmd, manifestNote)
	cli.ExitCode(cmd, cli.Failed, "No training on the data set is possible, or it could not be read.")
	cli.Environment(cmd, kernelVariable)
	return cmd
}

func newDatasetSplitCmd() *cobra.Command {
	var o dataset.SplitOptions
	var groups groupFlags
	cmd := &cobra.Command{
		Use:   "split SRC DST",
		Short: "Split a data set into training and testing without leaks",
		Long: `Copies all images of SRC to DST/training and DST/testing, with the same share of both classes.
Images that show almost the same are never split: near-duplicates (a series of photographs, crops
of one photograph, mirrored or turned copies), images that a station took within ten minutes of
each other, and tiles of one tire. Station images and tiles are recognized by the names that
tirewatch-agent review export and tirewatch dataset cut give to their files.

SRC/manifest.csv or --group names the images that belong together in another way: views of one
tire from different sides. They are never split either, and DST/manifest.csv keeps their groups.

SRC is only read. DST must be missing or empty. The same seed makes the same split.`,
		Example: `  tirewatch dataset split photos/ split/
  tirewatch dataset split photos/ split/ --seed 7 --test 0.3 --link
  tirewatch dataset split photos/ split/ --group '(tire\d+)'`,
		Args: cli.Args("SRC", "DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !(o.Test > 0 && o.Test < 1) {
				return cli.Usagef("--test %v: want more than 0 and less than 1", o.Test)
			}
			return splitDataset(cmd, args[0], args[1], o, groups)
		},
	}
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of the split; another number makes another split")
	cmd.Flags().Float64Var(&o.Test, "test", 0.2, "share of each class for testing")
	cmd.Flags().BoolVar(&o.Link, "link", false, "make hard links instead of copies; both folders must be on one disk")
	groups.add(cmd)
	cli.Environment(cmd, kernelVariable)
	return cmd
}

func splitDataset(cmd *cobra.Command, src, dst string, o dataset.SplitOptions, groups groupFlags) error {
	set, err := groups.openSet(cmd, src)
	if err != nil {
		return err
	}
	advance, done := progress.Follow(cmd, "reading images")
	d, err := set.Split(cmd.Context(), dst, o, advance)
	done()
	if errors.Is(err, dataset.ErrTooFew) {
		return cli.Hint(err, fmt.Sprintf("tirewatch dataset check %s lists damaged files and duplicates", src))
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
		fmt.Fprintf(out, "%-32s %5d normal %5d crack\n", filepath.Join(dst, side.Name), n[dataset.Normal],
			n[dataset.Crack])
	}
	if d.Groups > 0 {
		fmt.Fprintf(out,
			"%d near-duplicates and images that belong together form %d groups; no group is split\n",
			d.Grouped, d.Groups)
	}
	if d.Dropped > 0 {
		fmt.Fprintf(out,
			"warning: %d pairs of near-duplicates were ignored to keep groups below %d images; some may be on "+
				"both sides\n",
			d.Dropped, d.MaxGroup)
	}
	return nil
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
		Short: "Draw a data set of tires, or a video of a belt",
		Long: `Draws a data set of cracked and sound tires into DIR, to try everything without photographs. --video
draws a video of tires on a belt instead, as input for a station. A model that was trained on
drawings only recognizes drawings: for real tires, train on photographs. The same options make
the same files.`,
		Example: `  tirewatch dataset synth drawn/ --train 1000 --test 200
  tirewatch dataset synth drawn/ --view side --size 512 --seed 7
  tirewatch dataset synth --video belt.avi --tires 20 --fps 15`,
		Args: cli.Args("[DIR]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (video == "") {
				return cli.Usagef("dataset synth: name either DIR for a data set, or --video FILE for a video")
			}
			if video != "" {
				return filmClip(cmd, video, clip, o)
			}
			var err error
			if o.View, err = synth.ParseView(view); err != nil {
				return cli.Usage(err)
			}
			return drawDataset(cmd, args[0], o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Train, "train", 1000, "number of training images, of both classes")
	f.IntVar(&o.Test, "test", 200, "number of testing images, of both classes")
	f.IntVar(&o.Size, "size", 512, "side of each image, px")
	f.StringVar(&view, "view", synth.CloseUp.String(),
		"closeup: a piece of rubber; side: a whole tire, as a station crops it")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the drawing; another number makes other tires")
	f.Float64Var(&o.CrackFraction, "crack-fraction", 0.5, "share of cracked tires, 0 to 1")
	f.BoolVar(&clip.Rough, "rough", false,
		"in a video: the belt changes its speed and stops, tires touch, lamps glare, a hand reaches in, frames "+
			"are torn")
	f.StringVar(&video, "video", "", "draw a video of a belt into this AVI file instead")
	f.IntVar(&clip.Tires, "tires", 20, "number of tires in the video")
	f.IntVar(&clip.FPS, "fps", 15, "frames per second of the video")
	cli.Files(cmd, cli.Note{Name: "FILE.truth.json",
		Text: "Which tires of the video FILE are cracked, and in which frames they pass."})
	return cmd
}

func drawDataset(cmd *cobra.Command, dir string, o synth.Options) error {
	advance, done := progress.Follow(cmd, "drawing tires")
	err := synth.WriteDataset(cmd.Context(), dir, o, advance)
	done()
	if errors.Is(err, synth.ErrNotEmpty) {
		return cli.Hint(err, "name a new folder, or empty this one first")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d training and %d testing images of %d x %d px, view %s, seed %d\n",
		dir, o.Train, o.Test, o.Size, o.Size, o.View, o.Seed)
	return err
}

func filmClip(cmd *cobra.Command, path string, clip synth.ClipOptions, o synth.Options) error {
	clip.Seed, clip.CrackFraction = o.Seed, o.CrackFraction
	advance, done := progress.Follow(cmd, "drawing frames")
	truth, err := synth.WriteClip(cmd.Context(), path, clip, advance)
	done()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(),
		"%s: %d tires in %d frames of %d x %d px, %d per second\n%s: which tires are cracked, and when they pass\n",
		path, len(truth.Tires), truth.Frames, truth.Width, truth.Height, truth.FPS, synth.TruthPath(path))
	return err
}

// openSet opens a data set for the other commands.
func openSet(dir string) (*dataset.Set, error) {
	set, err := dataset.Open(dir)
	if err != nil {
		return nil, cli.Hint(err, "tirewatch dataset check "+dir+" examines the folder")
	}
	return set, nil
}
