package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/version"
	"tirewatch/trainer"
	"tirewatch/trainer/augment"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// trainFlags are the choices of one training.
type trainFlags struct {
	out    string
	resume bool
	static bool // no augmentation
	cfg    checkpoint.Config
	trainOptions
}

func newTrainCmd() *cobra.Command {
	f := trainFlags{cfg: checkpoint.Config{Augment: augment.Thesis()}}
	cmd := &cobra.Command{
		Use:   "train DIR",
		Short: "Train the network on a data set",
		Long: `Trains the network of the thesis on the photographs in DIR, which holds crack and normal
folders, or training and testing folders with these inside. A fifth of the training
images is held back for validation, near-duplicates on one side; images for testing
are not touched. Each file is read once, at the start; of more than 1,800 images the
rest is kept on disk, in a file without a name in the run folder: 144 kB each.

The run folder receives config.json, metrics.csv, best.ckpt (best on validation),
last.ckpt, and report.html with the pictures that are in it. Ctrl-C stops and saves; --resume goes on, with the same result as if
nothing had happened.`,
		Example: `  tirewatch train photos/
  tirewatch train photos/ --out runs/monday --epochs 60 --seed 3
  tirewatch train photos/ --out runs/monday --resume
  tirewatch train photos/ --schedule cosine --patience 20 --class-weights auto
  tirewatch train line3/ --finetune runs/monday/best.ckpt --freeze conv1,conv2 --epochs 20`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.choose(cmd); err != nil {
				return err
			}
			return runTrain(cmd, args[0], f)
		},
	}
	f.addFlags(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.out, "out", "", "run folder (default runs/ and the time)")
	fl.BoolVar(&f.resume, "resume", false, "go on with the training in the run folder; other choices are taken from there")
	fl.IntVar(&f.cfg.Epochs, "epochs", 100, "epochs; one shows every training image once, or as --steps-per-epoch says")
	fl.IntVar(&f.cfg.Batch, "batch", 64, "images per step of the optimizer")
	fl.Float64Var(&f.cfg.Rate, "rate", 0.001, "learning rate of Adam (0.0001 with --finetune)")
	fl.Uint64Var(&f.cfg.Seed, "seed", 1, "seed of the split, the first weights, shuffling, augmentation and dropout")
	fl.Float64Var(&f.cfg.Validation, "validation", 0.2, "share of the training images held back for validation")
	fl.BoolVar(&f.static, "no-augment", false, "show every image as it is in every epoch")
	return cmd
}

func runTrain(cmd *cobra.Command, dir string, f trainFlags) error {
	if f.show != "" {
		return showAugmentation(cmd, dir, f)
	}
	base, err := f.readBase()
	if err != nil {
		return err
	}
	run, last, best, err := openRun(f)
	if err != nil {
		return err
	}
	defer run.Close()
	if last != nil {
		if err := last.RequireGraph(graph.Thesis()); err != nil {
			return fmt.Errorf("resume %s: %w", run.Dir, err)
		}
		f.cfg = last.Config
	}

	set, err := openSet(dir)
	if err != nil {
		return err
	}
	spec := preprocess.Thesis()
	store := newStore(run.Dir, len(set.Train)+len(set.Val), spec)
	defer store.Close()
	reading, err := readTraining(cmd, set, spec, store)
	if err != nil {
		return err
	}
	if last != nil && reading.Fingerprint != last.Config.Data {
		return withHint(fmt.Errorf("%s is not the data set that the training in %s began with", dir, run.Dir),
			"start a new training with another --out")
	}
	f.cfg.Data, f.cfg.Tool = reading.Fingerprint, version.String()
	train, val, err := splitTraining(cmd, reading, f.cfg.Seed, f.cfg.Validation)
	if err != nil {
		return err
	}
	reading = nil // what it knows for the split is not kept through the training

	var t *trainer.Trainer
	if last != nil {
		t, err = trainer.Resume(last, best, train, val)
	} else {
		if f.static {
			f.cfg.Augment = augment.Ranges{}
		}
		if f.weights == "auto" {
			f.cfg.CrackWeight = trainer.BalancedCrackWeight(train)
		}
		f.cfg.Created = time.Now().UTC().Truncate(time.Second)
		if base != nil {
			t, err = fineTune(cmd, f.cfg, base, train, val)
		} else {
			t, err = trainer.New(f.cfg, graph.Thesis(), spec, train, val)
		}
		if err == nil {
			err = errors.Join(run.WriteConfig(f.cfg), writeAugmentation(filepath.Join(run.Dir, "augmentation.png"), f.cfg, spec, train))
		}
	}
	if err != nil {
		return err
	}
	trained := trainAndTell(cmd.Context(), cmd, t, run, f.cfg.Epochs)
	return errors.Join(trained, reportTraining(cmd, t, run.Dir, dir, val))
}

