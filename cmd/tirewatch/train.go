package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/cmd/internal/version"
	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/dataset"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// trainFlags are the options of one training.
type trainFlags struct {
	out     string
	resume  bool
	static  bool // no augmentation
	cfg     checkpoint.Config
	groups  groupFlags
	network networkFlags
	trainOptions
}

// trainHelp describes the training of both networks.
const trainHelp = `Trains the network of the thesis on the images in DIR. DIR contains the folders crack and normal, or
training and testing with these two inside. A fifth of the training images is held back for
validation; near-duplicates stay together, and so do images of one group: of one tire or place, as
DIR/manifest.csv or --group says. Testing images are not used.

Each file is read once, at the start. Beyond 1,800 images the rest is kept in an unnamed file in
the run folder, 144 kB for each image.

The run folder gets config.json, metrics.csv, best.ckpt (best on validation), last.ckpt,
augmentation.png (what the network sees of some images) and report.html.

Training starts from weights that were trained on drawn tires. --finetune starts from those of a
checkpoint, to train on a smaller and more specific data set, and --from-scratch from random ones.

A moving average of the weights is validated after each epoch. best.ckpt is the best average.

The thesis trains with --from-scratch --augment thesis --batch 64 --steps-per-epoch 36 --schedule
constant --ema-decay 0.

--network mobile starts from a pretrained network instead, which needs far fewer photographs. It
fits the score layer in seconds: best.ckpt is usable from then on. With at least 30 groups of each
class it then fine-tunes the upper blocks in three parts, each without a third of the images, prints
which is better on the images left out, and fine-tunes on all images if that is. This takes minutes
for each part. No images are held back: threshold and report follow from images that the network had
not seen.

Ctrl-C saves and stops. --resume continues, also after a crash, with the same result as without
the interruption.`

func newTrainCmd() *cobra.Command {
	var f trainFlags
	cmd := &cobra.Command{
		Use:   "train DIR",
		Short: "Train the network on a data set",
		Long:  trainHelp,
		Example: `  tirewatch train photos/
  tirewatch train photos/ --out runs/monday --epochs 60 --seed 3
  tirewatch train photos/ --out runs/monday --resume
  tirewatch train photos/ --patience 20 --class-weights auto
  tirewatch train photos/ --group '(tire\d+)'
  tirewatch train photos/ --network mobile --no-finetune
  tirewatch train photos/ --network mobile --group '(tire\d+)' --out runs/mobile
  tirewatch train line3/ --finetune runs/monday/best.ckpt --freeze conv1,conv2 --epochs 20`,
		Args: cli.Args("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.choose(cmd); err != nil {
				return err
			}
			return runTrain(cmd, args[0], f)
		},
	}
	cmd.Flags().AddFlagSet(f.settings())
	f.groups.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.out, "out", "", "run folder (default: runs/ and the time)")
	fl.BoolVar(&f.resume, "resume", false, "continue the training in the run folder, with its options")
	fl.StringVar(&f.show, "show-augmentation", "",
		"only draw augmented training images into this PNG file, do not train")
	cli.Files(cmd,
		cli.Note{Name: "RUN/config.json", Text: "The options of the training. RUN is the run folder, --out."},
		cli.Note{Name: "RUN/metrics.csv", Text: "Loss and accuracy, one line for each epoch."},
		cli.Note{Name: "RUN/best.ckpt",
			Text: "The checkpoint with the best result on validation: the input of tirewatch quantize."},
		cli.Note{Name: "RUN/last.ckpt", Text: "The checkpoint that --resume continues from."},
		cli.Note{Name: "RUN/augmentation.png", Text: "Some training images, and what the network sees of them."},
		cli.Note{Name: "RUN/report.html", Text: "The result on the validation images, with the PNG files beside it."},
	)
	cli.Files(cmd, baseNote, cli.Note{Name: "RUN/parts", Text: "Results of fine-tuning without a part of the images, for --resume."})
	cli.Environment(cmd, kernelVariable, tempVariable, cli.Note{Name: "TZ",
		Text: "The time zone for the name of a run folder without --out."})
	return cmd
}

func runTrain(cmd *cobra.Command, dir string, f trainFlags) error {
	if f.show != "" {
		return showAugmentation(cmd, dir, f)
	}
	if f.network.mobile() {
		return trainMobile(cmd, dir, f)
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
		if err := requireThesis(last, run.Dir); err != nil {
			return err
		}
		f.cfg = last.Config
	}

	set, err := f.groups.openDivided(cmd, dir)
	if err != nil {
		return err
	}
	spec := preprocess.Thesis()
	store := newStore(run.Dir, len(set.Train)+len(set.Val), spec)
	defer store.Close()
	reading, err := readTraining(cmd, set, spec, store, otherOut)
	if err != nil {
		return err
	}
	if err := cmp.Or(sameData(last, reading, dir, run.Dir), sameGroups(last, set, run.Dir)); err != nil {
		return err
	}
	f.cfg.Data, f.cfg.Groups, f.cfg.Tool = reading.Fingerprint, groupsID(set), version.String()
	train, val, err := splitTraining(cmd, reading, f.cfg.Seed, f.cfg.Validation)
	if err != nil {
		return err
	}
	reading = nil // frees what only the split needed

	var t *trainer.Trainer
	if last != nil {
		t, err = trainer.Resume(last, best, train, val)
	} else {
		t, err = newTraining(cmd, f, base, run, train, val)
	}
	if err != nil {
		return err
	}
	trained := trainAndTell(cmd.Context(), cmd, t, run, f.cfg.Epochs)
	return errors.Join(trained, reportTraining(cmd, t, run.Dir, dir, val))
}

