package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tirewatch/cmd/internal/cli"
	"tirewatch/trainer"
	"tirewatch/trainer/augment"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/drawn"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// fineTuneRate is the learning rate of fine-tuning. It is a tenth of the usual one, so that the
// network keeps what it has learned.
const fineTuneRate = 0.0001

// augmentations are the values of --augment.
var augmentations = map[string]augment.Ranges{
	"quarter": augment.Quarter(), "thesis": augment.Thesis(), "none": {},
}

// trainOptions are the less usual options of a training.
type trainOptions struct {
	finetune string // checkpoint
	scratch  bool   // start from random weights
	weights  string // auto, a number, or empty
	schedule string
	augment  string // key of augmentations
	show     string // PNG file for --show-augmentation
}

// settings are the flags that change the result of a training. Both train and evaluate --folds have
// them.
func (f *trainFlags) settings() *pflag.FlagSet {
	fl := pflag.NewFlagSet("training", pflag.ContinueOnError)
	f.network.add(fl)
	fl.IntVar(&f.cfg.Epochs, "epochs", 100,
		"number of epochs; in one, every training image is shown once, or see --steps-per-epoch")
	fl.IntVar(&f.cfg.Batch, "batch", 16, "images in a batch, the step of the optimizer")
	fl.Float64Var(&f.cfg.Rate, "rate", 0.001, "learning rate of Adam (0.0001 with --finetune)")
	fl.Uint64Var(&f.cfg.Seed, "seed", 1, "seed of the split, the initial weights, shuffling, augmentation and dropout")
	fl.Float64Var(&f.cfg.Validation, "validation", 0.2, "share of the training images held back for validation")
	fl.StringVar(&f.augment, "augment", "quarter",
		"how the images are changed at random: quarter (quarter turns, and 10 degrees to either side), thesis (turned "+
			"by any angle) or none")
	fl.BoolVar(&f.static, "no-augment", false, "the same as --augment none")
	fl.IntVar(&f.cfg.StepsPerEpoch, "steps-per-epoch", 0,
		"batches in an epoch, drawn from the shuffled images; 0: every image once")
	fl.IntVar(&f.cfg.Patience, "patience", 0,
		"stop after this many epochs without a better result on validation; 0: never")
	fl.StringVar(&f.schedule, "schedule", string(checkpoint.Cosine),
		fmt.Sprintf("learning rate over the epochs: constant, cosine (falls until the end) or plateau (halved "+
			"after %d epochs without a lower validation loss)", checkpoint.PlateauEpochs))
	fl.Float64Var(&f.cfg.EMADecay, "ema-decay", 0.99,
		"decay of the moving average of the weights, which is validated and kept; 0: keep the weights of an epoch")
	fl.Float64Var(&f.cfg.MinRate, "min-rate", 0, "lowest learning rate of --schedule")
	fl.StringVar(&f.weights, "class-weights", "",
		"how many times as much a cracked tire counts as a sound one: a number, or auto to let both classes "+
			"count the same")
	fl.StringVar(&f.finetune, "finetune", "", "start from the weights of this checkpoint, at a low rate")
	fl.BoolVar(&f.scratch, "from-scratch", false, "start from random weights, not from those trained on drawings")
	fl.StringSliceVar(&f.cfg.Frozen, "freeze", nil, "layers that keep their first weights, for example conv1,conv2")
	return fl
}

// choose checks the flags and completes the configuration.
func (f *trainFlags) choose(cmd *cobra.Command) error {
	if err := f.network.check(cmd, &f.cfg); err != nil {
		return err
	}
	f.cfg.Schedule = checkpoint.Schedule(f.schedule)
	if !slices.Contains(checkpoint.Schedules, f.cfg.Schedule) {
		return cli.Usagef("--schedule %q: want constant, cosine or plateau", f.schedule)
	}
	ranges, ok := augmentations[f.augment]
	if !ok {
		return cli.Usagef("--augment %q: want quarter, thesis or none", f.augment)
	}
	f.cfg.Augment = ranges
	if f.static {
		if cmd.Flags().Changed("augment") && f.augment != "none" {
			return cli.Usagef("--no-augment and --augment %s exclude each other", f.augment)
		}
		f.cfg.Augment = augment.Ranges{}
	}
	if f.weights != "" && f.weights != "auto" {
		w, err := strconv.ParseFloat(f.weights, 64)
		if err != nil || !(w > 0) {
			return cli.Usagef("--class-weights %q: want auto or a number above 0", f.weights)
		}
		f.cfg.CrackWeight = w
	}
	switch {
	case f.finetune != "" && f.resume:
		return cli.Hint(cli.Usagef("--finetune and --resume exclude each other"),
			"to resume a fine-tuning, give only --resume and --out")
	case f.finetune != "" && f.scratch:
		return cli.Usagef("--finetune and --from-scratch exclude each other")
	case len(f.cfg.Frozen) > 0 && f.scratch:
		return cli.Usagef("--freeze and --from-scratch exclude each other: random weights are not worth keeping")
	}
	if f.finetune != "" && !cmd.Flags().Changed("rate") {
		f.cfg.Rate = fineTuneRate
	}
	if !f.resume {
		if err := f.cfg.Validate(); err != nil {
			return cli.Usage(err)
		}
	}
	return nil
}

