package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/trainer/augment"
	"tirewatch/trainer/dataset"
)

func newDatasetAugmentCmd() *cobra.Command {
	var (
		o                         = augment.ThesisStatic()
		seed                      uint64
		factor                    int
		noFlipX, noFlipY, noTurns bool
	)
	cmd := &cobra.Command{
		Use:   "augment SRC DST",
		Short: "Enlarge the training images with changed copies",
		Long: `Copies SRC to DST and adds changed copies of every training image, as the thesis did: mirrored, turned
by quarters and by any angle, sheared, brighter or darker. Testing and validation folders are
copied unchanged, because a test must measure real photographs.

The copies of photo.jpg are named photo~aug1.jpg and so on. They keep size and colour; a quarter
turn swaps width and height. A split keeps an image and its copies together, and out of testing
folders. Training changes the images in every epoch too, with more variety: use this command for
data sets that other tools read.

SRC is only read. DST must be missing or empty. The same seed makes the same files.`,
		Example: `  tirewatch dataset augment split/ doubled/
  tirewatch dataset augment split/ five/ --factor 5 --rotation 180 --shear-x 0 --shear-y 0 --seed 7`,
		Args: cli.Args("SRC", "DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.HorizontalFlip, o.VerticalFlip, o.Turns = !noFlipX, !noFlipY, !noTurns
			if factor < 2 || factor > 100 {
				return cli.Usagef("--factor %d: want 2 to 100", factor)
			}
			if err := o.Validate(); err != nil {
				return cli.Usage(err)
			}
			return augmentDataset(cmd, args[0], args[1], factor, o.Variant(seed))
		},
	}
	f := cmd.Flags()
	f.IntVar(&factor, "factor", 2, "training images for each image of SRC, itself included")
	f.Uint64Var(&seed, "seed", 1, "seed of the changes; another number makes other copies")
	f.BoolVar(&noFlipX, "no-horizontal-flip", false, "never mirror left and right")
	f.BoolVar(&noFlipY, "no-vertical-flip", false, "never mirror top and bottom")
	f.BoolVar(&noTurns, "no-turns", false, "no quarter turns: clockwise, counter-clockwise, upside-down")
	f.Float64Var(&o.Rotation, "rotation", o.Rotation, "largest rotation to either side, degrees; 0 for none")
	f.Float64Var(&o.ShearX, "shear-x", o.ShearX, "largest horizontal shear to either side, degrees; 0 for none")
	f.Float64Var(&o.ShearY, "shear-y", o.ShearY, "largest vertical shear to either side, degrees; 0 for none")
	f.Float64Var(&o.Brightness, "brightness", o.Brightness, "largest change of brightness, as a share; 0 for none")
	cli.Environment(cmd, kernelVariable)
	return cmd
}

func augmentDataset(cmd *cobra.Command, src, dst string, factor int, variant dataset.Variant) error {
	set, err := new(groupFlags).openSet(cmd, src)
	if err != nil {
		return err
	}
	advance, done := progress.Follow(cmd, "changing images")
	e, err := set.Enlarge(cmd.Context(), dst, factor, variant, advance)
	done()
	switch {
	case errors.Is(err, dataset.ErrTestPart):
		return cli.Hint(err, "name the folder that contains training and testing: only its training images are changed")
	case errors.Is(err, dataset.ErrNotEmpty):
		return cli.Hint(err, "name a new folder, or empty this one first")
	case err != nil:
		return err
	}
	leaveOut(cmd, e.Bad)
	out := cmd.OutOrStdout()
	for _, p := range set.Parts() {
		n := e.Copied[p.Name]
		fmt.Fprintf(out, "%-32s %5d normal %5d crack", filepath.Join(dst, p.Name), n[dataset.Normal], n[dataset.Crack])
		if p.Name == dataset.PartTrain {
			fmt.Fprintf(out, "  and %d normal %d crack changed copies", e.Made[dataset.Normal], e.Made[dataset.Crack])
		}
		fmt.Fprintln(out)
	}
	if len(set.Test) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s has no testing images; run tirewatch dataset split before augment,"+
			" so that tests measure photographs and not copies\n", src)
	}
	return nil
}