// requireThesis refuses to resume a training of another network.
func requireThesis(last *checkpoint.Checkpoint, runDir string) error {
	err := last.RequireGraph(graph.Thesis())
	if err == nil {
		return nil
	}
	return cli.Hint(fmt.Errorf("resume %s: it holds a training of %s: %w", runDir, networkOf(last), err),
		"repeat the command of that training with --resume, with its --network")
}

// sameData refuses to resume a training on other images. last is nil for a new training.
func sameData(last *checkpoint.Checkpoint, r *dataset.Reading, dir, runDir string) error {
	if last == nil || r.Fingerprint == last.Config.Data {
		return nil
	}
	return cli.Hint(fmt.Errorf("%s is not the data set of the training in %s", dir, runDir),
		"start a new training with another --out")
}

// sameGroups refuses to resume a training with other groups: they decide which images are held back
// for validation. last is nil for a new training.
func sameGroups(last *checkpoint.Checkpoint, set *dataset.Set, runDir string) error {
	if last == nil || last.Config.Groups == groupsID(set) {
		return nil
	}
	return cli.Hint(fmt.Errorf("the images of %s belong together in another way than in the training in %s: %s, was %s",
		set.Dir, runDir, cmp.Or(groupsID(set), "no groups"), cmp.Or(last.Config.Groups, "no groups")),
		"give the same --group or --group-column, or start a new training with another --out")
}

// newTraining starts a training, from base if there is one, and writes its options to the run
// folder.
func newTraining(cmd *cobra.Command, f trainFlags, base *checkpoint.Checkpoint, run *trainer.RunDir,
	train, val []trainer.Sample) (*trainer.Trainer, error) {
	if f.weights == "auto" {
		f.cfg.CrackWeight = trainer.BalancedCrackWeight(train)
	}
	f.cfg.Created = time.Now().UTC().Truncate(time.Second)
	spec := preprocess.Thesis()
	var t *trainer.Trainer
	var err error
	if base != nil {
		t, err = startFrom(cmd, f.cfg, base, train, val)
	} else {
		t, err = trainer.New(f.cfg, graph.Thesis(), spec, train, val)
	}
	if err != nil {
		return nil, err
	}
	return t, errors.Join(run.WriteConfig(f.cfg), writeAugmentation(filepath.Join(run.Dir, "augmentation.png"), f.cfg,
		spec, train))
}

// openRun makes or opens the run folder. last and best are nil for a new training.
func openRun(f trainFlags) (run *trainer.RunDir, last, best *checkpoint.Checkpoint, err error) {
	if f.resume {
		if f.out == "" {
			return nil, nil, nil, cli.Usagef("--resume needs --out, the run folder to continue in")
		}
		run, last, best, err = trainer.OpenRun(f.out)
		if errors.Is(err, trainer.ErrNoRun) {
			err = cli.Hint(err, "start a new training there without --resume")
		}
		return run, last, best, err
	}
	if f.out == "" {
		f.out = filepath.Join("runs", time.Now().Format("2006-01-02-150405"))
	}
	run, err = trainer.CreateRun(f.out)
	if errors.Is(err, trainer.ErrRunExists) {
		err = cli.Hint(err, "continue it with --resume, or choose another --out")
	}
	return run, nil, nil, err
}

// trainAndTell trains, and prints a line for each epoch and one for the result.
func trainAndTell(ctx context.Context, cmd *cobra.Command, t *trainer.Trainer, run *trainer.RunDir, epochs int) error {
	again := fmt.Sprintf("tirewatch train DIR --out %s --resume continues it", run.Dir)
	if err := trainEpochs(ctx, cmd, t, run, epochs, "", again); err != nil {
		return err
	}
	best := t.Best().History[t.Best().BestEpoch-1]
	fmt.Fprintf(cmd.OutOrStdout(), "%s  epoch %d  validation loss %.4f  accuracy %.4f\n", run.BestPath(), best.Epoch,
		best.ValLoss, best.ValAccuracy)
	return nil
}

// trainEpochs trains to the end. Each line begins with what is trained. again says how to continue
// after Ctrl-C.
func trainEpochs(ctx context.Context, cmd *cobra.Command, t *trainer.Trainer, run *trainer.RunDir, epochs int,
	what, again string) error {
	stderr := cmd.ErrOrStderr()
	var bar *progress.Display
	err := t.Run(ctx, trainer.Observer{
		Batch: func(epoch, images, of int) {
			if bar == nil {
				bar = progress.New(cmd, fmt.Sprintf("%sepoch %d of %d", what, epoch, epochs), of)
			}
			bar.Set(images)
		},
		Epoch: func(e checkpoint.Epoch, best bool) {
			bar.Clear()
			bar = nil
			mark := ""
			if best {
				mark = "  best so far"
			}
			fmt.Fprintf(stderr,
				"%sepoch %3d of %d  loss %.4f  accuracy %.3f  validation loss %.4f  accuracy %.3f  %.1f s%s\n",
				what, e.Epoch, epochs, e.TrainLoss, e.TrainAccuracy, e.ValLoss, e.ValAccuracy, e.Seconds, mark)
		},
		Save: run.Save,
	})
	bar.Clear()
	if errors.Is(err, context.Canceled) {
		return cli.Hint(fmt.Errorf("training stopped, saved in %s: %w", filepath.Join(run.Dir, "last.ckpt"), err), again)
	}
	var diverged *trainer.DivergedError
	if errors.As(err, &diverged) {
		return cli.Hint(err,
			fmt.Sprintf("try --rate %g; %s has the best weights of the finished epochs, if there are any",
				diverged.Rate/10, run.BestPath()))
	}
	if err == nil && t.Stalled() {
		fmt.Fprintf(stderr, "%sstopped early: no epoch after epoch %d was better\n", what, t.Best().BestEpoch)
	}
	return err
}
