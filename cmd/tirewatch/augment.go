package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

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
		Short: "Enlarge the training images by changed copies",
		Long: `Write SRC to DST with changed copies of every training image beside it, as the thesis did: mirrored, turned by quarters
and by any angle, sheared, brighter or darker. Testing and validation folders are copied as they are: what is
measured must be real photographs.

The copies, photo~aug1.jpg of photo.jpg, have the same size (a quarter turn swaps width and height) and stay in colour.
Splits keep a photograph and its copies on one side, and copies out of testing folders. Training also changes
images in every epoch by itself, with more variety; this command is for sets that other tools read.

SRC is only read; DST must be missing or empty. The same seed gives the same files.`,
		Example: `  tirewatch dataset augment split/ doubled/
  tirewatch dataset augment split/ five/ --factor 5 --rotation 180 --shear-x 0 --shear-y 0 --seed 7`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.HorizontalFlip, o.VerticalFlip, o.Turns = !noFlipX, !noFlipY, !noTurns
			if factor < 2 || factor > 100 {
				return &usageError{fmt.Errorf("--factor %d is not between 2 and 100", factor)}
			}
			if err := o.Validate(); err != nil {
				return &usageError{err}
			}
			return augmentDataset(cmd, args[0], args[1], factor, o.Variant(seed))
		},
	}
	f := cmd.Flags()
	f.IntVar(&factor, "factor", 2, "training images per photograph, itself included")
	f.Uint64Var(&seed, "seed", 1, "another number gives other copies")
	f.BoolVar(&noFlipX, "no-horizontal-flip", false, "never mirror left and right")
	f.BoolVar(&noFlipY, "no-vertical-flip", false, "never mirror top and bottom")
	f.BoolVar(&noTurns, "no-turns", false, "no quarter turns: clockwise, counter-clockwise, upside-down")
	f.Float64Var(&o.Rotation, "rotation", o.Rotation, "largest rotation to either side, degrees; 0 for none")
	f.Float64Var(&o.ShearX, "shear-x", o.ShearX, "largest horizontal shear to either side, degrees; 0 for none")
	f.Float64Var(&o.ShearY, "shear-y", o.ShearY, "largest vertical shear to either side, degrees; 0 for none")
	f.Float64Var(&o.Brightness, "brightness", o.Brightness, "largest change of brightness to either side, as a share; 0 for none")
	return cmd
}

func augmentDataset(cmd *cobra.Command, src, dst string, factor int, variant dataset.Variant) error {
	set, err := openSet(src)
	if err != nil {
		return err
	}
	advance, end := follow(cmd, "changing images")
	e, err := set.Enlarge(cmd.Context(), dst, factor, variant, advance)
	end()
	switch {
	case errors.Is(err, dataset.ErrTestPart):
		return withHint(err, "name the folder above: its training images are enlarged and its testing images copied")
	case errors.Is(err, dataset.ErrNotEmpty):
		return withHint(err, "name a new folder, or empty this one first")
	case err != nil:
		return err
	}
	for _, bad := range e.Bad {
		fmt.Fprintf(cmd.ErrOrStderr(), "left out: %v\n", bad)
	}
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
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s has no testing images; split them off before augmenting, so that tests measure photographs\n", src)
	}
	return nil
}