// readBase reads the checkpoint to start from and notes it in the configuration. It is nil with
// --from-scratch, when a training is resumed, and for the network mobile, whose base is another.
func (f *trainFlags) readBase() (*checkpoint.Checkpoint, error) {
	if f.scratch || f.resume || f.network.mobile() {
		return nil, nil
	}
	if f.finetune == "" {
		base, sum, err := drawn.Base()
		if err != nil {
			return nil, err
		}
		f.cfg.Pretrained = sum
		return base, f.checkFrozen(base)
	}
	base, sum, err := readCheckpoint(f.finetune)
	if err != nil {
		return nil, err
	}
	if err := base.RequireGraph(graph.Thesis()); err != nil {
		err = fmt.Errorf("fine-tune %s: it is %s: %w", f.finetune, networkOf(base), err)
		if isMobile(&base.Graph) {
			err = cli.Hint(err, "--network mobile starts from the pretrained base and fine-tunes itself")
		}
		return nil, err
	}
	if base.Spec != preprocess.Thesis() {
		return nil, fmt.Errorf("fine-tune %s: the checkpoint uses another preprocessing", f.finetune)
	}
	f.cfg.Pretrained = sum
	return base, f.checkFrozen(base)
}

// firstWeights names the checkpoint that a training started from.
func firstWeights(cfg checkpoint.Config) string {
	if _, sum, err := drawn.Base(); err == nil && sum == cfg.Pretrained {
		return "the network trained on drawings"
	}
	return "checkpoint SHA-256 " + cfg.Pretrained
}

// checkFrozen checks --freeze before a run folder is made and images are read.
func (f *trainFlags) checkFrozen(base *checkpoint.Checkpoint) error {
	net, err := base.Net()
	if err != nil {
		return err
	}
	return net.Freeze(f.cfg.Frozen)
}

// startFrom starts from base, and prints how good base is on the new images.
func startFrom(cmd *cobra.Command, cfg checkpoint.Config, base *checkpoint.Checkpoint,
	train, val []trainer.Sample) (*trainer.Trainer, error) {
	t, err := trainer.FineTune(cfg, base, train, val)
	if err != nil {
		return nil, err
	}
	loss, accuracy, err := t.Validate()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "before training: validation loss %.4f  accuracy %.3f\n", loss, accuracy)
	return t, nil
}

// showAugmentation draws the PNG file of --show-augmentation.
func showAugmentation(cmd *cobra.Command, dir string, f trainFlags) error {
	set, err := f.groups.openSet(cmd, dir)
	if err != nil {
		return err
	}
	spec := preprocess.Thesis()
	store := newStore("", len(set.Train)+len(set.Val), spec)
	defer store.Close()
	reading, err := readTraining(cmd, set, spec, store, otherTemp)
	if err != nil {
		return err
	}
	train, _, err := splitTraining(cmd, reading, f.cfg.Seed, f.cfg.Validation)
	if err != nil {
		return err
	}
	if err := writeAugmentation(f.show, f.cfg, spec, train); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(),
		"%s: each row shows a training image and what the network sees of it in the first epochs\n", f.show)
	return err
}

func writeAugmentation(path string, cfg checkpoint.Config, spec preprocess.Spec, train []trainer.Sample) error {
	sheet, err := trainer.AugmentationSheet(cfg, spec, train)
	if err != nil {
		return err
	}
	return writePNG(path, sheet)
}