// openRun makes or opens the run folder; last and best are nil for a new training.
func openRun(f trainFlags) (run *trainer.RunDir, last, best *checkpoint.Checkpoint, err error) {
	if f.resume {
		if f.out == "" {
			return nil, nil, nil, &usageError{errors.New("--resume needs --out, the run folder to go on with")}
		}
		run, last, best, err = trainer.OpenRun(f.out)
		if errors.Is(err, trainer.ErrNoRun) {
			err = withHint(err, "without --resume a new training starts there")
		}
		return run, last, best, err
	}
	if f.out == "" {
		f.out = filepath.Join("runs", time.Now().Format("2006-01-02-150405"))
	}
	run, err = trainer.CreateRun(f.out)
	if errors.Is(err, trainer.ErrRunExists) {
		err = withHint(err, "go on with it by --resume, or choose another --out")
	}
	return run, nil, nil, err
}

// trainAndTell runs the training with a line for each epoch and, at the end, what was reached.
func trainAndTell(ctx context.Context, cmd *cobra.Command, t *trainer.Trainer, run *trainer.RunDir, epochs int) error {
	stderr := cmd.ErrOrStderr()
	var bar *progress
	err := t.Run(ctx, trainer.Observer{
		Batch: func(epoch, images, of int) {
			if bar == nil {
				bar = newProgress(cmd, fmt.Sprintf("epoch %d of %d", epoch, epochs), of)
			}
			bar.Set(images)
		},
		Epoch: func(e checkpoint.Epoch, best bool) {
			bar.clear()
			bar = nil
			mark := ""
			if best {
				mark = "  best so far"
			}
			fmt.Fprintf(stderr, "epoch %3d of %d  loss %.4f  accuracy %.3f  validation loss %.4f  accuracy %.3f  %.1f s%s\n",
				e.Epoch, epochs, e.TrainLoss, e.TrainAccuracy, e.ValLoss, e.ValAccuracy, e.Seconds, mark)
		},
		Save: run.Save,
	})
	bar.clear()
	if errors.Is(err, context.Canceled) {
		return withHint(fmt.Errorf("training stopped; %s holds its place: %w", filepath.Join(run.Dir, "last.ckpt"), err),
			fmt.Sprintf("tirewatch train DIR --out %s --resume goes on", run.Dir))
	}
	var diverged *trainer.DivergedError
	if errors.As(err, &diverged) {
		return withHint(err, fmt.Sprintf("try --rate %g; %s holds the best weights before, if an epoch was finished", diverged.Rate/10, run.BestPath()))
	}
	if err != nil {
		return err
	}
	if t.Stalled() {
		fmt.Fprintf(stderr, "stopped early: no epoch since epoch %d was better\n", t.Best().BestEpoch)
	}
	best := t.Best().History[t.Best().BestEpoch-1]
	fmt.Fprintf(cmd.OutOrStdout(), "%s  epoch %d  validation loss %.4f  accuracy %.4f\n", run.BestPath(), best.Epoch, best.ValLoss, best.ValAccuracy)
	return nil
}
